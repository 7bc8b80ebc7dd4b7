"""Erasures that wait for too long, or have failed: the person was told that they are done within the hour."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.cctv.models import Alarm
from campus.privacy.models import Erasure
from recognition.messages import Message, join_messages

MAX_ERASURE_WAIT = timedelta(hours=1)


def stopped_erasures() -> QuerySet[Erasure]:
    """Those that are not done an hour after they were requested, and those that failed and were not repeated since."""
    late = Q(state=Erasure.State.QUEUED, created_at__lt=timezone.now() - MAX_ERASURE_WAIT)
    later = Erasure.objects.filter(
        kind=OuterRef("kind"), subject=OuterRef("subject"), created_at__gt=OuterRef("created_at")
    )
    failed = Q(state=Erasure.State.FAILED) & ~Q(Exists(later))
    return Erasure.objects.filter(late | failed).order_by("created_at")


def erasure_alarms() -> Iterator[Alarm]:
    """An alarm for each of them; it names nobody."""
    for erasure in stopped_erasures():
        text = (
            Message("An erasure has failed, which was requested on {when}. Request it again.", when=erasure.created_at)
            if erasure.state == Erasure.State.FAILED
            else Message("An erasure has not been finished, which was requested on {when}.", when=erasure.created_at)
        )
        problem = join_messages([text, erasure.error] if erasure.error else [text])
        yield Alarm(kind=Alarm.Kind.ERASURE, key=f"erasure:{erasure.pk}", text=problem)
