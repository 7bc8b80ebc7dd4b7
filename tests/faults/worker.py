"""The real worker with a stand-in for the vision: `celery -A tests.faults.worker worker`.

With FAULT_MESSAGES=3 in the environment it sends every message three times.
"""

import os
import sys
from collections.abc import Iterable

from celery.signals import worker_init

import recognition.embedding
from tests.faults import fake_vision

sys.modules["recognition.pipeline"] = sys.modules["recognition.media.video"] = fake_vision
recognition.embedding.load_embedder = fake_vision.load_embedder

from workers.celery import app  # noqa: E402

__all__ = ["app"]


@worker_init.connect
def send_often(**_: object) -> None:
    from campus.common import jobs as work

    publish = work.publish

    def publish_often(task: str, pks: Iterable[object]) -> int:
        return sum(publish(task, list(pks)) for _ in range(int(os.environ.get("FAULT_MESSAGES", "1"))))

    work.publish = publish_often
