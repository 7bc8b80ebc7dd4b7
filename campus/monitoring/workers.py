"""Which workers run: each says so every few seconds, and the leases of one that no longer does are ended.

Times are those of the database's clock, since the clocks of the workers' machines may differ.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now

from campus.common import jobs
from campus.common.messages import localize
from campus.monitoring.models import Worker
from recognition.messages import Message

log = logging.getLogger(__name__)

SILENT_HEARTBEATS = 2.8  # until a worker is gone: within a quarter of a minute


def running_workers() -> QuerySet[Worker]:
    """The workers that have been heard of lately."""
    return Worker.objects.filter(seen_at__gte=_gone_before())


def count_processes(queue: str) -> int:
    """How many processes of running workers take jobs from the queue."""
    return sum(worker.processes for worker in running_workers() if queue in {*worker.queues} - {*worker.paused_queues})


def note_heartbeat(*, worker: str, name: str, queues: Sequence[str], processes: int = 1) -> None:
    """Note that the worker runs."""
    if not Worker.objects.filter(pk=worker).update(seen_at=Now()):
        Worker.objects.create(id=worker, name=name, processes=processes, queues=list(queues), seen_at=Now())


def note_pause(*, worker: str, queue: str, problem: Message) -> None:
    """Note that the worker takes nothing from the queue because of a problem."""
    for row in Worker.objects.filter(pk=worker):
        row.paused_queues, row.problem = sorted({*row.paused_queues, queue}), localize(problem)
        row.save(update_fields=["paused_queues", "problem"])


def note_resumption(*, worker: str, queue: str) -> None:
    """Note that the worker takes jobs from the queue again."""
    for row in Worker.objects.filter(pk=worker):
        row.paused_queues = [name for name in row.paused_queues if name != queue]
        row.problem = row.problem if row.paused_queues else localize(Message())
        row.save(update_fields=["paused_queues", "problem"])


def forget_worker(*, worker: str) -> None:
    """The worker has stopped: others may take at once what it held."""
    Worker.objects.filter(pk=worker).delete()
    if ended := jobs.end_leases(f"{worker}-", count_attempts=False):
        log.warning("worker %s is gone; the leases of %d jobs were ended", worker, ended)


def forget_gone_workers() -> float:
    """End the leases of all workers that have not been heard of for a while. Returns after how many seconds the next
    one may be gone."""
    silence = ExpressionWrapper(Now() - F("seen_at"), DurationField())
    remaining = [max_silence()]
    for pk, silent in Worker.objects.order_by().values_list("pk", silence):
        if silent.total_seconds() > max_silence():
            forget_worker(worker=pk)
        else:
            remaining.append(max_silence() - silent.total_seconds())
    return min(remaining)


def max_silence() -> float:
    """After how many seconds without a heartbeat a worker is gone."""
    return SILENT_HEARTBEATS * settings.HEARTBEAT_SECONDS


def _gone_before() -> object:
    return Now() - timedelta(seconds=max_silence())
