"""What is behind a status: the moments, the faces, and the whole pictures with the face in a box."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from campus.academics.models import Student
from campus.academics.selectors import lecture_roster
from campus.accounts.roles import AnyUser
from campus.attendance.models import AttendanceRecord, Snapshot, Status, UnknownPerson
from campus.attendance.selectors import evidence_by_student, records_for
from campus.attendance.snapshots import request_snapshot
from campus.recordings.models import Recording
from campus.web.lecture_result import Picture, Seen, crop_pictures, denied, enrolled_faces
from campus.web.templatetags.rollcall import clock


@dataclass(frozen=True)
class Moment:
    """A whole picture, or the wish for it. Sizes are text, since they are attributes of an SVG in any language."""

    url: str
    state: str
    error: str
    when: str
    width: str
    height: str
    box: tuple[str, str, str, str] | None


@dataclass(frozen=True)
class Evidence:
    """What one recording shows of somebody."""

    row: Seen
    recording: Recording
    named: bool
    pictures: list[Picture]
    snapshots: list[Moment]

    @classmethod
    def of(cls, row: Seen) -> "Evidence":
        return cls(row, row.recording, isinstance(row, UnknownPerson), crop_pictures(row), moments(row))


def evidence_of(record: AttendanceRecord) -> list[Evidence]:
    """What each recording of the lecture shows of the record's student; `record` has passed its selector."""
    rows: Sequence[Seen] = evidence_by_student(record.lecture).get(record.student_id, [])
    return [Evidence.of(row) for row in rows if row.intervals or row.crops]


def moments(row: Seen) -> list[Moment]:
    """The whole pictures of a row's faces; a worker is asked for those that nobody has looked for yet."""
    recording = row.recording
    if recording.state != Recording.State.DONE:
        return []
    found = []
    for crop in row.crops:
        snapshot = request_snapshot(recording=recording, time=float(crop["time"]))
        found.append(_moment(snapshot, recording, crop.get("box")))
    return found


def _moment(snapshot: Snapshot, recording: Recording, box: Sequence[float] | None) -> Moment:
    around = None
    if box:
        x1, y1, x2, y2 = box
        around = (f"{x1:.0f}", f"{y1:.0f}", f"{x2 - x1:.0f}", f"{y2 - y1:.0f}")
    width, height = recording.info.get("width", 0), recording.info.get("height", 0)
    url = reverse("snapshot", args=[snapshot.pk])
    return Moment(url, snapshot.state, str(snapshot.error), clock(snapshot.time), str(width), str(height), around)


@dataclass(frozen=True)
class Candidate:
    """Somebody who an unknown person may be."""

    student: Student
    status: str
    face: str


def candidates(user: AnyUser, person: UnknownPerson) -> list[Candidate]:
    """The roster of the lecture's day without those of whom a person said that this is not them; who is missing comes first."""
    lecture = person.recording.lecture
    students = list(lecture_roster(lecture).exclude(pk__in=denied(person)).order_by("name", "number"))
    records = {record.student_id: record for record in records_for(user).filter(lecture=lecture)}
    faces = enrolled_faces(user, [student.pk for student in students])
    found = []
    for student in students:
        record = records.get(student.pk)
        missing = record is None or record.status in (Status.ABSENT, Status.TO_CONFIRM)
        label = record.get_status_display() if record else ""
        found.append((not missing, Candidate(student, label, next(iter(faces.get(student.pk, [])), ""))))
    return [candidate for _, candidate in sorted(found, key=lambda entry: entry[0])]
