"""What goes out when a week is over: the registers to the registrars, and a warning where attendance falls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.academics.models import Course, Lecture, Student
from campus.accounts.selectors import registrars_with_email, use_language_of
from campus.attendance.models import RegisterPolicy
from campus.attendance.policy import split_addresses
from campus.attendance.register import Register, build_register, in_days
from campus.attendance.reports import write_register_report
from campus.outbox.models import Delivery
from campus.outbox.services import queue_email, queue_event

MIN_COUNTED_LECTURES = 3  # lectures, before somebody can fall: after one the share is 0 or 1
CONSECUTIVE_ABSENCES = 3  # lectures missed
MIN_CLASS_DROP = 0.15  # of the points, that a class has less than in the weeks before


@dataclass(frozen=True, slots=True)
class Week:
    """From Monday to Sunday, in the institution's time zone."""

    monday: date

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)

    @classmethod
    def last(cls) -> "Week":
        """The one that is over."""
        today = timezone.localdate()
        return cls(today - timedelta(days=today.weekday() + 7))


@dataclass(frozen=True, slots=True)
class AttendanceWarning:
    """What fell in a class: its students' shares below what is asked for, those who stay away, and its own share."""

    register: Register
    below: tuple[tuple[Student, int], ...]
    away: tuple[Student, ...]
    share: int | None
    before: int | None

    @property
    def dropped(self) -> bool:
        return self.share is not None and self.before is not None and self.before - self.share >= 100 * MIN_CLASS_DROP

    def __bool__(self) -> bool:
        return bool(self.below or self.away or self.dropped)


def notify_week() -> None:
    """Tell those who want to know of the week that is over. Repeating it in the same week tells nobody twice."""
    week = Week.last()
    held = Lecture.objects.filter(in_days(week.monday, week.sunday), cancelled=False, records__isnull=False)
    policies = (
        RegisterPolicy.objects.filter(course__lectures__in=held)
        .select_related("course")
        .order_by("course__code")
        .distinct()
    )
    _mail_weekly_registers(week, [policy.course for policy in policies if policy.mail_weekly])
    for policy in policies:
        if policy.warn and not _is_sent(f"falling:{policy.course.pk}:{week.monday}"):
            _send_warning(week, policy)


def _is_sent(key: str) -> bool:
    return Delivery.objects.filter(key__startswith=f"{key}:").exists()


def _mail_weekly_registers(week: Week, courses: Sequence[Course]) -> None:
    key = f"week:{week.monday}"
    if not courses or _is_sent(key):
        return
    lines = []
    for course in courses:
        term, own = (
            build_register(course, until=week.sunday),
            build_register(course, since=week.monday, until=week.sunday),
        )
        write_register_report(course=course)
        lines.append(
            {
                "course": course,
                "lectures": len(own.lectures),
                "share": _share_percent(own),
                "term": _share_percent(term),
                "below": term.below,
            }
        )
    for user in registrars_with_email():
        with use_language_of(user):
            context = {
                "name": user.get_full_name() or user.get_username(),
                "lines": [line | {"address": _address(f"/classes/{line['course'].pk}/register/")} for line in lines],  # type: ignore[attr-defined]
                **_days(week),
            }
            subject = _("Attendance from %(first)s to %(last)s") % _days(week)
            body = render_to_string("attendance/week.txt", context)
        queue_email(to=user.email, event="register.week", key=key, subject=subject, body=body)


def _send_warning(week: Week, policy: RegisterPolicy) -> None:
    fall = attendance_warning(policy.course, week)
    if not fall:
        return
    key = f"falling:{policy.course.pk}:{week.monday}"
    data = {
        "course": policy.course.code,
        "week": week.monday.isoformat(),
        "below": [student.pk for student, _share in fall.below],
        "away": [student.pk for student in fall.away],
        "share": fall.share,
        "before": fall.before,
    }
    queue_event(course=policy.course, event="attendance.falling", key=key, data=data)
    with use_language_of():
        context = {
            "course": policy.course,
            "fall": fall,
            "least": round(100 * fall.register.least),
            "address": _address(f"/classes/{policy.course.pk}/register/"),
            **_days(week),
        }
        subject = _("Falling attendance in %(course)s") % {"course": policy.course}
        body = render_to_string("attendance/falling.txt", context)
    for address in split_addresses(policy.warn):
        queue_email(to=address, event="attendance.falling", key=key, subject=subject, body=body)


def attendance_warning(course: Course, week: Week) -> AttendanceWarning:
    """Who fell below what is asked for in that week, and who has missed the last lectures in a row, the last of them in it."""
    now, before = (
        build_register(course, until=week.sunday),
        build_register(course, until=week.monday - timedelta(days=1)),
    )
    low = {line.student.pk for line in before.lines if line.below and line.tally.counted >= MIN_COUNTED_LECTURES}
    fell = [
        line
        for line in now.lines
        if line.below and line.tally.counted >= MIN_COUNTED_LECTURES and line.student.pk not in low
    ]
    absent = _repeatedly_absent(now)
    own = build_register(course, since=week.monday, until=week.sunday)
    return AttendanceWarning(
        register=now,
        below=tuple((line.student, round(100 * (line.tally.share or 0))) for line in fell),
        away=tuple(student for pk, student in absent.items() if pk not in _repeatedly_absent(before)),
        share=_share_percent(own),
        before=_share_percent(before),
    )


def _repeatedly_absent(term: Register) -> dict[int, Student]:
    """Who has attended none of the last lectures that count."""
    found = {}
    for line in term.lines:
        last = [kind for kind in line.kinds if kind is not None and kind.counts][-CONSECUTIVE_ABSENCES:]
        if len(last) == CONSECUTIVE_ABSENCES and not any(kind.attended for kind in last):
            found[line.student.pk] = line.student
    return found


def _share_percent(term: Register) -> int | None:
    share = term.total.share
    return None if share is None else round(100 * share)


def _days(week: Week) -> dict[str, str]:
    return {
        "first": date_format(week.monday, "DATE_FORMAT"),
        "last": date_format(week.sunday, "DATE_FORMAT"),
        "institution": settings.INSTITUTION,
    }


def _address(path: str) -> str:
    return f"{settings.ADDRESS}{path}" if settings.ADDRESS else ""
