"""What people say about a face: whose it is, that the machine was wrong, or that it is a visitor."""

from functools import partial
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Max

from campus.academics.models import Lecture, Student
from campus.academics.selectors import lecture_roster
from campus.attendance.change_log import lock_lecture, log_change
from campus.attendance.models import AttendanceChange, FaceOverride, Sighting, UnknownPerson
from campus.attendance.proposals import delete_unused_crops, recount_lecture
from campus.biometrics.services import add_photo
from campus.common.errors import UserError
from campus.recordings.models import Recording
from campus.recordings.selectors import format_clock

Row = TypeVar("Row", UnknownPerson, Sighting)
Kind = AttendanceChange.Kind
Verdict = FaceOverride.Verdict


def _reload(row: Row) -> Row:
    """The row as it is now, under the lecture's lock. Raises UserError where a new count has replaced it."""
    current = type(row)._default_manager.select_related("recording").filter(pk=row.pk).first()
    if current is None:
        raise UserError("The recording was counted again meanwhile. Look at the lecture's page again.")
    return current


def _recount_and_log(lecture: Lecture, user: User, kind: str, student: Student | None, about: str, reason: str) -> None:
    """Count again after a decision on a face, and log what it did to the student's status."""
    before = lecture.records.filter(student=student).first() if student else None
    recount_lecture(lecture=lecture)
    record = lecture.records.filter(student=student).first() if student else None
    log_change(lecture, user, kind, record=record, old=before.status if before else "", about=about, reason=reason)


def _create_override(
    recording: Recording, face_positions: list[object], verdict: str, student: Student | None, user: User
) -> FaceOverride:
    return FaceOverride.objects.create(
        recording=recording,
        verdict=verdict,
        student=student,
        face_positions=face_positions,
        user=user,
        user_name=user.get_username(),
    )


def _describe_face(row: UnknownPerson | Sighting) -> str:
    start = row.intervals[0][0] if row.intervals else 0
    return f"{row.recording.original_name}, {format_clock(start)}"


@transaction.atomic
def name_unknown_person(
    *, person: UnknownPerson, student: Student, user: User, reason: str = "", add_photos: bool = False
) -> int:
    """This is that student. `add_photos`: also take the pictures for the enrolment photos; returns how many were taken.

    Raises UserError where the student is not on the roster, PermissionDenied where the user may not change the lecture.
    """
    lecture = lock_lecture(person.recording.lecture_id, user)
    if not lecture_roster(lecture).filter(pk=student.pk).exists():
        raise UserError(
            "{student} is not on the roster of this class on the lecture's day. Ask a registrar to enrol the student first.",
            student=student,
        )
    person = _reload(person)
    if person.decision is not None:
        _remove_override(lecture, person, user)
    person.decision = _create_override(person.recording, person.face_positions, Verdict.NAMED, student, user)
    person.save(update_fields=["decision"])
    _recount_and_log(lecture, user, Kind.NAMED, student, _describe_face(person), reason)
    return add_crops_to_enrolment_photos(row=person, student=student, user=user) if add_photos else 0


@transaction.atomic
def reject_match(*, sighting: Sighting, user: User, reason: str = "") -> UnknownPerson:
    """Not this person: what the machine took for the student is somebody unknown, also for each next run."""
    recording = sighting.recording
    lecture = lock_lecture(recording.lecture_id, user)
    sighting = _reload(sighting)
    if not (sighting.present or sighting.to_confirm):
        raise UserError("The student was not seen in this recording: there is nothing to take away.")
    about = _describe_face(sighting)
    _create_override(recording, sighting.face_positions, Verdict.NOT, sighting.student, user)
    last = recording.unknown_people.aggregate(last=Max("index"))["last"]
    person = UnknownPerson.objects.create(
        recording=recording,
        index=0 if last is None else last + 1,
        intervals=sighting.intervals,
        seconds=sighting.seconds,
        crops=sighting.crops,
        face_positions=sighting.face_positions,
    )
    Sighting.objects.filter(pk=sighting.pk).update(
        present=False, to_confirm=False, intervals=[], seconds=0, share=0, confidence=0, crops=[], face_positions=[]
    )
    _recount_and_log(lecture, user, Kind.NOT, sighting.student, about, reason)
    return person


@transaction.atomic
def mark_as_visitor(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Somebody who is welcome and on no roster."""
    lecture, person = lock_lecture(person.recording.lecture_id, user), _reload(person)
    if person.decision is not None:
        _remove_override(lecture, person, user)
    person.decision = _create_override(person.recording, person.face_positions, Verdict.VISITOR, None, user)
    person.save(update_fields=["decision"])
    _recount_and_log(lecture, user, Kind.VISITOR, None, _describe_face(person), reason)


@transaction.atomic
def delete_unknown_person(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Forget an unknown person with the pictures, also in each next run."""
    lecture, recording = lock_lecture(person.recording.lecture_id, user), person.recording
    person = _reload(person)
    if person.decision is not None:
        _remove_override(lecture, person, user)
    _create_override(recording, person.face_positions, Verdict.DELETED, None, user)
    about = _describe_face(person)
    person.delete()
    transaction.on_commit(partial(delete_unused_crops, recording), robust=True)
    _recount_and_log(lecture, user, Kind.DELETED, None, about, reason)


@transaction.atomic
def clear_face_override(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Take back who somebody is: an unknown person again."""
    lecture, person = lock_lecture(person.recording.lecture_id, user), _reload(person)
    if person.decision is None:
        raise UserError("Nobody has said who this is. There is nothing to take back.")
    _remove_override(lecture, person, user, reason)


def _remove_override(lecture: Lecture, person: UnknownPerson, user: User, reason: str = "") -> None:
    decision = person.decision
    if decision is None:
        return
    person.decision = None
    person.save(update_fields=["decision"])
    student = decision.student
    decision.delete()
    _recount_and_log(lecture, user, Kind.UNDONE, student, _describe_face(person), reason)


def add_crops_to_enrolment_photos(*, row: UnknownPerson | Sighting, student: Student, user: User) -> int:
    """Take the pictures of a face that a person confirmed for the student's enrolment photos; returns how many are new. Each gets a
    verdict like every other photo."""
    lecture = lock_lecture(row.recording.lecture_id, user)
    taken = 0
    for crop in row.crops:
        path = Path(settings.MEDIA_ROOT, crop["file"])
        name = f"{lecture.course.code} {lecture.starts_at:%Y-%m-%d} {format_clock(crop['time']).replace(':', '-')}.jpg"
        try:
            add_photo(student=student, file=ContentFile(path.read_bytes(), name), name=name)
        except (UserError, FileNotFoundError):
            continue  # it is there already, or the recording was counted again meanwhile
        taken += 1
    return taken
