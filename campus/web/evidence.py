"""The evidence for a status: when a face was seen, its crops, and full frames with the face marked."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from campus.academics.models import Embedder, Student
from campus.academics.selectors import lecture_roster
from campus.accounts.roles import AnyUser
from campus.attendance.match_reasons import describe_match
from campus.attendance.models import AttendanceRecord, Snapshot, Status, UnknownPerson
from campus.attendance.selectors import evidence_by_student, records_for, students_unlike
from campus.attendance.snapshots import request_snapshot
from campus.attendance.statuses import MACHINE_ONLY
from campus.consent.selectors import students_with_basis
from campus.recordings.models import Recording
from campus.web.faces import Appearance, Picture, crop_pictures, enrolment_face_urls
from campus.web.lecture_result import denied_students
from campus.web.templatetags.rollcall import clock

MARKER_MARGIN = 0.3  # of the face, around it: the marker's line does not cover the face


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A full frame that was extracted or is requested. Sizes are strings: as SVG attributes they must not be
    localised."""

    url: str
    state: str
    error: str
    when: str
    width: str
    height: str
    box: tuple[str, str, str, str] | None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one recording shows of a student or of an unknown person."""

    appearance: Appearance
    recording: Recording
    is_identified_by_staff: bool
    pictures: list[Picture]
    frames: list[Frame]

    @property
    def are_frames_pending(self) -> bool:
        return any(frame.state == Snapshot.State.QUEUED for frame in self.frames)

    @property
    def reasons(self) -> list[str]:
        """Why the machine took the face for the student's, in sentences. They name no other student."""
        if self.is_identified_by_staff:
            return []
        return describe_match(self.appearance.confidence, self.appearance.lead)

    @property
    def face_model(self) -> str:
        """What compared the faces, with its version."""
        names: dict[str, str] = {value: str(label) for value, label in Embedder.choices}
        return names.get(self.recording.embedder, self.recording.embedder)

    @classmethod
    def of(cls, appearance: Appearance) -> "Evidence":
        return cls(
            appearance=appearance,
            recording=appearance.recording,
            is_identified_by_staff=isinstance(appearance, UnknownPerson),
            pictures=crop_pictures(appearance),
            frames=request_frames(appearance),
        )


def evidence_for(record: AttendanceRecord) -> list[Evidence]:
    """What each recording of the lecture shows of the student. The caller has checked access to the record."""
    appearances: Sequence[Appearance] = evidence_by_student(record.lecture).get(record.student_id, [])
    return [Evidence.of(appearance) for appearance in appearances if appearance.intervals or appearance.crops]


def request_frames(appearance: Appearance) -> list[Frame]:
    """The full frames of the crops; those that do not exist yet are requested from a worker."""
    recording = appearance.recording
    if recording.state != Recording.State.DONE or recording.footage_deleted_at:
        return []
    frames = []
    for crop in appearance.crops:
        snapshot = request_snapshot(recording=recording, time=float(crop["time"]))
        frames.append(build_frame(snapshot, recording, crop.get("box")))
    return frames


def build_frame(snapshot: Snapshot, recording: Recording, box: Sequence[float] | None = None) -> Frame:
    """The frame of a snapshot, with a box around a face in pixels where there is one."""
    svg_box = None
    width, height = recording.info.get("width", 0), recording.info.get("height", 0)
    if box and width and height:
        x1, y1, x2, y2 = box
        margin = MARKER_MARGIN * max(x2 - x1, y2 - y1)
        left, top = max(x1 - margin, 0), max(y1 - margin, 0)
        right, bottom = min(x2 + margin, width), min(y2 + margin, height)
        svg_box = (f"{left:.0f}", f"{top:.0f}", f"{right - left:.0f}", f"{bottom - top:.0f}")
    return Frame(
        url=reverse("snapshot", args=[snapshot.pk]),
        state=snapshot.state,
        error=str(snapshot.error),
        when=clock(snapshot.time),
        width=str(width),
        height=str(height),
        box=svg_box,
    )


@dataclass(frozen=True)
class Candidate:
    """A student who the unknown person may be; `is_unlike`: the face does not look like the student's photos."""

    student: Student
    status: str
    face: str
    is_unlike: bool


def candidates_for(user: AnyUser, person: UnknownPerson) -> list[Candidate]:
    """The students on the roster who may be recognised, except those ruled out for this face. Students not seen yet
    come first, and among them those whom the face resembles.
    """
    lecture = person.recording.lecture
    recognisable = students_with_basis(lecture_roster(lecture), lecture.course)
    students = list(recognisable.exclude(pk__in=denied_students(person)).order_by("sort_key", "number_key"))
    records = {record.student_id: record for record in records_for(user).filter(lecture=lecture)}
    faces = enrolment_face_urls(user, [student.pk for student in students])
    unlike, resembles = students_unlike(person), person.resembles or []
    ranked = []
    for student in students:
        record = records.get(student.pk)
        is_missing = record is None or record.status in ("", Status.ABSENT, *MACHINE_ONLY)
        label = record.get_status_display() if record else ""
        face = next(iter(faces.get(student.pk, [])), "")
        place = resembles.index(student.pk) if student.pk in resembles else len(resembles)
        ranked.append(((not is_missing, place), Candidate(student, label, face, student.pk in unlike)))
    return [candidate for _, candidate in sorted(ranked, key=lambda entry: entry[0])]
