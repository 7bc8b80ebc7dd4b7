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
from campus.accounts.selectors import in_language_of, registrars
from campus.attendance.models import RegisterPolicy
from campus.attendance.policy import addresses
from campus.attendance.register import Register, between, register
from campus.attendance.services import register_write
from campus.outbox.models import Delivery
from campus.outbox.services import mail, publish_event

LEAST_COUNTED = 3  # lectures, before somebody can fall: after one the share is 0 or 1
IN_A_ROW = 3  # lectures missed
DROP = 0.15  # of the points, that a class has less than in the weeks before


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
class Fall:
    """What fell in a class: its students' shares below what is asked for, those who stay away, and its own share."""

    register: Register
    below: tuple[tuple[Student, int], ...]
    away: tuple[Student, ...]
    share: int | None
    before: int | None

    @property
    def dropped(self) -> bool:
        return self.share is not None and self.before is not None and self.before - self.share >= 100 * DROP

    def __bool__(self) -> bool:
        return bool(self.below or self.away or self.dropped)


def tell_week() -> None:
    """Tell those who want to know of the week that is over. Repeating it in the same week tells nobody twice."""
    week = Week.last()
    held = Lecture.objects.filter(between(week.monday, week.sunday), cancelled=False, records__isnull=False)
    policies = (
        RegisterPolicy.objects.filter(course__lectures__in=held)
        .select_related("course")
        .order_by("course__code")
        .distinct()
    )
    _tell_registrars(week, [policy.course for policy in policies if policy.mail_weekly])
    for policy in policies:
        if policy.warn and not _told(f"falling:{policy.course.pk}:{week.monday}"):
            _warn(week, policy)


def _told(key: str) -> bool:
    return Delivery.objects.filter(key__startswith=f"{key}:").exists()


def _tell_registrars(week: Week, courses: Sequence[Course]) -> None:
    key = f"week:{week.monday}"
    if not courses or _told(key):
        return
    lines = []
    for course in courses:
        term, own = register(course, until=week.sunday), register(course, since=week.monday, until=week.sunday)
        register_write(course=course)
        lines.append(
            {
                "course": course,
                "lectures": len(own.lectures),
                "share": percent(own),
                "term": percent(term),
                "below": term.below,
            }
        )
    for user in registrars():
        with in_language_of(user):
            context = {
                "name": user.get_full_name() or user.get_username(),
                "lines": [line | {"address": _address(f"/classes/{line['course'].pk}/register/")} for line in lines],  # type: ignore[attr-defined]
                **_days(week),
            }
            subject = _("Attendance from %(first)s to %(last)s") % _days(week)
            body = render_to_string("attendance/week.txt", context)
        mail(to=user.email, event="register.week", key=key, subject=subject, body=body)


def _warn(week: Week, policy: RegisterPolicy) -> None:
    fall = falling(policy.course, week)
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
    publish_event(course=policy.course, event="attendance.falling", key=key, data=data)
    with in_language_of():
        context = {
            "course": policy.course,
            "fall": fall,
            "least": round(100 * fall.register.least),
            "address": _address(f"/classes/{policy.course.pk}/register/"),
            **_days(week),
        }
        subject = _("Falling attendance in %(course)s") % {"course": policy.course}
        body = render_to_string("attendance/falling.txt", context)
    for address in addresses(policy.warn):
        mail(to=address, event="attendance.falling", key=key, subject=subject, body=body)


def falling(course: Course, week: Week) -> Fall:
    """Who fell below what is asked for in that week, and who has missed the last lectures in a row, the last of them in it."""
    now, before = register(course, until=week.sunday), register(course, until=week.monday - timedelta(days=1))
    low = {line.student.pk for line in before.lines if line.below and line.tally.counted >= LEAST_COUNTED}
    fell = [
        line for line in now.lines if line.below and line.tally.counted >= LEAST_COUNTED and line.student.pk not in low
    ]
    absent = _away(now)
    own = register(course, since=week.monday, until=week.sunday)
    return Fall(
        register=now,
        below=tuple((line.student, round(100 * (line.tally.share or 0))) for line in fell),
        away=tuple(student for pk, student in absent.items() if pk not in _away(before)),
        share=percent(own),
        before=percent(before),
    )


def _away(term: Register) -> dict[int, Student]:
    """Who has attended none of the last lectures that count."""
    found = {}
    for line in term.lines:
        last = [kind for kind in line.kinds if kind is not None and kind.counts][-IN_A_ROW:]
        if len(last) == IN_A_ROW and not any(kind.attended for kind in last):
            found[line.student.pk] = line.student
    return found


def percent(term: Register) -> int | None:
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
