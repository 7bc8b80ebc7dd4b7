"""Finds classes, students, lectures and rooms by what people type, in any capitals, with or without accents."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from django.db.models import Case, Q, QuerySet, When
from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _

from campus.academics.models import Course, Lecture, Room, Student
from campus.academics.selectors import CURRENT, courses_for, lectures_for, rooms_for, students_for
from campus.accounts.roles import AnyUser
from campus.common.days import FIRST_DAY, LAST_DAY
from campus.common.keys import match_key, sort_key

MAX_CHARACTERS = 100
MAX_WORDS = 6
# 2026-11-16; 16.11.2026, 16.11., 16/11; 16 November 2026, 16. Nov
_DATES = [
    re.compile(rf"(?<!\S){pattern}(?!\S)")
    for pattern in (
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})[./](?P<month>\d{1,2})(?:[./](?P<year>\d{4})?)?",
        r"(?P<day>\d{1,2})\.? (?P<month>[^\W\d_]{3,})\.?(?: (?P<year>\d{4}))?",
    )
]


def matching_courses(text: str) -> Q:
    """Classes with each word in their code or name."""
    return _every_word(_words(text), "search_key__contains")


def matching_students(text: str) -> Q:
    """Students with each word in their name or number."""
    return _every_word(_words(text), "sort_key__contains", "number_key__icontains")


def find_courses(user: AnyUser, text: str) -> QuerySet[Course]:
    """The classes that a user may see and that match, archived ones last; none if there is no word."""
    if not _words(text):
        return Course.objects.none()
    found = courses_for(user).filter(matching_courses(text)).select_related("term")
    archived_last = Case(When(CURRENT, then=0), default=1)
    return found.order_by(archived_last, _rank(text, "code_key", "search_key"), "code", "pk")


def find_students(user: AnyUser, text: str) -> QuerySet[Student]:
    """The students that a user may see and that match; none if there is no word."""
    if not _words(text):
        return Student.objects.none()
    found = students_for(user).filter(matching_students(text))
    return found.order_by(_rank(text, "number_key", "number_key", "sort_key"), "sort_key", "number_key")


def find_rooms(user: AnyUser, text: str) -> QuerySet[Room]:
    """The rooms with each word in their name or building; none if there is no word."""
    if not _words(text):
        return Room.objects.none()
    found = rooms_for(user).filter(_every_word(_words(text), "search_key__contains"))
    return found.order_by(_rank(text, "key", "search_key"), "key")


def find_lectures(user: AnyUser, text: str) -> QuerySet[Lecture]:
    """The lectures that a user may see and that match by class, title, room and day; none if there is no word.

    Today's come first, then those that are coming, then the others, the latest first.
    """
    if not _words(text):
        return Lecture.objects.none()
    matches = _matching_lectures(_words(text))
    days, rest = split_off_days(text)
    if days:
        matches |= _on_days(days) & _matching_lectures(_words(rest))
    is_over = Q(starts_at__lt=_midnight(timezone.localdate()))
    soonest_first = Case(When(~is_over, then="starts_at"))
    return (
        lectures_for(user)
        .filter(matches)
        .order_by(Case(When(is_over, then=1), default=0), soonest_first, "-starts_at", "pk")
    )


def split_off_days(text: str) -> tuple[list[date], str]:
    """The days that a text names, and the text without them. A day without a year is one of last, this or next year."""
    key = match_key(text[:MAX_CHARACTERS])
    today = timezone.localdate()
    for name, day in ((_("today"), today), (_("tomorrow"), today + timedelta(days=1))):
        words = key.split()
        if match_key(name) in words:
            words.remove(match_key(name))
            return [day], " ".join(words)
    for pattern in _DATES:
        if (found := pattern.search(key)) and (month := _month(found["month"])):
            years = [int(found["year"])] if found["year"] else [today.year - 1, today.year, today.year + 1]
            days = [date_ for year in years if (date_ := _date(year, month, int(found["day"])))]
            return days, key[: found.start()] + key[found.end() :]
    return [], key


def _words(text: str) -> list[str]:
    words = match_key(text[:MAX_CHARACTERS]).split()[:MAX_WORDS]
    return [word for word in words if sort_key(word)]  # not one of accents alone


def _every_word(words: Iterable[str], *lookups: str) -> Q:
    matches = Q()
    for word in words:
        matches &= Q(**dict.fromkeys(lookups, word), _connector=Q.OR)
    return matches


def _matching_lectures(words: Iterable[str]) -> Q:
    matches = Q()
    for word in words:
        courses, rooms = (model.objects.filter(search_key__contains=word).values("pk") for model in (Course, Room))
        matches &= Q(search_key__contains=word) | Q(course__in=courses) | Q(room__in=rooms)
    return matches


def _rank(text: str, exact: str, *starts: str) -> Case:
    """Sorts what is called exactly like the text before what begins like it, and this before the rest."""
    text = text[:MAX_CHARACTERS]
    begins = Q(**{f"{start}__startswith": text for start in starts}, _connector=Q.OR)
    return Case(When(**{exact: text}, then=0), When(begins, then=1), default=2)


def _month(text: str) -> int | None:
    if text.isdecimal():
        return int(text)
    return next((n for n, name in MONTHS.items() if sort_key(str(name)).startswith(sort_key(text))), None)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        found = date(year, month, day)
    except ValueError:
        return None
    return found if FIRST_DAY <= found <= LAST_DAY else None


def _on_days(days: Sequence[date]) -> Q:
    matches = Q()
    for day in days:
        matches |= Q(starts_at__gte=_midnight(day), starts_at__lt=_midnight(day + timedelta(days=1)))
    return matches


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))
