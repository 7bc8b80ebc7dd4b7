"""What a lecturer looks for first: today's lectures, the next ones, and what waits for a person."""

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
from campus.attendance.selectors import records_for
from campus.cctv.models import Collection
from campus.recordings.models import Recording
from campus.recordings.selectors import recordings_for

SHOWN = 8  # of each list; a registrar sees all classes
MANY = 40
RECENT = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for a person: a sentence, and where to go."""

    lecture: Lecture
    sentence: str
    address: str


@dataclass(frozen=True, slots=True)
class Today:
    lectures: list[Lecture]
    coming: list[Lecture]
    needs: list[Need]


def with_to_confirm_count(user: User, lectures: QuerySet[Lecture]) -> QuerySet[Any]:
    """With `to_confirm`: how many students a person has to confirm."""
    waiting = records_for(user).filter(lecture=OuterRef("pk"), machine_status=Status.TO_CONFIRM, override_status="")
    return lectures.annotate(
        to_confirm=Subquery(waiting.order_by().values("lecture").annotate(n=Count("pk")).values("n"))
    )


def agenda_for(user: User) -> Today:
    now = timezone.now()
    start = timezone.make_aware(datetime.combine(timezone.localdate(), time()))
    end = timezone.make_aware(datetime.combine(timezone.localdate() + timedelta(days=1), time()))
    lectures = lectures_for(user).select_related("course", "room")
    today = with_to_confirm_count(user, lectures.filter(starts_at__gte=start, starts_at__lt=end)).prefetch_related(
        "recordings"
    )
    coming = lectures.filter(starts_at__gte=end, cancelled=False).order_by("starts_at", "pk")
    return Today(
        list(today.order_by("starts_at", "pk")[:MANY]),
        list(coming[:SHOWN]),
        [*_failed(user), *_to_confirm(user, now), *_missing(user, now)],
    )


def _failed(user: User) -> list[Need]:
    failed = (
        recordings_for(user)
        .filter(state=Recording.State.FAILED)
        .select_related("lecture__course")
        .order_by("-created_at", "pk")
    )
    return [
        Need(
            one.lecture,
            _("%(file)s failed: %(why)s") % {"file": one.original_name, "why": one.error},
            reverse("recording", args=[one.pk]),
        )
        for one in failed.filter(created_at__gte=timezone.now() - RECENT)[:SHOWN]
    ]


def _to_confirm(user: User, now: datetime) -> list[Need]:
    recent = lectures_for(user).filter(starts_at__gt=now - 2 * RECENT, starts_at__lte=now)
    waiting = (
        with_to_confirm_count(user, recent)
        .filter(to_confirm__gt=0)
        .select_related("course")
        .order_by("-starts_at", "pk")
    )
    return [
        Need(
            one,
            ngettext("%(n)s student to confirm", "%(n)s students to confirm", one.to_confirm) % {"n": one.to_confirm},
            reverse("lecture", args=[one.pk]),
        )
        for one in waiting[:SHOWN]
    ]


def _missing(user: User, now: datetime) -> list[Need]:
    over = lectures_for(user).filter(
        ends_at__gt=now - RECENT, ends_at__lte=now, cancelled=False, recordings=None, records=None
    )
    over = over.exclude(collection__state__in=(Collection.State.WAITING, Collection.State.COLLECTING))
    return [
        Need(one, _("No recording yet."), reverse("lecture", args=[one.pk]))
        for one in over.select_related("course").order_by("-starts_at", "pk")[:SHOWN]
    ]
