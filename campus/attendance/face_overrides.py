"""What people say about a face: whose it is, that the machine was wrong, or that it is a visitor's.

Each function locks the lecture, counts it again and logs the change. It raises PermissionDenied where the user may not
change the lecture, and UserError where it is signed off or a new vote has replaced the row meanwhile.
"""

from typing import TypeVar

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from campus.academics.models import Lecture, Student
from campus.academics.selectors import lecture_roster
from campus.accounts.names import display_name
from campus.attendance.change_log import lock_lecture, log_change
from campus.attendance.face_positions import positions_in_files
from campus.attendance.models import AttendanceChange, FaceOverride, Sighting, UnknownPerson
from campus.attendance.proposals import delete_unused_crops, recount_lecture
from campus.common.errors import UserError
from campus.consent.selectors import students_with_basis
from campus.recordings.selectors import format_clock

Face = TypeVar("Face", UnknownPerson, Sighting)
Action = FaceOverride.Action
ChangeKind = AttendanceChange.ChangeKind


@transaction.atomic
def name_unknown_person(*, person: UnknownPerson, student: Student, user: User, reason: str = "") -> None:
    """Say which student an unknown person is. Raises UserError where the student is not on the roster, or has
    a face that may not be recognised.
    """
    lecture = lock_lecture(person.recording.lecture_id, user)
    if not lecture_roster(lecture).filter(pk=student.pk).exists():
        raise UserError(
            "{student} is not on the roster of this class on the lecture's day. Ask a registrar to enrol the student "
            "first.",
            student=student,
        )
    if not students_with_basis(Student.objects.filter(pk=student.pk), lecture.course).exists():
        raise UserError(
            "The face of {student} may not be recognised, so it can't be named. Mark the student in the roll instead.",
            student=student,
        )
    person = _reload(person)
    _say_who(lecture, person, Action.NAMED, student, user)
    _recount_and_log(lecture, user, ChangeKind.NAMED, student, _describe_face(person), reason)


@transaction.atomic
def reject_match(*, sighting: Sighting, user: User, reason: str = "") -> UnknownPerson:
    """Say that the machine was wrong: the face is not this student's. It becomes an unknown person, in later votes too.

    Raises UserError where the student was not seen in the recording.
    """
    recording = sighting.recording
    lecture = lock_lecture(recording.lecture_id, user)
    sighting = _reload(sighting)
    if not (sighting.present or sighting.to_confirm):
        raise UserError("The student was not seen in this recording, so there is no match to reject.")
    description = _describe_face(sighting)
    _create_override(sighting, Action.REJECTED, sighting.student, user)
    last_index = recording.unknown_people.aggregate(last=Max("index"))["last"]
    person = UnknownPerson.objects.create(
        recording=recording,
        index=0 if last_index is None else last_index + 1,
        intervals=sighting.intervals,
        seconds=sighting.seconds,
        crops=sighting.crops,
        face_positions=sighting.face_positions,
    )
    Sighting.objects.filter(pk=sighting.pk).update(
        present=False,
        to_confirm=False,
        runner_up=None,
        intervals=[],
        seconds=0,
        share=0,
        confidence=0,
        lead=None,
        crops=[],
        face_positions=[],
    )
    _recount_and_log(lecture, user, ChangeKind.REJECTED, sighting.student, description, reason)
    return person


@transaction.atomic
def name_runner_up(*, sighting: Sighting, user: User) -> Student:
    """Say that a face which is to be confirmed is that of the student whom it resembles next; returns that student.

    Raises UserError where there is no such student.
    """
    student = sighting.runner_up
    if student is None or not sighting.to_confirm:
        raise UserError("The result has changed in the meantime. Open the lecture's page again.")
    name_unknown_person(person=reject_match(sighting=sighting, user=user), student=student, user=user)
    return student


@transaction.atomic
def mark_as_visitor(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Say that an unknown person is a visitor, who is on no roster."""
    lecture = lock_lecture(person.recording.lecture_id, user)
    person = _reload(person)
    _say_who(lecture, person, Action.VISITOR, None, user)
    _recount_and_log(lecture, user, ChangeKind.VISITOR, None, _describe_face(person), reason)


@transaction.atomic
def delete_unknown_person(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Delete an unknown person with the crops; later votes leave the face out too."""
    lecture = lock_lecture(person.recording.lecture_id, user)
    person = _reload(person)
    description = _describe_face(person)
    faces = list(appearances(person))
    for face in faces:
        _remove_override(lecture, face, user)
        _create_override(face, Action.DELETED, None, user)
        face.delete()

    def delete_crops() -> None:
        for face in faces:
            delete_unused_crops(face.recording)

    transaction.on_commit(delete_crops, robust=True)
    _recount_and_log(lecture, user, ChangeKind.DELETED, None, description, reason)


@transaction.atomic
def clear_face_override(*, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Take back what was said about a face. Raises UserError where nothing was."""
    lecture = lock_lecture(person.recording.lecture_id, user)
    person = _reload(person)
    if person.override is None:
        raise UserError("Nobody has said who this is, so there is nothing to take back.")
    for face in appearances(person):
        _remove_override(lecture, face, user, reason)


def _reload(face: Face) -> Face:
    """The row as it is now that the lecture is locked. Raises UserError where a new vote has replaced it."""
    current = type(face)._default_manager.select_related("recording").filter(pk=face.pk).first()
    if current is None:
        raise UserError("The result has changed in the meantime. Open the lecture's page again.")
    return current


def appearances(person: UnknownPerson) -> list[UnknownPerson]:
    """The rows of the person in all files of the lecture that were voted on together, the first file's first."""
    first = person.same_as or person
    return [first, *first.appearances.select_related("recording", "override__student").order_by("pk")]


def _say_who(lecture: Lecture, person: UnknownPerson, action: Action, student: Student | None, user: User) -> None:
    for face in appearances(person):
        _remove_override(lecture, face, user)
        face.override = _create_override(face, action, student, user)
        face.save(update_fields=["override"])


def _create_override(
    face: UnknownPerson | Sighting, action: Action, student: Student | None, user: User
) -> FaceOverride:
    return FaceOverride.objects.create(
        recording=face.recording,
        action=action,
        student=student,
        face_positions=positions_in_files(face.recording, face.face_positions),
        user=user,
        user_name=display_name(user),
    )


def _remove_override(lecture: Lecture, person: UnknownPerson, user: User, reason: str = "") -> None:
    """Remove what was said about the person before, if anything."""
    override = person.override
    if override is None:
        return
    person.override = None
    person.save(update_fields=["override"])
    student = override.student
    override.delete()
    _recount_and_log(lecture, user, ChangeKind.CLEARED, student, _describe_face(person), reason)


def _recount_and_log(
    lecture: Lecture, user: User, kind: ChangeKind, student: Student | None, about: str, reason: str
) -> None:
    """Count the lecture again, and log what that did to the student's status."""
    before = lecture.records.filter(student=student).first() if student else None
    recount_lecture(lecture=lecture)
    record = lecture.records.filter(student=student).first() if student else None
    log_change(
        lecture, user, kind, record=record, old_status=before.status if before else "", about=about, reason=reason
    )


def _describe_face(face: UnknownPerson | Sighting) -> str:
    start = face.intervals[0][0] if face.intervals else 0
    return f"{face.recording.original_name}, {format_clock(start)}"
