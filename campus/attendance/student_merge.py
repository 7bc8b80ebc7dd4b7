"""Students who turn out to be one person, such as a guest or somebody with two numbers; and who turn out to be two."""

import logging

from django.contrib.auth.models import User
from django.db import transaction
from django.dispatch import Signal
from django.utils.translation import gettext as _

from campus.academics.models import Course, Lecture, Student
from campus.attendance.change_log import log_change
from campus.attendance.models import AttendanceChange, AttendanceRecord, Excuse, FaceOverride, Sighting, Status
from campus.attendance.overrides import set_override
from campus.attendance.proposals import recount_lecture
from campus.attendance.statuses import ATTENDED, EXCUSABLE
from campus.audit.models import Action
from campus.audit.services import record_events
from campus.biometrics.look_alikes import keep_apart, reopen_pair, students_in_doubt
from campus.biometrics.models import LookAlike
from campus.biometrics.services import delete_photo, move_photo
from campus.common.errors import UserError
from campus.outbox.models import MessageOptIn

log = logging.getLogger(__name__)

students_merging = Signal()  # `duplicate` goes up in `student`; whoever may not have that raises UserError
SEEN_FIELDS = ("machine_status", "first_seen", "last_seen", "seconds", "share", "confidence")  # of a record


def merge_guest(*, guest: Student, student: Student, user: User) -> None:
    """Merge a guest into the student who it turned out to be. Raises UserError where `guest` is no guest."""
    if not guest.guest or guest == student:
        raise UserError(
            "Only a guest can be merged, and only into somebody else. Choose the student who the guest turned out to "
            "be."
        )
    merge_students(duplicate=guest, student=student, user=user)


@transaction.atomic
def merge_students(*, duplicate: Student, student: Student, user: User) -> None:
    """Move the enrolments, photos and attendance of a duplicate to the student, and delete the duplicate.

    An override of the student counts more than one of the duplicate; the change log keeps both. Raises UserError where
    they are the same row.
    """
    if duplicate == student:
        raise UserError("Choose two different students.")
    students_merging.send(sender=Student, duplicate=duplicate, student=student)
    for name in ("email", "guardian_phone"):
        setattr(student, name, getattr(student, name) or getattr(duplicate, name))
    student.save(update_fields=["email", "guardian_phone"])
    _merge_enrolments(duplicate, student)
    if not student.consents.exists():
        duplicate.consents.update(student=student)
    duplicate.external_identities.update(student=student)
    for opt_in in duplicate.message_opt_ins.all():
        same = student.message_opt_ins.filter(withdrawn_at=None, recipient=opt_in.recipient, address=opt_in.address)
        if opt_in.withdrawn_at or not same.exists():
            MessageOptIn.objects.filter(pk=opt_in.pk).update(student=student)
    for photo in duplicate.photos.all():
        if student.photos.filter(sha256=photo.sha256).exists():
            delete_photo(photo=photo)
        else:
            move_photo(photo=photo, student=student)
    recounted = _merge_sightings(duplicate, student)
    counted = set(duplicate.records.values_list("lecture", flat=True))
    FaceOverride.objects.filter(student=duplicate).update(student=student)
    Excuse.objects.filter(student=duplicate).update(student=student)
    _merge_records(duplicate, student, user)
    for lecture in Lecture.objects.filter(pk__in=recounted):
        recount_lecture(lecture=lecture)
    for record in student.records.filter(lecture__in=recounted | counted).select_related("lecture"):
        log_change(record.lecture, user, AttendanceChange.ChangeKind.MERGED, record=record, about=str(duplicate))
    key = duplicate.pk
    duplicate.delete()
    log.info("student %s was merged into %s by user %s", key, student.pk, user.pk)


@transaction.atomic
def separate_students(*, pair: LookAlike, user: User) -> None:
    """They are two people, as twins are: they are not asked about again, and whoever was not seen may be absent."""
    keep_apart(pair=pair, user=user)
    record_events(user, Action.CHANGED_STUDENT, (pair.first_id, pair.second_id), about=f"look-alikes {pair.pk}: two")
    _recount_open_lectures({pair.first_id, pair.second_id}, Status.NOT_RECOGNISABLE, Status.TO_CONFIRM)


@transaction.atomic
def undo_separation(*, pair: LookAlike, user: User) -> None:
    """They may be one person after all: they are asked about again, and neither is absent until then."""
    reopen_pair(pair=pair)
    students = {pair.first_id, pair.second_id}
    record_events(user, Action.CHANGED_STUDENT, sorted(students), about=f"look-alikes {pair.pk}: undecided")
    _recount_open_lectures(students, Status.ABSENT, *ATTENDED)


def recount_students_in_doubt(*, course: Course) -> None:
    """A training found students who can't be told from one another: that one of them was absent can't be known."""
    _recount_open_lectures(set(students_in_doubt(course)), Status.ABSENT)


def _recount_open_lectures(students: set[int], *statuses: Status) -> None:
    """Recount the lectures that are not signed off and say one of these of one of the students."""
    records = AttendanceRecord.objects.filter(student__in=students, machine_status__in=statuses)
    for lecture in Lecture.objects.filter(pk__in=records.values("lecture"), sign_off=None):
        recount_lecture(lecture=lecture, students=students)


def _merge_enrolments(duplicate: Student, student: Student) -> None:
    for row in duplicate.enrolments.all():
        own = student.enrolments.filter(course=row.course_id).first()
        if own is None:
            row.student = student
            row.save()
            continue
        own.valid_from = min(own.valid_from, row.valid_from)
        own.valid_to = max(own.valid_to, row.valid_to) if own.valid_to and row.valid_to else None
        own.section = own.section or row.section
        own.save()


def _merge_sightings(duplicate: Student, student: Student) -> set[int]:
    """Returns the ids of the lectures on whose roster the duplicate was."""
    lectures = set()
    for sighting in Sighting.objects.filter(student=duplicate).select_related("recording"):
        lectures.add(sighting.recording.lecture_id)
        own = Sighting.objects.filter(recording=sighting.recording_id, student=student).first()
        if own and _evidence_rank(own) >= _evidence_rank(sighting):
            sighting.delete()
        else:
            if own:
                own.delete()
            Sighting.objects.filter(pk=sighting.pk).update(student=student)
    return lectures


def _evidence_rank(sighting: Sighting) -> tuple[bool, bool, float]:
    return sighting.present, sighting.to_confirm, sighting.seconds


def _merge_records(duplicate: Student, student: Student, user: User) -> None:
    for record in AttendanceRecord.objects.filter(student=duplicate).select_related("lecture"):
        own = AttendanceRecord.objects.filter(lecture=record.lecture_id, student=student).first()
        if own is None:
            AttendanceRecord.objects.filter(pk=record.pk).update(student=student)
            continue
        if record.override_status and not own.override_status:
            reason = _("was %(student)s") % {"student": duplicate}
            set_override(record=own, status=record.override_status, reason=reason, user=user)
        if own.machine_status in EXCUSABLE and record.machine_status not in EXCUSABLE:
            seen = {name: getattr(record, name) for name in SEEN_FIELDS}
            AttendanceRecord.objects.filter(pk=own.pk).update(**seen)
        # Log entries are append-only; this changes only which record they belong to.
        AttendanceChange._base_manager.filter(record=record).update(record=own)
        record.delete()
