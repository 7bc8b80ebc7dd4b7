"""Exchanges with learning platforms and registry systems: a task is one exchange."""

from campus.common import jobs
from campus.connections import runs
from campus.connections.models import ConnectionRun
from workers.leased_task import leased_task


@leased_task(jobs.EXCHANGE)
def exchange(run: ConnectionRun) -> None:
    runs.perform(run=run)
