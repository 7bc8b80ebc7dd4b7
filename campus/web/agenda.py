"""What a lecturer needs first: today's lectures, the upcoming ones, and what is to do."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Lecture
from campus.academics.selectors import lectures_for
from campus.attendance.models import Status
from campus.attendance.selectors import held_lectures, records_for, unmarked_records
from campus.cctv.models import Collection
from campus.recordings.models import Recording
from campus.recordings.review import review_messages
from campus.recordings.selectors import recordings_for

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


@dataclass(frozen=True, slots=True)
class Agenda:
    lectures: list[Lecture]
    upcoming: list[Lecture]
    todos: list[Todo]


def with_to_confirm_count(user: User, lectures: QuerySet[Lecture]) -> QuerySet[Any]:
    """Annotated with `to_confirm`: the number of students to confirm, or None."""
    to_confirm = records_for(user).filter(lecture=OuterRef("pk"), machine_status=Status.TO_CONFIRM, override_status="")
    return lectures.annotate(
        to_confirm=Subquery(to_confirm.order_by().values("lecture").annotate(n=Count("pk")).values("n"))
    )


def agenda_for(user: User) -> Agenda:
    now = timezone.now()
    start = timezone.make_aware(datetime.combine(timezone.localdate(), time()))
    end = timezone.make_aware(datetime.combine(timezone.localdate() + timedelta(days=1), time()))
    lectures = lectures_for(user).select_related("course", "room")
    today = with_to_confirm_count(user, lectures.filter(starts_at__gte=start, starts_at__lt=end)).prefetch_related(
        "recordings"
    )
    upcoming = lectures.filter(starts_at__gte=end, cancelled=False).order_by("starts_at", "pk")
    return Agenda(
        list(today.order_by("starts_at", "pk")[:MAX_TODAYS_LECTURES]),
        list(upcoming[:MAX_UPCOMING_LECTURES]),
        [
            *_recordings_to_check(user, now),
            *_failed_recordings(user),
            *_lectures_to_confirm(user, now),
            *_unfinished_rolls(user, now),
            *_lectures_without_recording(user, now),
        ],
    )


def _failed_recordings(user: User) -> list[Todo]:
    failed = (
        recordings_for(user)
        .filter(
            state__in=(Recording.State.FAILED, Recording.State.CANCELLED), dismissed=False, lecture__cancelled=False
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
        lecture__starts_at__gt=now - 2 * TODO_PERIOD, lecture__cancelled=False, state=Recording.State.NEEDS_REVIEW
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
    recent = lectures_for(user).filter(starts_at__gt=now - 2 * TODO_PERIOD, starts_at__lte=now, cancelled=False)
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
    lectures = lectures_for(user).filter(ends_at__gt=now - 2 * TODO_PERIOD, ends_at__lte=now)
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
    over = lectures_for(user).filter(ends_at__gt=now - TODO_PERIOD, ends_at__lte=now, cancelled=False)
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
