"""The students to confirm, one after the other: enrolment photos beside the face beside the next likeliest student."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.accounts.roles import AnyUser
from campus.attendance.models import AttendanceRecord, Sighting, Status
from campus.attendance.roll import lecture_roll
from campus.attendance.selectors import evidence_by_student
from campus.web.faces import Picture, crop_pictures, enrolment_face_urls
from campus.web.lecture_result import RunnerUp

# Confidences from which a face counts as nearly certain, and as similar. 0.5 would be certain.
NEARLY_CERTAIN, SIMILAR = 0.35, 0.15


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether the face in `pictures` is that of the record's student. `left` students are still to be confirmed."""

    record: AttendanceRecord
    sighting: Sighting
    pictures: list[Picture]
    enrolment_faces: list[str]
    runner_up: RunnerUp | None
    similarity: str
    left: int


def next_question(user: AnyUser, lecture: Lecture, after: int | None = None) -> Question | None:
    """The first student to confirm who comes after the record with the id `after` in the roll, then from its start
    again; None where nobody is left. The caller has checked that the user may see the lecture."""
    roll = lecture_roll(lecture)
    position = next((n for n, record in enumerate(roll, 1) if record.pk and record.pk == after), 0)
    waiting = [record for record in (*roll[position:], *roll[:position]) if record.status == Status.TO_CONFIRM]
    evidence = evidence_by_student(lecture) if waiting else {}
    for record in waiting:
        sightings = [row for row in evidence.get(record.student_id, []) if isinstance(row, Sighting) and row.crops]
        if sightings:
            sighting = max(sightings, key=lambda row: (row.to_confirm, row.crops[0]["quality"]))
            return _ask(user, record, sighting, len(waiting))
    return None


def _ask(user: AnyUser, record: AttendanceRecord, sighting: Sighting, left: int) -> Question:
    other = sighting.runner_up if sighting.to_confirm else None
    faces = enrolment_face_urls(user, [record.student_id, *([other.pk] if other else [])])
    return Question(
        record=record,
        sighting=sighting,
        pictures=crop_pictures(sighting),
        enrolment_faces=faces.get(record.student_id, []),
        runner_up=RunnerUp(sighting, other, faces.get(other.pk, [])) if other else None,
        similarity=describe_similarity(sighting.confidence),
        left=left,
    )


def describe_similarity(confidence: float) -> str:
    """How much a face that is to be confirmed resembles the student, in words."""
    if confidence >= NEARLY_CERTAIN:
        return _("very similar")
    return _("similar") if confidence >= SIMILAR else _("a little similar")
