"""What the settings of a class mean, said with an example."""

from datetime import timedelta
from math import ceil

from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Course, Lecture
from campus.attendance.status_rules import limit_scale, min_present_seconds
from campus.biometrics.selectors import active_gallery
from campus.web.training_report import error_rates

EXAMPLE_START, EXAMPLE_MINUTES = (10, 15), 90  # of a lecture, for a class without one
EXAMPLE_LECTURES = 20  # in a term, for a class without lectures


def rule_examples(course: Course, required_percent: int) -> dict[str, str]:
    """A sentence for each rule, by the name of its field in the settings. The class may be changed and not saved."""
    lectures = course.lectures.filter(cancelled=False)
    lecture = lectures.order_by("-starts_at").first() or _example_lecture()
    return {
        "present": _present_example(course, lecture),
        "late_minutes": _late_example(course, lecture),
        "early_minutes": _early_example(course, lecture),
        "required_percent": _required_example(required_percent, lectures.count() or EXAMPLE_LECTURES),
        "strictness": _strictness_example(course),
    }


def _example_lecture() -> Lecture:
    hour, minute = EXAMPLE_START
    start = timezone.localtime().replace(hour=hour, minute=minute, second=0)
    return Lecture(starts_at=start, ends_at=start + timedelta(minutes=EXAMPLE_MINUTES))


def _present_example(course: Course, lecture: Lecture) -> str:
    seconds = min_present_seconds(course, lecture.length)
    if not seconds:
        return _("With these settings, whoever is seen at all is present.")
    return _("With these settings, whoever is seen for less than %(time)s between %(start)s and %(end)s is absent.") % {
        "time": _describe_length(seconds),
        "start": _clock(lecture, 0),
        "end": _clock(lecture, lecture.length),
    }


def _late_example(course: Course, lecture: Lecture) -> str:
    limit = course.late_minutes * 60 * limit_scale(lecture.length)
    if limit >= lecture.length:
        return _("With these settings, nobody is late.")
    return _("With these settings, whoever is first seen after %(time)s is late.") % {"time": _clock(lecture, limit)}


def _early_example(course: Course, lecture: Lecture) -> str:
    limit = lecture.length - course.early_minutes * 60 * limit_scale(lecture.length)
    if limit <= 0:
        return _("With these settings, nobody leaves early.")
    return _("With these settings, whoever is last seen before %(time)s left early.") % {"time": _clock(lecture, limit)}


def _required_example(percent: int, lectures: int) -> str:
    if not percent:
        return _("With these settings, nobody is marked.")
    return ngettext(
        "With these settings, whoever is present in fewer than %(least)d of %(n)d lecture is marked in the register.",
        "With these settings, whoever is present in fewer than %(least)d of %(n)d lectures is marked in the register.",
        lectures,
    ) % {"least": ceil(lectures * percent / 100), "n": lectures}


def _strictness_example(course: Course) -> str:
    rates = error_rates(active_gallery(course))
    chosen = next((rate for rate in rates if rate.strictness == course.strictness), None)
    if chosen is None:
        return _("The next training of the class measures what this means for it.")
    return _("With these settings and the current photos: %(strangers)s; %(missed)s.") % {
        "strangers": chosen.strangers,
        "missed": chosen.missed,
    }


def _clock(lecture: Lecture, seconds: float) -> str:
    moment = timezone.localtime(lecture.starts_at) + timedelta(seconds=seconds)
    return time_format(moment, "H:i" if moment.second == 0 else "H:i:s")


def _describe_length(seconds: float) -> str:
    if seconds < 60:
        return ngettext("%(n)s second", "%(n)s seconds", ceil(seconds)) % {"n": ceil(seconds)}
    minutes = round(seconds / 60, 1)
    return ngettext("%(n)s minute", "%(n)s minutes", ceil(minutes)) % {"n": f"{minutes:g}"}
