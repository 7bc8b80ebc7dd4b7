"""Who is told of a lecture's attendance: lecturers and absentees by e-mail, other systems by webhooks. See RegisterPolicy."""

from collections import Counter

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.accounts.selectors import use_language_of
from campus.attendance.models import AttendanceRecord, UnknownPerson
from campus.attendance.policy import policy_for
from campus.attendance.register import RegisterRow, build_register
from campus.attendance.statuses import Status, meaning_of, status_definitions, status_label
from campus.outbox.services import queue_email, queue_event
from campus.recordings.models import Recording


def notify_recording_counted(*, recording: Recording) -> None:
    """The attendance of a lecture was counted from a recording. Counting the same recording again tells nobody a second time."""
    _notify_counted(
        recording.lecture, f"counted:{recording.pk}", recording.unknown_people.filter(is_static=False).count()
    )


def notify_lecture_counted(*, lecture: Lecture) -> None:
    """The attendance of a lecture was counted from all that its cameras showed. Nobody is told a second time."""
    unknown = UnknownPerson.objects.filter(recording__lecture=lecture, is_static=False)
    _notify_counted(lecture, f"counted:lecture-{lecture.pk}", unknown.count())


def _notify_counted(lecture: Lecture, key: str, unknown: int) -> None:
    queue_event(course=lecture.course, event="attendance.counted", key=key, data=_webhook_data(lecture))
    if not policy_for(lecture.course).mail_lecturers:
        return
    counts = Counter(record.status for record in lecture.records.all())
    for user in lecture.course.lecturers.filter(is_active=True).exclude(email=""):
        with use_language_of(user):
            context = _context(lecture) | {
                "name": user.get_full_name() or user.get_username(),
                "counts": {status_label(code): n for code, n in counts.items()},
                "to_confirm": counts[Status.TO_CONFIRM],
                "unknown": unknown,
            }
            subject = _("Attendance of %(lecture)s") % {"lecture": lecture}
            body = render_to_string("attendance/counted.txt", context)
        queue_email(to=user.email, event="attendance.counted", key=key, subject=subject, body=body)


def notify_signed_off(*, lecture: Lecture) -> None:
    """Somebody vouched for the result. Each absentee is told once, also when the lecture is signed off again."""
    signed = timezone.now()
    queue_event(
        course=lecture.course,
        event="attendance.signed_off",
        key=f"signed:{lecture.pk}:{signed.isoformat()}",
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
        term = build_register(lecture.course)
        lines = {line.student.pk: line for line in term.lines}
        with use_language_of():
            for record in absent:
                _notify_absentee(record, lecture, lines.get(record.student_id), round(100 * term.least))


def _notify_absentee(record: AttendanceRecord, lecture: Lecture, line: RegisterRow | None, least: int) -> None:
    student = record.student
    share = line.tally.share if line else None
    context = _context(lecture) | {
        "name": student.name,
        "status": record.get_status_display(),
        "percent": None if share is None else round(100 * share),
        "below": bool(line and line.below),
        "least": least,
        "contact": lecture.course.coordinator_email,
    }
    queue_email(
        to=student.email,
        event="attendance.absent",
        key=f"absent:{lecture.pk}:{student.pk}",
        subject=_("Absent: %(lecture)s") % {"lecture": lecture},
        body=render_to_string("attendance/absent.txt", context),
    )


def _context(lecture: Lecture) -> dict[str, object]:
    starts = timezone.localtime(lecture.starts_at)
    return {
        "lecture": lecture,
        "course": lecture.course,
        "when": f"{date_format(starts, 'DATE_FORMAT')}, {starts:%H:%M}",
        "institution": settings.INSTITUTION,
        "address": f"{settings.ADDRESS}/lectures/{lecture.pk}/" if settings.ADDRESS else "",
    }


def _webhook_data(lecture: Lecture) -> dict[str, object]:
    """No names: a receiver that may know them asks the API."""
    known = status_definitions()
    counts = Counter(record.status for record in lecture.records.all())
    return {
        "lecture": lecture.pk,
        "course": lecture.course.code,
        "starts_at": lecture.starts_at.isoformat(),
        "counts": {code: counts[code] for code in known if counts[code]},
    }
