"""A guest turns out to be a student: the two become one person."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from campus.academics.models import Lecture, Student
from campus.attendance.models import AttendanceChange, AttendanceRecord, Excuse, FaceOverride, Sighting
from campus.attendance.overrides import set_override
from campus.attendance.proposals import recount_lecture
from campus.biometrics.services import delete_photo, move_photo
from campus.common.errors import UserError


@transaction.atomic
def merge_guest(*, guest: Student, student: Student, user: User) -> None:
    """Move the guest's enrolments, photos and attendance to the student, and delete the guest.

    An override of the student counts more than one of the guest; the change log keeps both. Raises UserError where
    `guest` is no guest, or is the student.
    """
    if not guest.guest or guest == student:
        raise UserError(
            "Only a guest can be merged, and only into somebody else. Choose the student who the guest turned out to "
            "be."
        )
    _merge_enrolments(guest, student)
    for photo in guest.photos.all():
        if student.photos.filter(sha256=photo.sha256).exists():
            delete_photo(photo=photo)
        else:
            move_photo(photo=photo, student=student)
    lectures = _merge_sightings(guest, student)
    FaceOverride.objects.filter(student=guest).update(student=student)
    Excuse.objects.filter(student=guest).update(student=student)
    _merge_records(guest, student, user)
    for lecture in Lecture.objects.filter(pk__in=lectures):
        recount_lecture(lecture=lecture)
    guest.delete()


def _merge_enrolments(guest: Student, student: Student) -> None:
    for row in guest.enrolments.all():
        own = student.enrolments.filter(course=row.course_id).first()
        if own is None:
            row.student = student
            row.save()
            continue
        own.valid_from = min(own.valid_from, row.valid_from)
        own.valid_to = max(own.valid_to, row.valid_to) if own.valid_to and row.valid_to else None
        own.save()


def _merge_sightings(guest: Student, student: Student) -> set[int]:
    """Returns the ids of the lectures on whose roster the guest was."""
    lectures = set()
    for sighting in Sighting.objects.filter(student=guest).select_related("recording"):
        lectures.add(sighting.recording.lecture_id)
        own = Sighting.objects.filter(recording=sighting.recording_id, student=student)
        if own.filter(present=True).exists():
            sighting.delete()
        else:
            own.delete()
            Sighting.objects.filter(pk=sighting.pk).update(student=student)
    return lectures


def _merge_records(guest: Student, student: Student, user: User) -> None:
    for record in AttendanceRecord.objects.filter(student=guest).select_related("lecture"):
        own = AttendanceRecord.objects.filter(lecture=record.lecture_id, student=student).first()
        if own is None:
            AttendanceRecord.objects.filter(pk=record.pk).update(student=student)
            continue
        if record.override_status and not own.override_status:
            reason = _("was the guest %(guest)s") % {"guest": guest}
            set_override(record=own, status=record.override_status, reason=reason, user=user)
        # Log entries are append-only; this changes only which record they belong to.
        AttendanceChange._base_manager.filter(record=record).update(record=own)
        record.delete()
