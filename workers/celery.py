"""The Celery application: queues, limits, schedule. What the settings guard against is in the design's rules 1 to 3."""

import logging
import os
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab
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
        "workers.snapshots",
        "workers.training",
        "workers.maintenance",
        "workers.outbox",
        "workers.timetable",
        "workers.collect",
    ],
)
app.conf.update(
    task_queues=[
        Queue(name, Exchange(name), routing_key=name)
        for name in ("ingest", "vision", "aggregate", "training", "collect", "upkeep")
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
    beat_scheduler="workers.schedule:Scheduler",
    # All may run twice, late or not at all without harm. They expire late only: with a short time a clock that is wrong would
    # silently throw all of them away.
    beat_schedule={
        name: {"task": task, "schedule": schedule, "options": {"queue": "upkeep", "expire_seconds": 3600}}
        for name, task, schedule in (
            ("sweep", "rollcall.sweep", timedelta(seconds=settings.SWEEP_SECONDS)),
            ("outbox", "rollcall.outbox", timedelta(minutes=1)),
            ("upkeep", "rollcall.upkeep", timedelta(hours=1)),
            ("footage", "rollcall.collect", timedelta(minutes=1)),
            ("alarms", "rollcall.watch", timedelta(minutes=10)),
            # Each day: the first time after a week is over counts, also when the messages of some days were lost.
            ("week", "rollcall.week", crontab(hour=6, minute=30)),
        )
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
