"""Notifications of a lecture's attendance: to lecturers and absentees by e-mail, to other systems by webhook. See
RegisterPolicy.
"""

from collections import Counter
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.academics.models import Course, Lecture
from campus.accounts.institution import institution_name
from campus.accounts.names import display_name
from campus.accounts.selectors import use_language_of
from campus.attendance.models import AttendanceRecord, UnknownPerson
from campus.attendance.policy import policy_for
from campus.attendance.register import RegisterRow, build_register
from campus.attendance.statuses import Status, meaning_of, status_definitions, status_label
from campus.outbox.services import queue_email, queue_event
from campus.recordings.models import Recording
from campus.recordings.review import review_messages


def notify_recording_counted(*, recording: Recording) -> None:
    """Notify that a lecture's attendance was counted from a recording.

    Counting it again notifies nobody a second time.
    """
    _notify_counted(recording.lecture, f"counted:{recording.pk}", recording.unknown_people.filter(is_static=False))


def notify_lecture_counted(*, lecture: Lecture) -> None:
    """Notify that a lecture's attendance was counted from all its cameras.

    Counting it again notifies nobody a second time.
    """
    unknown = UnknownPerson.objects.filter(recording__lecture=lecture, is_static=False, same_as=None)
    _notify_counted(lecture, f"counted:lecture-{lecture.pk}", unknown)


def lecturers_to_notify(course: Course) -> QuerySet[User]:
    """Who gets an e-mail when a lecture of the class was counted or has to be checked."""
    lecturers = course.lecturers.filter(is_active=True).exclude(email="")
    return lecturers if policy_for(course).mail_lecturers else lecturers.none()


def notify_review_needed(*, recording: Recording) -> None:
    """Notify that a recording was held back, and why. Holding it back again notifies nobody a second time."""
    lecture, key = recording.lecture, f"review:{recording.pk}"
    data = {"lecture": lecture.pk, "course": lecture.course.code, "recording": str(recording.pk)}
    queue_event(course=lecture.course, event="recording.needs_review", key=key, data=data)
    for user in lecturers_to_notify(lecture.course):
        with use_language_of(user):
            context = _email_context(lecture) | {
                "name": display_name(user),
                "recording": recording.original_name,
                "reasons": [str(message) for message in review_messages(recording)],
                "address": f"{settings.BASE_URL}/recordings/{recording.pk}/" if settings.BASE_URL else "",
            }
            subject = _("Please check a recording of %(lecture)s") % {"lecture": lecture}
            body = render_to_string("attendance/needs_review.txt", context)
        queue_email(to=user.email, event="recording.needs_review", key=key, subject=subject, body=body)


def _notify_counted(lecture: Lecture, key: str, unknown: QuerySet[UnknownPerson]) -> None:
    queue_event(course=lecture.course, event="attendance.counted", key=key, data=partial(_webhook_data, lecture))
    if not policy_for(lecture.course).mail_lecturers:
        return
    counts = Counter(record.status for record in lecture.records.all() if record.status)
    unknown_count = unknown.count()
    for user in lecture.course.lecturers.filter(is_active=True).exclude(email=""):
        with use_language_of(user):
            context = _email_context(lecture) | {
                "name": display_name(user),
                "counts": {status_label(code): n for code, n in counts.items()},
                "to_confirm": counts[Status.TO_CONFIRM],
                "unknown": unknown_count,
            }
            subject = _("Attendance of %(lecture)s") % {"lecture": lecture}
            body = render_to_string("attendance/counted.txt", context)
        queue_email(to=user.email, event="attendance.counted", key=key, subject=subject, body=body)


def notify_signed_off(*, lecture: Lecture) -> None:
    """Notify that a lecture was signed off. Each absentee gets one e-mail, even if the lecture is signed off again."""
    signed_at = timezone.now()
    queue_event(
        course=lecture.course,
        event="attendance.signed_off",
        key=f"signed:{lecture.pk}:{signed_at.isoformat()}",
        data=_webhook_data(lecture),
    )
    if not policy_for(lecture.course).mail_absentees:
        return
    absent = [
        record
        for record in lecture.records.select_related("student").exclude(student__email="")
        if meaning_of(record.status) == Status.ABSENT
    ]
    if absent:
        register = build_register(lecture.course)
        rows = {row.student.pk: row for row in register.rows}
        with use_language_of():
            shared = {**_email_context(lecture), "required": round(100 * register.required_share)}
            for record in absent:
                _mail_absentee(record, lecture, rows.get(record.student_id), shared)


def _mail_absentee(
    record: AttendanceRecord, lecture: Lecture, row: RegisterRow | None, shared: dict[str, object]
) -> None:
    student = record.student
    share = row.tally.share if row else None
    context = shared | {
        "name": student.name,
        "status": record.get_status_display(),
        "percent": None if share is None else round(100 * share),
        "is_below": bool(row and row.is_below),
        "contact": lecture.course.coordinator_email,
    }
    queue_email(
        to=student.email,
        event="attendance.absent",
        key=f"absent:{lecture.pk}:{student.pk}",
        subject=_("Absent: %(lecture)s") % {"lecture": lecture},
        body=render_to_string("attendance/absent.txt", context),
    )


def _email_context(lecture: Lecture) -> dict[str, object]:
    starts_at = timezone.localtime(lecture.starts_at)
    return {
        "lecture": lecture,
        "course": lecture.course,
        "when": date_format(starts_at, "DATETIME_FORMAT"),
        "institution": institution_name(),
        "address": f"{settings.BASE_URL}/lectures/{lecture.pk}/" if settings.BASE_URL else "",
    }


def _webhook_data(lecture: Lecture) -> dict[str, object]:
    """The payload has no names: a receiver that may know them asks the API."""
    counts = Counter(record.status for record in lecture.records.all())
    return {
        "lecture": lecture.pk,
        "course": lecture.course.code,
        "starts_at": lecture.starts_at.isoformat(),
        "counts": {code: counts[code] for code in status_definitions() if counts[code]},
    }
