"""What the page of a lecture shows of its result: students to confirm, everybody's status, times, unknown people
and the log."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from campus.academics.models import Lecture, Student
from campus.accounts.roles import AnyUser
from campus.attendance.face_positions import positions_in_files
from campus.attendance.models import AttendanceChange, AttendanceRecord, FaceOverride, Sighting, Status, UnknownPerson
from campus.attendance.selectors import changes_for, evidence_by_student, unknown_people_for, why_not_recognisable
from campus.common.messages import LocalizedMessage, localize
from campus.recordings.models import Recording
from campus.web.faces import Picture, best_pictures, blurred_picture, crop_pictures, enrolment_face_urls
from campus.web.roll_table import FILTERS, RollTable, build_roll_table
from campus.web.timeline import Timeline, build_timeline

MAX_CHANGES_SHOWN = 50


@dataclass(frozen=True)
class StudentToConfirm:
    """A student to confirm: pictures from the recording beside faces of the enrolment photos."""

    record: AttendanceRecord
    pictures: list[Picture]
    enrolment_faces: list[str]
    runner_up: "RunnerUp | None"


@dataclass(frozen=True)
class RunnerUp:
    """The student whom a face to confirm resembles next."""

    sighting: Sighting
    student: Student
    enrolment_faces: list[str]


@dataclass(frozen=True)
class UnrecognisableStudent:
    record: AttendanceRecord
    reason: LocalizedMessage


@dataclass(frozen=True)
class UnknownFace:
    """Somebody unknown, and for how many seconds they were seen."""

    person: UnknownPerson
    pictures: list[Picture]
    seconds: float

    @property
    def blurred(self) -> str:
        return blurred_picture(self.person)

    @property
    def is_named(self) -> bool:
        """Whether it is a student by now: all others were matched with nobody, and are blurred until asked for."""
        return self.person.override is not None and self.person.override.student_id is not None


@dataclass(frozen=True, kw_only=True)
class LectureResult:
    """The roll is of the whole lecture; everything else is of all its recordings, or of one."""

    roll: RollTable
    not_recognisable: list[UnrecognisableStudent]
    to_confirm: list[StudentToConfirm]
    timeline: Timeline | None
    unknown_people: list[UnknownFace]
    identified_people: list[UnknownFace]
    static_faces: list[UnknownFace]
    changes: list[AttendanceChange]
    hidden_changes: int


def result_address(lecture_id: int, place: str = "result", *, show: str = "", section: str = "") -> str:
    """Where the result is, at a place of the page, with the filters that are set."""
    filters = {"show": show if show in FILTERS else "", "section": section}
    return reverse(
        "lecture", args=[lecture_id], query={name: text for name, text in filters.items() if text}, fragment=place
    )


def build_lecture_result(
    user: AnyUser,
    lecture: Lecture,
    recording: Recording | None = None,
    *,
    show: str = "",
    section: str = "",
    whole_log: bool = False,
) -> LectureResult:
    """The roll of the lecture or of one of its sections, with pictures, times and unknown people of all its recordings
    or of the given one.
    """
    evidence = evidence_by_student(lecture, recording)
    roll = build_roll_table(user, lecture, evidence, show=show, section=section)
    records = [row.record for row in roll.all_rows if row.record.pk]
    changes = list(
        changes_for(user).filter(lecture=lecture).select_related("record__student").order_by("-created_at", "-id")
    )
    changes_shown = len(changes) if whole_log else MAX_CHANGES_SHOWN
    to_confirm = [record for record in records if record.status == Status.TO_CONFIRM]
    runners_up = {
        record.student_id: sighting
        for record in to_confirm
        for sighting in evidence.get(record.student_id, [])
        if isinstance(sighting, Sighting) and sighting.to_confirm and sighting.runner_up
    }
    shown_students = [record.student_id for record in to_confirm]
    shown_students += [sighting.runner_up_id for sighting in runners_up.values() if sighting.runner_up_id]
    enrolment_faces = enrolment_face_urls(user, shown_students)
    unrecognisable = [record for record in records if record.status == Status.NOT_RECOGNISABLE]
    reasons = why_not_recognisable(lecture, [record.student_id for record in unrecognisable]) if unrecognisable else {}
    people = unknown_people_for(user).filter(recording__lecture=lecture)
    faces = _unknown_faces(people, recording)
    undecided = [face for face in faces if face.person.override is None]
    return LectureResult(
        roll=roll,
        to_confirm=[
            StudentToConfirm(
                record,
                best_pictures(evidence.get(record.student_id, [])),
                enrolment_faces.get(record.student_id, []),
                _runner_up(runners_up.get(record.student_id), enrolment_faces),
            )
            for record in to_confirm
        ],
        not_recognisable=[
            UnrecognisableStudent(record, localize(reasons[record.student_id])) for record in unrecognisable
        ],
        timeline=build_timeline(lecture, records, evidence),
        unknown_people=[face for face in undecided if not face.person.is_static],
        identified_people=[face for face in faces if face.person.override is not None],
        static_faces=[face for face in undecided if face.person.is_static],
        changes=changes[:changes_shown],
        hidden_changes=len(changes[changes_shown:]),
    )


def _runner_up(sighting: Sighting | None, enrolment_faces: dict[int, list[str]]) -> RunnerUp | None:
    if sighting is None or sighting.runner_up is None:
        return None
    return RunnerUp(sighting, sighting.runner_up, enrolment_faces.get(sighting.runner_up.pk, []))


def _unknown_faces(people: QuerySet[UnknownPerson], recording: Recording | None) -> list[UnknownFace]:
    """Those of the recording, or of all, each once."""
    people = people.select_related("recording", "override__student").order_by("recording__created_at", "index")
    if recording:
        of_recording = people.filter(recording=recording)
        return [UnknownFace(person, crop_pictures(person), person.seconds) for person in of_recording]
    return [
        UnknownFace(person, crop_pictures(person), sum(row.seconds for row in (person, *person.appearances.all())))
        for person in people.filter(same_as=None).prefetch_related("appearances")
    ]


def denied_students(person: UnknownPerson) -> list[int]:
    """The ids of the students whom a person has ruled out for this face."""
    rows = person.recording.face_overrides.filter(
        action=FaceOverride.Action.REJECTED,
        face_positions=positions_in_files(person.recording, person.face_positions),
    )
    return [pk for pk in rows.values_list("student", flat=True) if pk is not None]
