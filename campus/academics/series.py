"""Plan and apply the lectures of a series: first a preview, then the lectures.

A lecture keeps its day in the series when it is moved. Lectures that have begun, were changed or cancelled by hand, or
have a recording or attendance are left as they are.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.academics.models import Holiday, Lecture, LectureSeries
from campus.common.errors import UserError


class DayChange(models.TextChoices):
    NEW = "new", gettext_lazy("new")
    CHANGED = "changed", gettext_lazy("changed")
    REMOVED = "removed", gettext_lazy("removed")
    KEPT = "kept", gettext_lazy("left as it is")
    SAME = "same", gettext_lazy("unchanged")
    HOLIDAY = "holiday", gettext_lazy("holiday")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDay:
    """What happens on one day of a series; `remark` is shown to the user."""

    kind: DayChange
    day: date
    starts_at: datetime
    ends_at: datetime
    lecture: Lecture | None = None
    remark: str = ""


WRITTEN_CHANGES = (DayChange.NEW, DayChange.CHANGED, DayChange.REMOVED)
DAY = timedelta(days=1)


def plan_series(series: LectureSeries) -> list[PlannedDay]:
    """What applying the series would do, day by day. Past days get lectures the first time only."""
    return plan_all([series])[0]


def plan_all(chosen: Sequence[LectureSeries]) -> list[list[PlannedDay]]:
    """The plan of each series, with as many queries as one takes."""
    own: dict[int | None, dict[date | None, Lecture]] = defaultdict(dict)
    taken: dict[int, list[tuple[int | None, bool, datetime]]] = defaultdict(list)
    held: dict[int | None, list[Lecture]] = defaultdict(list)
    for lecture in with_usage(Lecture.objects.filter(series__in=[series.pk for series in chosen])):
        own[lecture.series_id][lecture.series_day] = lecture
    of_courses = Lecture.objects.filter(course__in={series.course_id for series in chosen})
    for course, other, detached, starts_at in of_courses.values_list("course", "series", "detached", "starts_at"):
        taken[course].append((other, detached, starts_at))
    for lecture in _in_the_rooms(chosen):
        held[lecture.room_id].append(lecture)
    holidays = list(Holiday.objects.all())
    return [
        _plan(
            series,
            own[series.pk],
            {
                day: holiday.name
                for holiday in holidays
                for day in series.days()
                if holiday.first_day <= day <= holiday.last_day
            },
            {starts_at for other, detached, starts_at in taken[series.course_id] if other != series.pk or detached},
            [lecture for lecture in held[series.room_id] if lecture.series_id != series.pk],
        )
        for series in chosen
    ]


def _plan(
    series: LectureSeries,
    lectures: dict[date | None, Lecture],
    holidays: dict[date, str],
    taken: set[datetime],
    elsewhere: list[Lecture],
) -> list[PlannedDay]:
    now = timezone.now()
    today = now.astimezone(series.zone).date()
    days = set(series.days())
    steps = []
    for day in sorted(days | {day for day in lectures if day}):
        lecture = lectures.get(day)
        starts_at, ends_at = (_moment(series, day, clock) for clock in (series.starts, series.ends))
        wanted = day in days and day not in holidays
        if lecture is None:
            if day in holidays:
                steps.append(
                    PlannedDay(
                        kind=DayChange.HOLIDAY, day=day, starts_at=starts_at, ends_at=ends_at, remark=holidays[day]
                    )
                )
            elif starts_at in taken:
                steps.append(
                    PlannedDay(
                        kind=DayChange.KEPT,
                        day=day,
                        starts_at=starts_at,
                        ends_at=ends_at,
                        remark=_("The class has a lecture at that time already."),
                    )
                )
            elif day >= today or not lectures:
                steps.append(
                    PlannedDay(
                        kind=DayChange.NEW,
                        day=day,
                        starts_at=starts_at,
                        ends_at=ends_at,
                        remark=_clash(elsewhere, starts_at, ends_at),
                    )
                )
        elif wanted and (lecture.starts_at, lecture.ends_at, lecture.title, lecture.room_id) == (
            starts_at,
            ends_at,
            series.title,
            series.room_id,
        ):
            steps.append(
                PlannedDay(kind=DayChange.SAME, day=day, starts_at=starts_at, ends_at=ends_at, lecture=lecture)
            )
        elif reason := reason_to_keep(lecture, now, taken, starts_at if wanted else None):
            steps.append(
                PlannedDay(
                    kind=DayChange.KEPT,
                    day=day,
                    starts_at=lecture.starts_at,
                    ends_at=lecture.ends_at,
                    lecture=lecture,
                    remark=reason,
                )
            )
        elif wanted:
            steps.append(
                PlannedDay(
                    kind=DayChange.CHANGED,
                    day=day,
                    starts_at=starts_at,
                    ends_at=ends_at,
                    lecture=lecture,
                    remark=_clash(elsewhere, starts_at, ends_at),
                )
            )
        else:
            steps.append(
                PlannedDay(
                    kind=DayChange.REMOVED,
                    day=day,
                    starts_at=lecture.starts_at,
                    ends_at=lecture.ends_at,
                    lecture=lecture,
                    remark=holidays.get(day, ""),
                )
            )
    return steps


def plan_fingerprint(steps: Iterable[PlannedDay]) -> str:
    """Changes when the plan changes, so that only a plan that somebody has seen is applied."""
    lines = [
        f"{step.kind} {step.day} {step.starts_at.timestamp()} {step.ends_at.timestamp()} "
        f"{step.lecture and step.lecture.pk}"
        for step in steps
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def apply_series(*, series: LectureSeries, fingerprint: str) -> Counter[DayChange]:
    """Make, change and remove the lectures of a series as planned. `fingerprint` is that of the plan
    that was previewed.
    """
    try:
        with transaction.atomic():
            series = (
                LectureSeries.objects.select_for_update(of=("self",)).select_related("course", "room").get(pk=series.pk)
            )
            steps = plan_series(series)
            if plan_fingerprint(steps) != fingerprint:
                raise UserError("The timetable has changed since this preview. Look at it once more.")
            _write(series, steps)
    except (IntegrityError, LectureSeries.DoesNotExist) as error:
        raise UserError("The timetable has changed since this preview. Look at it once more.") from error
    return Counter(step.kind for step in steps)


def _moment(series: LectureSeries, day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=series.zone)


def with_usage(lectures: "models.QuerySet[Lecture]") -> "models.QuerySet[Lecture]":
    """With `used`: whether something was recorded of the lecture, or somebody counted in it."""
    own = Lecture.objects.filter(pk=OuterRef("pk"))
    return lectures.annotate(used=Exists(own.exclude(recordings=None)) | Exists(own.exclude(records=None)))


def _in_the_rooms(chosen: Sequence[LectureSeries]) -> Iterable[Lecture]:
    rooms = {series.room_id for series in chosen} - {None}
    if not rooms:
        return []
    first = min(_moment(series, series.first_day, series.starts) for series in chosen) - DAY
    last = max(_moment(series, series.last_day, series.ends) for series in chosen) + DAY
    lectures = Lecture.objects.filter(room__in=rooms, cancelled=False, ends_at__gt=first, starts_at__lt=last)
    return lectures.select_related("course")


def _clash(others: list[Lecture], starts_at: datetime, ends_at: datetime) -> str:
    other = next((one for one in others if one.starts_at < ends_at and one.ends_at > starts_at), None)
    return _("%(course)s is in that room then.") % {"course": other.course.code} if other else ""


def reason_to_keep(lecture: Lecture, now: datetime, taken: set[datetime], starts_at: datetime | None) -> str:
    """Why the series leaves a lecture alone; "" where it does not. `starts_at` is when it should be, None where it
    should go.
    """
    if lecture.cancelled and (lecture.detached or lecture.series_id):
        return _("It was cancelled by hand.")
    if lecture.detached:
        return _("It was changed by hand.")
    if lecture.used:  # type: ignore[attr-defined]
        return _("It has a recording or attendance.")
    if lecture.starts_at <= now:
        return _("It has begun or is over.")
    if starts_at in taken:
        return _("The class has a lecture at that time already.")
    return ""


def _write(series: LectureSeries, steps: list[PlannedDay]) -> None:
    words = {"title": series.title, "room": series.room}
    for step in steps:
        if step.kind == DayChange.CHANGED and step.lecture:
            Lecture.objects.filter(pk=step.lecture.pk).update(starts_at=step.starts_at, ends_at=step.ends_at, **words)
    Lecture.objects.filter(
        pk__in=[step.lecture.pk for step in steps if step.kind == DayChange.REMOVED and step.lecture]
    ).delete()
    Lecture.objects.bulk_create(
        Lecture(
            course=series.course,
            series=series,
            series_day=step.day,
            starts_at=step.starts_at,
            ends_at=step.ends_at,
            **words,
        )
        for step in steps
        if step.kind == DayChange.NEW
    )
