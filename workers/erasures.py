"""Erases people and classes, step by step."""

from campus.common import jobs
from campus.privacy import erasure
from campus.privacy.models import Erasure
from workers.leased_task import leased_task


@leased_task(jobs.ERASE)
def erase(row: Erasure) -> None:
    erasure.erase(erasure=row)
