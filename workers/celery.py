"""The Celery application: queues, limits, schedule. What the settings guard against is in the design's rules 1 to 3."""

import logging
import os
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campus.settings.dev")

from django.conf import settings

QUEUES = ("ingest", "vision", "aggregate", "training", "collect", "upkeep")
SOFT_SECONDS = 14 * 60
HARD_SECONDS = 15 * 60
# Redis repeats a message that is not acknowledged for so long. Longer than any task may run, so that it means a dead worker.
VISIBILITY_SECONDS = 2 * HARD_SECONDS

app = Celery(
    "rollcall",
    broker=settings.BROKER_URL,
    include=[
        "workers.ingest",
        "workers.recognise",
        "workers.aggregate",
        "workers.stills",
        "workers.training",
        "workers.upkeep",
        "workers.outbox",
    ],
)
app.conf.update(
    task_queues=[
        Queue(name, Exchange(name), routing_key=name) for name in ("ingest", "vision", "aggregate", "training", "collect", "upkeep")
    ],
    task_default_queue="upkeep",
    task_create_missing_queues=False,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    # A message is gone when its work is over, not when it begins; a killed worker's goes back to the queue.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=SOFT_SECONDS,
    task_time_limit=HARD_SECONDS,
    visibility_timeout=VISIBILITY_SECONDS,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_keepalive": True,
        "socket_connect_timeout": 5,
        "health_check_interval": 25,
    },
    result_backend_transport_options={"visibility_timeout": VISIBILITY_SECONDS},
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Work goes on while the broker is away: its outcome is in the database.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_max_tasks_per_child=200,
    worker_soft_shutdown_timeout=30,
    timezone=settings.TIME_ZONE,
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
    # Both may run twice, late or not at all without harm, so two schedulers double nothing. They expire late only: with a
    # short time a clock that is wrong would silently throw all of them away.
    beat_schedule={
        "sweep": {
            "task": "rollcall.sweep",
            "schedule": timedelta(seconds=settings.SWEEP_SECONDS),
            "options": {"queue": "upkeep", "expires": 3600},
        },
        "outbox": {"task": "rollcall.outbox", "schedule": timedelta(minutes=1), "options": {"queue": "upkeep", "expires": 3600}},
        "upkeep": {"task": "rollcall.upkeep", "schedule": timedelta(hours=1), "options": {"queue": "upkeep", "expires": 3600}},
    },
)


@setup_logging.connect
def as_django_logs(**_: Any) -> None:
    """With somebody listening here Celery leaves the logging as the settings have it. Each message is not news."""
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(name).setLevel(logging.WARNING)


@celeryd_init.connect
def share_the_cores(options: dict[str, Any], **_: Any) -> None:
    """Before the children are forked: each gets its part of the cores. A model is loaded in the children only."""
    cores = len(os.sched_getaffinity(0))
    threads = str(max(1, cores // int(options.get("concurrency") or cores)))
    for name in ("ROLLCALL_THREADS", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, threads)
