"""The real worker with a stand-in for the models: `celery -A tests.faults.worker worker`.

With FAULT_MESSAGES=3 in the environment it sends every message three times.
"""

import os
import sys
from collections.abc import Iterable
from uuid import UUID

from celery.signals import worker_init

import recognition.embedding
from tests.faults import fake_vision

sys.modules["recognition.pipeline"] = sys.modules["recognition.media.video"] = fake_vision
setattr(recognition.embedding, "load_embedder", fake_vision.load_embedder)  # noqa: B010 - a replacement

from workers.celery import app  # noqa: E402

__all__ = ["app"]


@worker_init.connect
def send_often(**_: object) -> None:
    from campus.common import jobs

    publish = jobs.Job.publish

    def publish_often(job: jobs.Job, pks: Iterable[UUID | int | str]) -> int:
        pks = list(pks)
        return sum(int(publish(job, pks)) for _ in range(int(os.environ.get("FAULT_MESSAGES", "1"))))

    setattr(jobs.Job, "publish", publish_often)  # noqa: B010 - a replacement
