"""What people decide: statuses, whose face it is, and the sign-off. Each change is kept in the log, with who and why."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Max

from campus.academics.models import Lecture, Student
from campus.academics.selectors import lecture_roster
from campus.accounts.roles import is_registrar
from campus.attendance import statuses
from campus.attendance.models import (
    AttendanceChange,
    AttendanceRecord,
    FaceDecision,
    Sighting,
    SignOff,
    Status,
    UnknownPerson,
)
from campus.attendance.notifications import tell_signed_off
from campus.attendance.selectors import records_for, teaches
from campus.attendance.services import drop_old_crops, lecture_count, reports_follow
from campus.biometrics.services import photo_add
from campus.cctv.clips import complete_lecture
from campus.common.errors import UserError
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN, clock
from recognition.messages import Message

Row = TypeVar("Row", UnknownPerson, Sighting)
Kind = AttendanceChange.Kind
Verdict = FaceDecision.Verdict


def _hold(lecture_id: int, user: User) -> Lecture:
    """The lecture, locked until the end of the transaction. Raises PermissionDenied and, once it is signed off, UserError."""
    lecture = Lecture.objects.select_for_update().get(pk=lecture_id)
    if not is_registrar(user):
        if not teaches(user, lecture):
            raise PermissionDenied
        if SignOff.objects.filter(lecture=lecture).exists():
            raise UserError("This lecture is signed off. Ask a registrar to change it.")
    return lecture


def _again(row: Row) -> Row:
    """The row as it is now, under the lecture's lock. Raises UserError where a new count has replaced it."""
    current = type(row)._default_manager.select_related("recording").filter(pk=row.pk).first()
    if current is None:
        raise UserError("The recording was counted again meanwhile. Look at the lecture's page again.")
    return current


def _log(
    lecture: Lecture,
    user: User,
    kind: str,
    *,
    record: AttendanceRecord | None = None,
    old: str = "",
    about: str = "",
    reason: str = "",
) -> None:
    AttendanceChange.objects.create(
        lecture=lecture,
        record=record,
        kind=kind,
        old=old,
        new=record.status if record else "",
        about=about[:300],
        reason=reason.strip()[:300],
        user=user,
        user_name=user.get_username(),
    )


@transaction.atomic
def overrides_set(
    *, lecture: Lecture, records: Collection[int], status: str, reason: str, user: User
) -> list[AttendanceRecord]:
    """A person decides on records of a lecture (by their ids): `status`, or "" to go back to what the machine says. Returns those that
    changed.

    Raises UserError for an unknown status, PermissionDenied where the user may not change the lecture.
    """
    decisions = dict(statuses.decisions())
    if status and status not in decisions:
        raise UserError(
            "“{status}” is no status that a person sets. Choose one of: {known}.",
            status=status,
            known=", ".join(decisions),
        )
    lecture = _hold(lecture.pk, user)
    changed = []
    rows = records_for(user).filter(lecture=lecture, pk__in=records).exclude(override_status=status)
    for record in rows.select_related("student").order_by("student__name", "pk"):
        old = record.status
        record.override_status = status
        record.save(update_fields=["override_status", "updated_at"])
        _log(lecture, user, Kind.STATUS, record=record, old=old, reason=reason)
        changed.append(record)
    return changed


def override_set(*, record: AttendanceRecord, status: str, reason: str, user: User) -> AttendanceRecord:
    """`overrides_set` of one record; returns it as it is then."""
    overrides_set(lecture=record.lecture, records=[record.pk], status=status, reason=reason, user=user)
    return AttendanceRecord.objects.select_related("student", "lecture").get(pk=record.pk)


# Whose face it is.


def _recount(lecture: Lecture, user: User, kind: str, student: Student | None, about: str, reason: str) -> None:
    """Count again after a decision on a face, and log what it did to the student's status."""
    before = lecture.records.filter(student=student).first() if student else None
    lecture_count(lecture=lecture)
    record = lecture.records.filter(student=student).first() if student else None
    _log(lecture, user, kind, record=record, old=before.status if before else "", about=about, reason=reason)


def _decide(
    recording: Recording, marks: list[object], verdict: str, student: Student | None, user: User
) -> FaceDecision:
    return FaceDecision.objects.create(
        recording=recording, verdict=verdict, student=student, marks=marks, user=user, user_name=user.get_username()
    )


def _about(row: UnknownPerson | Sighting) -> str:
    start = row.intervals[0][0] if row.intervals else 0
    return f"{row.recording.original_name}, {clock(start)}"


@transaction.atomic
def face_name(
    *, person: UnknownPerson, student: Student, user: User, reason: str = "", add_photos: bool = False
) -> int:
    """This is that student. `add_photos`: also take the pictures for the enrolment photos; returns how many were taken.

    Raises UserError where the student is not on the roster, PermissionDenied where the user may not change the lecture.
    """
    lecture = _hold(person.recording.lecture_id, user)
    if not lecture_roster(lecture).filter(pk=student.pk).exists():
        raise UserError(
            "{student} is not on the roster of this class on the lecture's day. Ask a registrar to enrol the student first.",
            student=student,
        )
    person = _again(person)
    if person.decision is not None:
        _undo(lecture, person, user)
    person.decision = _decide(person.recording, person.marks, Verdict.NAMED, student, user)
    person.save(update_fields=["decision"])
    _recount(lecture, user, Kind.NAMED, student, _about(person), reason)
    return pictures_learn(row=person, student=student, user=user) if add_photos else 0


@transaction.atomic
def face_deny(*, sighting: Sighting, user: User, reason: str = "") -> UnknownPerson:
    """Not this person: what the machine took for the student is somebody unknown, also for each next run."""
    recording = sighting.recording
    lecture = _hold(recording.lecture_id, user)
    sighting = _again(sighting)
    if not (sighting.present or sighting.to_confirm):
        raise UserError("The student was not seen in this recording: there is nothing to take away.")
    about = _about(sighting)
    _decide(recording, sighting.marks, Verdict.NOT, sighting.student, user)
    last = recording.unknown_people.aggregate(last=Max("index"))["last"]
    person = UnknownPerson.objects.create(
        recording=recording,
        index=0 if last is None else last + 1,
        intervals=sighting.intervals,
        seconds=sighting.seconds,
        crops=sighting.crops,
        marks=sighting.marks,
    )
    Sighting.objects.filter(pk=sighting.pk).update(
        present=False, to_confirm=False, intervals=[], seconds=0, share=0, confidence=0, crops=[], marks=[]
    )
    _recount(lecture, user, Kind.NOT, sighting.student, about, reason)
    return person


@transaction.atomic
def face_visitor(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Somebody who is welcome and on no roster."""
    lecture, person = _hold(person.recording.lecture_id, user), _again(person)
    if person.decision is not None:
        _undo(lecture, person, user)
    person.decision = _decide(person.recording, person.marks, Verdict.VISITOR, None, user)
    person.save(update_fields=["decision"])
    _recount(lecture, user, Kind.VISITOR, None, _about(person), reason)


@transaction.atomic
def face_delete(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Forget an unknown person with the pictures, also in each next run."""
    lecture, recording = _hold(person.recording.lecture_id, user), person.recording
    person = _again(person)
    if person.decision is not None:
        _undo(lecture, person, user)
    _decide(recording, person.marks, Verdict.DELETED, None, user)
    about = _about(person)
    person.delete()
    transaction.on_commit(partial(drop_old_crops, recording), robust=True)
    _recount(lecture, user, Kind.DELETED, None, about, reason)


@transaction.atomic
def face_undo(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Take back who somebody is: an unknown person again."""
    lecture, person = _hold(person.recording.lecture_id, user), _again(person)
    if person.decision is None:
        raise UserError("Nobody has said who this is. There is nothing to take back.")
    _undo(lecture, person, user, reason)


def _undo(lecture: Lecture, person: UnknownPerson, user: User, reason: str = "") -> None:
    decision = person.decision
    if decision is None:
        return
    person.decision = None
    person.save(update_fields=["decision"])
    student = decision.student
    decision.delete()
    _recount(lecture, user, Kind.UNDONE, student, _about(person), reason)


def pictures_learn(*, row: UnknownPerson | Sighting, student: Student, user: User) -> int:
    """Take the pictures of a face that a person confirmed for the student's enrolment photos; returns how many are new. Each gets a
    verdict like every other photo."""
    lecture = _hold(row.recording.lecture_id, user)
    taken = 0
    for crop in row.crops:
        path = Path(settings.MEDIA_ROOT, crop["file"])
        name = f"{lecture.course.code} {lecture.starts_at:%Y-%m-%d} {clock(crop['time']).replace(':', '-')}.jpg"
        try:
            photo_add(student=student, file=ContentFile(path.read_bytes(), name), name=name)
        except (UserError, FileNotFoundError):
            continue  # it is there already, or the recording was counted again meanwhile
        taken += 1
    return taken


# The sign-off.


@transaction.atomic
def sign_off(*, lecture: Lecture, user: User) -> SignOff:
    """Vouch for the result. Raises UserError where it is signed off already, or something is open yet."""
    lecture = _hold(lecture.pk, user)
    if SignOff.objects.filter(lecture=lecture).exists():
        raise UserError("This lecture is signed off already.")
    records = list(lecture.records.all())
    if not records:
        raise UserError("There is no attendance to sign off yet. Upload a recording first.")
    if lecture.recordings.filter(state__in=OPEN).exists():
        raise UserError("A recording is still in work. Wait until it is done, or cancel it, then sign off.")
    if lecture.recordings.filter(provisional=True).exists():
        raise UserError(
            "More footage of this lecture is awaited. Wait for it, or count with what is here, then sign off."
        )
    if to_confirm := sum(record.status == Status.TO_CONFIRM for record in records):
        raise UserError(
            Message.with_count(
                "{n} student is still to be confirmed. Decide on that one first.",
                "{n} students are still to be confirmed. Decide on them first.",
                n=to_confirm,
            )
        )
    signed = SignOff.objects.create(lecture=lecture, user=user, user_name=user.get_username())
    _log(lecture, user, Kind.SIGNED)
    tell_signed_off(lecture=lecture)
    # Whoever reads the folder finds what was signed.
    transaction.on_commit(partial(reports_follow, lecture=lecture), robust=True)
    return signed


@transaction.atomic
def footage_enough(*, lecture: Lecture, user: User) -> None:
    """Count for good with the footage that is here. Raises UserError where no more is awaited."""
    lecture = _hold(lecture.pk, user)
    if not lecture.recordings.filter(provisional=True).exists():
        raise UserError("No more footage of this lecture is awaited.")
    complete_lecture(lecture=lecture)


@transaction.atomic
def reopen(*, lecture: Lecture, user: User, reason: str = "") -> None:
    """Take the sign-off back, and count what recordings have shown since. Only a registrar may."""
    if not is_registrar(user):
        raise PermissionDenied
    lecture = _hold(lecture.pk, user)
    if not SignOff.objects.filter(lecture=lecture).delete()[0]:
        raise UserError("This lecture is not signed off. It can be changed as it is.")
    _log(lecture, user, Kind.REOPENED, reason=reason)
    if lecture.recordings.filter(sightings__isnull=False).exists():
        lecture_count(lecture=lecture)
