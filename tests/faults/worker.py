"""The real worker with a stand-in for the models: `celery -A tests.faults.worker worker`.

With FAULT_MESSAGES=3 in the environment it sends every message three times. With FAULT_NO_WEIGHTS=1 its machine has no
model. Its clock is ahead by the seconds in the file FAULT_CLOCK. At the moment that a file in the folder FAULT_MOMENTS
names, a process kills itself, once.
"""

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from celery.signals import worker_init
from django.utils import timezone

import recognition.embedding
from tests.faults import fake_vision

if "FAULT_CLOCK" in os.environ:
    right_time, clock = time.time, Path(os.environ["FAULT_CLOCK"])

    def wrong_time() -> float:
        with suppress(OSError, ValueError):  # no file, no descriptor left to read it, or it is being written
            return right_time() + float(clock.read_text())
        return right_time()

    setattr(time, "time", wrong_time)  # noqa: B010 - a replacement
    setattr(timezone, "now", lambda: datetime.fromtimestamp(wrong_time(), UTC))  # noqa: B010

sys.modules["recognition.pipeline"] = sys.modules["recognition.media.video"] = fake_vision
setattr(recognition.embedding, "load_embedder", fake_vision.load_embedder)  # noqa: B010 - a replacement

from tests.faults.moments import FUNCTIONS, MARK_FUNCTIONS  # noqa: E402
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


@worker_init.connect
def die_at_moments(**_: object) -> None:
    folder = Path(os.environ.get("FAULT_MOMENTS", "/nowhere"))

    def die_at(moment: str) -> None:
        with suppress(FileNotFoundError):
            (folder / moment).unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def replace(place: str) -> None:
        module, name = importlib.import_module(place.rpartition(".")[0]), place.rpartition(".")[2]
        function: Callable[..., Any] = getattr(module, name)

        def run(*args: Any, **kwargs: Any) -> Any:
            die_at(f"before {place}")
            result = function(*args, **kwargs)
            die_at(f"after {place}")
            return result

        setattr(module, name, run)

    for place in FUNCTIONS + MARK_FUNCTIONS:
        replace(place)
