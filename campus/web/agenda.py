"""What staff need first: today's lectures, the upcoming ones, and what is to do."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Lecture
from campus.academics.selectors import current_courses_for, current_lectures_for
from campus.accounts.roles import AnyUser
from campus.attendance.models import SignOff, Status
from campus.attendance.selectors import held_lectures, records_for, unmarked_records
from campus.cctv.models import Collection
from campus.recordings.models import Recording
from campus.recordings.review import review_messages
from campus.recordings.selectors import OPEN_STATES, recordings_for

MAX_TODAYS_LECTURES = 40
MAX_UPCOMING_LECTURES = 8
MAX_TODOS_OF_A_KIND = 8
TODO_PERIOD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Todo:
    """Something to do about a lecture, and the page where it is done; `dismiss_url` where it can be dismissed."""

    lecture: Lecture
    text: str
    url: str
    dismiss_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TodaysLecture:
    """`state` is how far its attendance is, in a few words; `variant` says whether that is good or bad."""

    lecture: Any
    url: str
    state: str
    variant: str


@dataclass(frozen=True, slots=True)
class Agenda:
    lectures: list[TodaysLecture]
    upcoming: list[Lecture]
    todos: list[Todo]


def with_to_confirm_count(user: AnyUser, lectures: QuerySet[Lecture]) -> QuerySet[Any]:
    """Annotated with `to_confirm`: the number of students to confirm, or None."""
    to_confirm = records_for(user).filter(lecture=OuterRef("pk"), machine_status=Status.TO_CONFIRM, override_status="")
    return lectures.annotate(
        to_confirm=Subquery(to_confirm.order_by().values("lecture").annotate(n=Count("pk")).values("n"))
    )


def agenda_for(user: User) -> Agenda:
    now = timezone.now()
    _start, end = _today()
    upcoming = current_lectures_for(user).filter(starts_at__gte=end, cancelled=False).select_related("course", "room")
    return Agenda(
        todays_lectures(user, MAX_TODAYS_LECTURES),
        list(upcoming.order_by("starts_at", "pk")[:MAX_UPCOMING_LECTURES]),
        [
            *_recordings_to_check(user, now),
            *_failed_recordings(user),
            *_lectures_to_confirm(user, now),
            *_unfinished_rolls(user, now),
            *_lectures_without_recording(user, now),
        ],
    )


def _today() -> tuple[datetime, datetime]:
    day = timezone.localdate()
    start, end = (timezone.make_aware(datetime.combine(day + timedelta(days=n), time())) for n in (0, 1))
    return start, end


def todays_lectures(user: AnyUser, limit: int | None = None) -> list[TodaysLecture]:
    """The first `limit` of today's lectures, or all of them."""
    start, end = _today()
    lectures = (
        with_to_confirm_count(user, current_lectures_for(user).filter(starts_at__gte=start, starts_at__lt=end))
        .select_related("course", "room")
        .prefetch_related("recordings")
        .annotate(
            signed=Exists(SignOff.objects.filter(lecture=OuterRef("pk"))),
            held=Exists(held_lectures().filter(pk=OuterRef("pk"))),
            unfinished=Exists(unmarked_records().filter(lecture=OuterRef("pk"))),
        )
        .order_by("starts_at", "course__code")
    )
    todays = []
    for lecture in lectures[:limit]:
        state, variant = _lecture_state(lecture)
        url = reverse("lecture", args=[lecture.pk])
        todays.append(TodaysLecture(lecture=lecture, url=url, state=state, variant=variant))
    return todays


def _lecture_state(lecture: Any) -> tuple[str, str]:
    """The state of a lecture in a few words, and the variant of its badge."""
    states = {recording.state for recording in lecture.recordings.all() if not recording.dismissed}
    now = timezone.now()
    if lecture.cancelled:
        return _("cancelled"), ""
    if lecture.signed:
        return _("signed off"), "success"
    if states & set(OPEN_STATES):
        return _("in progress"), "info"
    if Recording.State.NEEDS_REVIEW in states:
        return _("recording to check"), "warning"
    if lecture.to_confirm:
        return _("to confirm"), "warning"
    if lecture.unfinished:
        return _("roll not finished"), "warning"
    if lecture.held:
        return _("attendance taken"), "success"
    if states & {Recording.State.FAILED, Recording.State.CANCELLED}:
        return _("recording failed"), "danger"
    if lecture.starts_at > now:
        return _("upcoming"), ""
    return (_("now"), "info") if lecture.ends_at > now else (_("no attendance yet"), "warning")


def _failed_recordings(user: User) -> list[Todo]:
    failed = (
        recordings_for(user)
        .filter(
            lecture__course__in=current_courses_for(user),
            state__in=(Recording.State.FAILED, Recording.State.CANCELLED),
            dismissed=False,
            lecture__cancelled=False,
        )
        .select_related("lecture__course")
        .order_by("-created_at", "pk")
    )
    return [
        Todo(
            recording.lecture,
            _describe_failure(recording),
            reverse("recording", args=[recording.pk]),
            reverse("recording-action", args=[recording.pk, "dismiss"]),
        )
        for recording in failed.filter(created_at__gte=timezone.now() - TODO_PERIOD)[:MAX_TODOS_OF_A_KIND]
    ]


def _describe_failure(recording: Recording) -> str:
    if recording.state == Recording.State.CANCELLED:
        return _("%(file)s was cancelled.") % {"file": recording.original_name}
    return _("%(file)s failed: %(why)s") % {"file": recording.original_name, "why": recording.error}


def _recordings_to_check(user: User, now: datetime) -> list[Todo]:
    waiting = recordings_for(user).filter(
        lecture__course__in=current_courses_for(user),
        lecture__starts_at__gt=now - 2 * TODO_PERIOD,
        lecture__cancelled=False,
        state=Recording.State.NEEDS_REVIEW,
    )
    waiting = waiting.select_related("lecture__course").order_by("-lecture__starts_at", "pk")
    return [
        Todo(
            recording.lecture,
            " ".join([_("Please check this recording before it counts."), *map(str, review_messages(recording))]),
            reverse("recording", args=[recording.pk]),
        )
        for recording in waiting[:MAX_TODOS_OF_A_KIND]
    ]


def _lectures_to_confirm(user: User, now: datetime) -> list[Todo]:
    recent = current_lectures_for(user).filter(starts_at__gt=now - 2 * TODO_PERIOD, starts_at__lte=now, cancelled=False)
    lectures = (
        with_to_confirm_count(user, recent)
        .filter(to_confirm__gt=0)
        .select_related("course")
        .order_by("-starts_at", "pk")
    )
    return [
        Todo(
            lecture,
            ngettext("%(n)s student to confirm", "%(n)s students to confirm", lecture.to_confirm)
            % {"n": lecture.to_confirm},
            reverse("lecture", args=[lecture.pk]),
        )
        for lecture in lectures[:MAX_TODOS_OF_A_KIND]
    ]


def _unfinished_rolls(user: User, now: datetime) -> list[Todo]:
    unmarked = unmarked_records().filter(lecture=OuterRef("pk")).order_by()
    lectures = current_lectures_for(user).filter(ends_at__gt=now - 2 * TODO_PERIOD, ends_at__lte=now)
    lectures = lectures.annotate(unmarked=Subquery(unmarked.values("lecture").annotate(n=Count("pk")).values("n")))
    unfinished: QuerySet[Any] = lectures.filter(unmarked__gt=0).select_related("course").order_by("-starts_at", "pk")
    return [
        Todo(
            lecture,
            ngettext("%(n)s student is not marked yet", "%(n)s students are not marked yet", lecture.unmarked)
            % {"n": lecture.unmarked},
            f"{reverse('lecture', args=[lecture.pk])}?show=unmarked#result",
        )
        for lecture in unfinished[:MAX_TODOS_OF_A_KIND]
    ]


def _lectures_without_recording(user: User, now: datetime) -> list[Todo]:
    over = current_lectures_for(user).filter(ends_at__gt=now - TODO_PERIOD, ends_at__lte=now, cancelled=False)
    over = over.exclude(pk__in=held_lectures()).exclude(recordings__dismissed=False)
    over = over.exclude(collection__state__in=(Collection.State.WAITING, Collection.State.COLLECTING))
    return [
        Todo(
            lecture,
            _("No attendance yet: take the roll, or upload a recording."),
            reverse("lecture", args=[lecture.pk]),
        )
        for lecture in over.select_related("course").order_by("-starts_at", "pk")[:MAX_TODOS_OF_A_KIND]
    ]
