"""What whoever runs the server wants to know, from the database alone and with few queries."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Avg, CharField, Count, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from campus.cctv.alarms import MAX_QUEUE_WAIT, find_stopped_sources
from campus.cctv.models import Alarm
from campus.common import jobs
from campus.common.database_clock import database_now
from campus.common.periodic_tasks import schedule_by
from campus.recordings.models import Recording, Segment

RECENT = timedelta(days=7)  # what is older says nothing of how the server is today


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """How many rows of one kind of job wait and run, and when the message of the first that waits was sent."""

    name: str
    queue: str
    waiting: int
    running: int
    waiting_since: datetime | None


def count_jobs() -> list[JobCounts]:
    """The counts of all kinds of jobs, by the queues in which they wait, in one query."""
    waits = jobs.not_leased() & Q(attempts__lt=settings.MAX_ATTEMPTS)
    lanes = [(job.name, queue, rows) for job in jobs.JOBS for queue, rows in job.lanes()]
    counts: list[Any] = [
        rows.order_by()
        .annotate(job_name=Value(name, output_field=CharField()), queue_name=Value(queue, output_field=CharField()))
        .values("job_name", "queue_name")
        .annotate(
            waiting=Count("pk", filter=waits),
            running=Count("pk", filter=jobs.held_by_workers()),
            waiting_since=Min("published_at", filter=waits),
        )
        for name, queue, rows in lanes
    ]
    found = {(row["job_name"], row["queue_name"]): row for row in counts[0].union(*counts[1:], all=True)}
    return [
        JobCounts(
            name=name,
            queue=queue,
            waiting=found.get((name, queue), {}).get("waiting", 0),
            running=found.get((name, queue), {}).get("running", 0),
            waiting_since=found.get((name, queue), {}).get("waiting_since"),
        )
        for name, queue, _rows in lanes
    ]


def late_queues(counts: list[JobCounts]) -> list[str]:
    """The queues in which a job has waited for too long."""
    before = timezone.now() - MAX_QUEUE_WAIT
    return sorted({job.queue for job in counts if job.waiting_since and job.waiting_since < before})


def find_stopped() -> list[str]:
    """The keys of everything that has stopped, for external monitoring."""
    return [*find_stopped_sources(), *(f"queue:{queue}" for queue in late_queues(count_jobs()))]


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the scheduler is with a periodic task."""

    name: str
    late: timedelta

    @property
    def minutes(self) -> int:
        return int(self.late.total_seconds() // 60)


def schedule_lateness() -> Iterator[Lateness]:
    """All enabled periodic tasks, by the database's clock."""
    now = database_now()
    for task in PeriodicTask.objects.filter(enabled=True).select_related("interval", "crontab").order_by("name"):
        last = task.last_run_at or task.date_changed
        remaining: timedelta = schedule_by(lambda: now, task).remaining_estimate(timezone.localtime(last))
        yield Lateness(task.name, max(-remaining, timedelta()))


def count_recordings() -> list[tuple[str, int, datetime]]:
    """How many recordings of the last days are in each state, and when the first of them was added."""
    recent = Recording.objects.filter(created_at__gte=timezone.now() - RECENT).order_by()
    return list(recent.values_list("state").annotate(n=Count("pk"), since=Min("created_at")))


def mean_coverage() -> tuple[float | None, int]:
    """Which share of the recordings that were finished in the last days counts, on average, and how many of them have
    gaps."""
    finished = Recording.objects.filter(state=Recording.State.DONE, finished_at__gte=timezone.now() - RECENT)
    counts = finished.aggregate(mean=Avg("coverage"), gaps=Count("pk", filter=Q(coverage__lt=1)))
    return counts["mean"], counts["gaps"]


def count_segments() -> list[tuple[str, int]]:
    """How many segments of the recordings of the last days are in each state.

    They are counted for each recording, by indexes: for a join PostgreSQL reads the segments of all years.
    """
    segments = Segment.objects.filter(recording=OuterRef("pk")).order_by()
    unfinished = (Segment.State.PENDING, Segment.State.FAILED)
    wanted: dict[str, QuerySet[Segment]] = {state: segments.filter(state=state) for state in unfinished}
    numbers = {
        name: Subquery(rows.values("recording").annotate(n=Count("recording")).values("n"))
        for name, rows in [("any", segments), *wanted.items()]
    }
    recent = Recording.objects.filter(created_at__gte=timezone.now() - RECENT).order_by().annotate(**numbers)
    found = recent.aggregate(**{f"n_{name}": Sum(name, default=0) for name in numbers})
    counts = [(str(state), found[f"n_{state}"]) for state in unfinished]
    counts.append((Segment.State.DONE, found["n_any"] - sum(n for _, n in counts)))
    return [(state, n) for state, n in counts if n]


def count_alarms() -> dict[str, int]:
    """How many alarms of each kind are on."""
    found = dict(Alarm.objects.filter(ended_at=None).order_by().values_list("kind").annotate(n=Count("pk")))
    return {kind: found.get(kind, 0) for kind in Alarm.Kind.values}
