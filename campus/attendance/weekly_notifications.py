"""What is sent when a week is over: the registers to the registrars, and a warning where attendance fell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.academics.models import Course, Student
from campus.accounts.institution import institution_name
from campus.accounts.names import display_name
from campus.accounts.selectors import registrars_with_email, use_language_of
from campus.attendance.models import RegisterPolicy
from campus.attendance.policy import split_addresses
from campus.attendance.register import Register, RegisterRow, build_register, in_days
from campus.attendance.reports import write_register_report
from campus.attendance.selectors import held_lectures
from campus.common.days import Week
from campus.outbox.models import Delivery
from campus.outbox.services import queue_email, queue_event

MIN_COUNTED_LECTURES = 3  # before anybody can fall below: after one lecture a share is 0 or 1
CONSECUTIVE_ABSENCES = 3
MIN_CLASS_DROP_PERCENT = 15  # of the points, compared with the weeks before


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendanceWarning:
    """What fell in a class in one week, all shares in percent.

    `newly_below` has each student who fell below the required attendance, with the share; `newly_absent` those who have
    now missed the last lectures in a row; `share` is the class's in this week, `previous_share` that of the weeks
    before.
    """

    register: Register
    newly_below: tuple[tuple[Student, int], ...]
    newly_absent: tuple[Student, ...]
    share: int | None
    previous_share: int | None

    @property
    def class_dropped(self) -> bool:
        if self.share is None or self.previous_share is None:
            return False
        return self.previous_share - self.share >= MIN_CLASS_DROP_PERCENT

    def __bool__(self) -> bool:
        return bool(self.newly_below or self.newly_absent or self.class_dropped)


def notify_week() -> None:
    """Send last week's registers and warnings to those who asked for them.

    Repeating it in the same week sends nothing twice.
    """
    week = Week.current().previous
    held = held_lectures().filter(in_days(week.monday, week.sunday))
    policies = (
        RegisterPolicy.objects.filter(course__lectures__in=held)
        .select_related("course")
        .order_by("course__code")
        .distinct()
    )
    _mail_weekly_registers(week, [policy.course for policy in policies if policy.mail_weekly_register])
    for policy in policies:
        if policy.warning_addresses and not _is_sent(f"falling:{policy.course.pk}:{week.monday}"):
            _send_warning(week, policy)


def _is_sent(key: str) -> bool:
    return Delivery.objects.filter(topic=key).exists()


def _mail_weekly_registers(week: Week, courses: Sequence[Course]) -> None:
    key = f"week:{week.monday}"
    if not courses or _is_sent(key):
        return
    lines = []
    for course in courses:
        whole_term = build_register(course, until=week.sunday)
        this_week = build_register(course, since=week.monday, until=week.sunday)
        write_register_report(course=course)
        lines.append(
            {
                "course": course,
                "lectures": len(this_week.lectures),
                "share": _share_percent(this_week),
                "term_share": _share_percent(whole_term),
                "below_count": whole_term.below_count,
                "address": _register_url(course),
            }
        )
    for user in registrars_with_email():
        with use_language_of(user):
            context = {
                "name": display_name(user),
                "lines": lines,
                **_week_context(week),
            }
            subject = _("Attendance from %(first)s to %(last)s") % context
            body = render_to_string("attendance/weekly_register.txt", context)
        queue_email(to=user.email, event="register.week", key=key, subject=subject, body=body)


def _send_warning(week: Week, policy: RegisterPolicy) -> None:
    warning = find_attendance_warning(policy.course, week)
    if not warning:
        return
    key = f"falling:{policy.course.pk}:{week.monday}"
    data = {
        "course": policy.course.code,
        "week": week.monday.isoformat(),
        "below": [student.pk for student, _share in warning.newly_below],
        "away": [student.pk for student in warning.newly_absent],
        "share": warning.share,
        "before": warning.previous_share,
    }
    queue_event(course=policy.course, event="attendance.falling", key=key, data=data)
    with use_language_of():
        context = {
            "course": policy.course,
            "warning": warning,
            "required": round(100 * warning.register.required_share),
            "address": _register_url(policy.course),
            **_week_context(week),
        }
        subject = _("Falling attendance in %(course)s") % {"course": policy.course}
        body = render_to_string("attendance/falling_attendance.txt", context)
    for address in split_addresses(policy.warning_addresses):
        queue_email(to=address, event="attendance.falling", key=key, subject=subject, body=body)


def find_attendance_warning(course: Course, week: Week) -> AttendanceWarning:
    """Compare the class's register with that of the week before. The result is false where nothing fell."""
    now = build_register(course, until=week.sunday)
    before = build_register(course, until=week.monday - timedelta(days=1))
    this_week = build_register(course, since=week.monday, until=week.sunday)
    below_before = {row.student.pk for row in _rows_below(before)}
    absent_before = _repeatedly_absent(before)
    return AttendanceWarning(
        register=now,
        newly_below=tuple(
            (row.student, round(100 * (row.tally.share or 0)))
            for row in _rows_below(now)
            if row.student.pk not in below_before
        ),
        newly_absent=tuple(student for pk, student in _repeatedly_absent(now).items() if pk not in absent_before),
        share=_share_percent(this_week),
        previous_share=_share_percent(before),
    )


def _rows_below(register: Register) -> list[RegisterRow]:
    return [row for row in register.rows if row.is_below and row.tally.counted_lectures >= MIN_COUNTED_LECTURES]


def _repeatedly_absent(register: Register) -> dict[int, Student]:
    """The students, by id, who attended none of the last lectures that count."""
    students = {}
    for row in register.rows:
        counted = [status for status in row.statuses if status is not None and status.is_counted]
        last = counted[-CONSECUTIVE_ABSENCES:]
        if len(last) == CONSECUTIVE_ABSENCES and not any(status.is_attended for status in last):
            students[row.student.pk] = row.student
    return students


def _share_percent(register: Register) -> int | None:
    share = register.total.share
    return None if share is None else round(100 * share)


def _week_context(week: Week) -> dict[str, str]:
    return {
        "first": date_format(week.monday, "DATE_FORMAT"),
        "last": date_format(week.sunday, "DATE_FORMAT"),
        "institution": institution_name(),
    }


def _register_url(course: Course) -> str:
    return f"{settings.BASE_URL}/classes/{course.pk}/register/" if settings.BASE_URL else ""
