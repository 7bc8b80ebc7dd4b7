"""The metrics in Prometheus's text format. They come from the database when they are read, so that it does not matter
which web process is asked, nor on which machine.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate

from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from campus.common.jobs import QUEUES
from campus.common.storage import disk_usages
from campus.monitoring.workers import running_workers
from campus.operations import selectors
from campus.operations.models import Backup, RequestCount
from campus.operations.request_counts import BOUNDS, counter


def render_metrics() -> bytes:
    """All metrics of now."""
    registry = CollectorRegistry()
    registry.register(_Collector())
    return generate_latest(registry)


class _Collector:
    def describe(self) -> list[Metric]:
        return []  # otherwise it would be asked when it is registered, too

    def collect(self) -> Iterator[Metric]:
        yield from _request_metrics()
        yield from _job_metrics()
        yield from _recording_metrics()
        yield from _server_metrics()


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"rollcall_{name}", documentation, labels=labels)


def _request_metrics() -> Iterator[Metric]:
    counter.save()
    by_view: dict[tuple[str, str, str], dict[str, tuple[int, float]]] = defaultdict(dict)
    for row in RequestCount.objects.all():
        by_view[row.view_name, row.method, str(row.status)][row.le] = row.requests, row.seconds
    seconds = HistogramMetricFamily(
        "rollcall_http_request_seconds", "Web requests by view.", labels=("view", "method", "status")
    )
    for labels, counts in sorted(by_view.items()):
        requests = accumulate(counts.get(bound, (0, 0.0))[0] for bound in BOUNDS)
        total = sum(seconds for _n, seconds in counts.values())
        seconds.add_metric(labels, buckets=list(zip(BOUNDS, requests, strict=True)), sum_value=total)
    yield seconds


def _job_metrics() -> Iterator[Metric]:
    now = timezone.now()
    waiting = _gauge("jobs_waiting", "Jobs that no worker has begun.", "queue", "job")
    running = _gauge("jobs_running", "Jobs that a worker does now.", "queue", "job")
    oldest = _gauge("jobs_oldest_seconds", "How long the first of them has waited.", "queue", "job")
    for job in selectors.count_jobs():
        labels = (job.queue, job.name)
        waiting.add_metric(labels, job.waiting)
        running.add_metric(labels, job.running)
        oldest.add_metric(labels, (now - job.waiting_since).total_seconds() if job.waiting_since else 0)
    workers = _gauge("workers", "Running workers that take jobs from a queue.", "queue")
    taken = Counter(queue for worker in running_workers() for queue in set(worker.queues) - set(worker.paused_queues))
    for queue in QUEUES:
        workers.add_metric((queue,), taken[queue])
    lateness = _gauge("schedule_lateness_seconds", "How late the scheduler is with a periodic task.", "schedule")
    for schedule in selectors.schedule_lateness():
        lateness.add_metric((schedule.name,), schedule.late.total_seconds())
    yield from (waiting, running, oldest, workers, lateness)


def _recording_metrics() -> Iterator[Metric]:
    now = timezone.now()
    recordings = _gauge("recordings", "Recordings of the last seven days.", "state")
    oldest = _gauge("recordings_oldest_seconds", "The age of the first of them.", "state")
    for state, n, since in selectors.count_recordings():
        recordings.add_metric((state,), n)
        oldest.add_metric((state,), (now - since).total_seconds())
    segments = _gauge("segments", "Segments of the recordings of the last seven days.", "state")
    for state, n in selectors.count_segments():
        segments.add_metric((state,), n)
    coverage = _gauge("recording_coverage_ratio", "Of the recordings that were finished in the last seven days.")
    gaps = _gauge("recordings_with_gaps", "Of the recordings that were finished in the last seven days.")
    mean, with_gaps = selectors.mean_coverage()
    if mean is not None:
        coverage.add_metric((), mean)
    gaps.add_metric((), with_gaps)
    yield from (recordings, oldest, segments, coverage, gaps)


def _server_metrics() -> Iterator[Metric]:
    free = _gauge("storage_free_bytes", "Free on the disk of a folder.", "folder")
    size = _gauge("storage_size_bytes", "The size of the disk of a folder.", "folder")
    for folder, disk in disk_usages().items():
        free.add_metric((folder,), disk.free)
        size.add_metric((folder,), disk.total)
    alarms = _gauge("alarms", "Alarms that are on.", "kind")
    for kind, n in selectors.count_alarms().items():
        alarms.add_metric((kind,), n)
    backup = _gauge("backup_timestamp_seconds", "When the last backup was finished.")
    if last := Backup.objects.first():
        backup.add_metric((), last.finished_at.timestamp())
    yield from (free, size, alarms, backup)
