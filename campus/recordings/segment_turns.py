"""Whose turn it is: which segments are published next.

Only so many segments are published at a time as keep the workers busy. So the broker stays small, a cancelled recording
leaves nothing behind, and what is uploaded now need not wait for all that was uploaded before.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from campus.common import jobs
from campus.common.database_clock import database_now
from campus.monitoring.workers import count_processes
from campus.recordings.models import Recording, Segment
from campus.recordings.selectors import OPEN_STATES

PUBLISHED_PER_PROCESS = 2  # one at work, and one that is there when it ends
TURNS_PER_WINDOW = 8  # so many workers that end a segment at once do not each look at all that is in line
MIN_WINDOW = 2
LIVE = timedelta(days=1)  # after a lecture; then its recording is an old one, which waits for those that are not
MAX_TURN_WAIT = timedelta(days=1)  # then an old one counts as live
SHORT_RECORDING_SEGMENTS = 2
TURN_MEMORY = timedelta(minutes=10)  # for which a finished recording still counts as a turn of its uploader
NEVER = datetime.min.replace(tzinfo=UTC)
TURNS_LOCK = 5_017_231  # of PostgreSQL, any number that nothing else uses


def publish_due_segments() -> int:
    """Publish the photos and the segments whose turn it is; returns how many.

    Call it when segments were planned or have ended; the sweeper does, too. Repeated calls publish nothing twice.
    """
    if not waiting_segments().exists():
        return 0
    with transaction.atomic():
        _lock_turns()
        due = list(_choose_due())
        Segment.objects.filter(pk__in=due).update(published_at=Now())
    return jobs.RECOGNISE.publish(due)


def waiting_segments() -> QuerySet[Any]:
    """Those that nobody has published."""
    return jobs.RECOGNISE.waiting().filter(_waits())


def segments_at_work() -> QuerySet[Segment]:
    """Those that are in the window: a worker has them, or a message for one is under way."""
    return _windowed().filter(_at_work())


def window() -> int:
    """How many segments may be published at a time."""
    return max(MIN_WINDOW, PUBLISHED_PER_PROCESS * count_processes(jobs.RECOGNISE.queue))


def _windowed() -> QuerySet[Any]:
    return jobs.RECOGNISE.lanes()[0][1]


def _at_work() -> Q:
    return ~Q(published_at=None) | jobs.held_by_workers()


def _waits() -> Q:
    return Q(published_at=None, attempts__lt=settings.MAX_ATTEMPTS) & jobs.not_leased()


def _choose_due() -> Iterator[int]:
    _queue, photos = jobs.RECOGNISE.lanes()[1]
    yield from photos.filter(_waits()).values_list("pk", flat=True)
    width = window()
    free = width - segments_at_work().count()
    if free >= max(1, width // TURNS_PER_WINDOW):
        yield from _choose_segments(free)


def _choose_segments(free: int) -> Iterator[int]:
    """The next segments, `free` of them if so many wait.

    Those of recordings of live lectures come first. Then each turn goes to the uploader of whom the fewest are at work,
    of several to the one whose last turn was longest ago; and of that uploader's recordings to a short one, or to the
    first. What cameras recorded counts as one more uploader.
    """
    now = database_now()
    recordings = list(_recordings_in_line(now))
    at_work: Counter[int | None] = Counter()
    last_turns: dict[int | None, datetime] = {}
    for row in recordings:
        uploader = row["recording__uploaded_by"]
        at_work[uploader] += row["at_work"]
        last_turns[uploader] = max(last_turns.get(uploader, NEVER), row["last_turn"] or NEVER)

    def turn(row: dict[str, Any]) -> tuple[Any, ...]:
        is_old = row["recording__lecture__ends_at"] < now - LIVE and row["since"] > now - MAX_TURN_WAIT
        uploader = row["recording__uploaded_by"]
        is_long = row["segments"] > SHORT_RECORDING_SEGMENTS
        return is_old, at_work[uploader], last_turns[uploader], is_long, row["since"]

    chosen: list[int] = []
    while len(chosen) < free and (waiting := [row for row in recordings if row["waiting"]]):
        row = min(waiting, key=turn)
        segments = _windowed().filter(_waits(), recording=row["recording"]).exclude(pk__in=chosen)
        chosen.append(segments.order_by("attempts", "index").values_list("pk", flat=True)[0])
        row["waiting"] -= 1
        at_work[row["recording__uploaded_by"]] += 1
        last_turns[row["recording__uploaded_by"]] = now
    yield from chosen


def _recordings_in_line(now: datetime) -> Iterable[Any]:
    """Of each recording that is under way or was lately: its segments, which of them wait and are at work, and the last
    turn.
    """
    pending = Q(state=Segment.State.PENDING)
    recent = Recording.objects.filter(Q(state__in=OPEN_STATES) | Q(finished_at__gte=now - TURN_MEMORY))
    segments = Segment.objects.filter(recording__in=recent, end__gt=F("start"))
    return (
        segments.order_by()
        .values("recording", "recording__uploaded_by", "recording__lecture__ends_at")
        .annotate(
            since=Coalesce("recording__planned_at", "recording__created_at"),
            segments=Count("pk"),
            waiting=Count("pk", filter=pending & _waits() & Q(recording__state=Recording.State.PROCESSING)),
            at_work=Count("pk", filter=pending & _at_work()),
            last_turn=Max("published_at"),
        )
    )


def _lock_turns() -> None:
    """Until the transaction ends, nobody else chooses. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURNS_LOCK])
