"""What staff need first: today's lectures, those of a week, and what is to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Lecture
from campus.academics.selectors import current_lectures_for
from campus.accounts.roles import AnyUser
from campus.attendance.objections import open_objections
from campus.attendance.register import in_days
from campus.attendance.selectors import is_held, unmarked_records
from campus.cctv.models import Collection
from campus.common.days import Week
from campus.recordings.models import Recording
from campus.recordings.review import review_messages
from campus.recordings.selectors import current_recordings_for
from campus.web.lecture_states import LectureRow, count_of_lecture, lecture_rows, records_to_confirm

MAX_TODAYS_LECTURES = 40
MAX_LECTURES_OF_WEEK = 30
MAX_TODOS_OF_A_KIND = 8
MAX_LECTURES_TO_CHOOSE_FROM = 20
TODO_PERIOD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Todo:
    """Something to do about a lecture, and the page where it is done; `dismiss_url` where it can be dismissed."""

    lecture: Lecture
    text: str
    url: str
    dismiss_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """`next_lecture` is the first one after today; `more_this_week` says how many lectures of the week are left out.

    `todos` leaves out what is the next thing to do about one of today's lectures anyway.
    """

    today: list[LectureRow]
    next_lecture: Lecture | None
    week: Week
    this_week: list[LectureRow]
    more_this_week: int
    todos: list[Todo]

    @property
    def awaiting_recording(self) -> list[LectureRow]:
        """The lectures that a dropped file can belong to, today's first; none where there are too many."""
        rows = {row.lecture.pk: row for row in [*self.today, *self.this_week] if row.awaits_recording}
        return list(rows.values()) if len(rows) <= MAX_LECTURES_TO_CHOOSE_FROM else []


def agenda_for(user: User, week: Week) -> Agenda:
    now, day = timezone.now(), timezone.localdate()
    lectures = current_lectures_for(user).order_by("starts_at", "course__code")
    in_week = lectures.filter(in_days(week.monday, week.sunday))
    # First which, then all about them: in one query, PostgreSQL would take them for half of all lectures.
    first_of_day = lectures.filter(in_days(day, day)).values_list("pk", flat=True)[:MAX_TODAYS_LECTURES]
    wanted = {*first_of_day, *in_week.values_list("pk", flat=True)[:MAX_LECTURES_OF_WEEK]}
    rows = lecture_rows(user, lectures.filter(pk__in=wanted))
    days = [(timezone.localdate(row.lecture.starts_at), row) for row in rows]
    today = [row for on, row in days if on == day][:MAX_TODAYS_LECTURES]
    with_action = {row.lecture for row in today if row.action}
    todos = [
        *_objections(user),
        *_recordings_to_check(user, now),
        *_failed_recordings(user),
        *_lectures_to_confirm(user, now),
        *_unfinished_rolls(user, now),
        *_lectures_without_recording(user, now),
    ]
    upcoming = lectures.filter(in_days(day + timedelta(days=1), None), cancelled=False)
    return Agenda(
        today=today,
        next_lecture=upcoming.select_related("course", "room").first(),
        week=week,
        this_week=[row for on, row in days if week.monday <= on <= week.sunday][:MAX_LECTURES_OF_WEEK],
        more_this_week=max(in_week.count() - MAX_LECTURES_OF_WEEK, 0),
        todos=[todo for todo in todos if todo.dismiss_url or todo.lecture not in with_action],
    )


def todays_lectures(user: AnyUser) -> list[LectureRow]:
    today = timezone.localdate()
    lectures = current_lectures_for(user).filter(in_days(today, today))
    return lecture_rows(user, lectures.order_by("starts_at", "course__code"))


def _objections(user: User) -> list[Todo]:
    return [
        Todo(
            row.record.lecture,
            _("Objection of %(name)s, to answer by %(day)s")
            % {"name": row.record.student.name, "day": date_format(row.due_on, _("j M Y"))},
            reverse("objection", args=[row.pk]),
        )
        for row in open_objections(user)[:MAX_TODOS_OF_A_KIND]
    ]


def _failed_recordings(user: User) -> list[Todo]:
    failed = (
        current_recordings_for(user)
        .filter(
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
    waiting = current_recordings_for(user).filter(
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
    # From the few records to their lectures, rather than from all lectures to their records.
    to_confirm = records_to_confirm()
    recent: QuerySet[Any] = current_lectures_for(user).filter(
        starts_at__gt=now - 2 * TODO_PERIOD, starts_at__lte=now, cancelled=False, pk__in=to_confirm.values("lecture")
    )
    lectures = recent.annotate(to_confirm=count_of_lecture(to_confirm))
    lectures = lectures.select_related("course").order_by("-starts_at", "pk")
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
    unmarked = unmarked_records()
    recent: QuerySet[Any] = current_lectures_for(user).filter(
        ends_at__gt=now - 2 * TODO_PERIOD, ends_at__lte=now, pk__in=unmarked.values("lecture")
    )
    unfinished = recent.annotate(unmarked=count_of_lecture(unmarked))
    unfinished = unfinished.select_related("course").order_by("-starts_at", "pk")
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
    over = over.exclude(is_held()).exclude(recordings__dismissed=False)
    over = over.exclude(collection__state__in=(Collection.State.WAITING, Collection.State.COLLECTING))
    return [
        Todo(
            lecture,
            _("No attendance yet: take the roll, or upload a recording."),
            reverse("lecture", args=[lecture.pk]),
        )
        for lecture in over.select_related("course").order_by("-starts_at", "pk")[:MAX_TODOS_OF_A_KIND]
    ]
