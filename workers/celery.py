"""The Celery application. Its queues, time limits and schedule come from the registries of the campus."""

import logging
import os
from pathlib import Path
from typing import Any

import django
from billiard import current_process
from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_process_init
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campus.settings.dev")
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # migrate makes them, once for a release; they read all pages
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from campus.common.jobs import MAINTENANCE_QUEUE, QUEUES, SOFT_TIME_LIMIT_SECONDS, TIME_LIMIT_SECONDS  # noqa: E402
from campus.common.periodic_tasks import PERIODIC_JOBS  # noqa: E402
from workers.older_tables import refuse_older_tables  # noqa: E402

# Redis delivers a message again if it is not acknowledged within this time. No task may run that long, so only the
# messages of dead workers are delivered again.
VISIBILITY_TIMEOUT_SECONDS = 2 * TIME_LIMIT_SECONDS
# Long, because a machine with a wrong clock would silently drop messages that expire soon.
PERIODIC_TASK_EXPIRY_SECONDS = 3600

app = Celery(
    "rollcall",
    broker=settings.BROKER_URL,
    include=[
        "workers.aggregate",
        "workers.annotate",
        "workers.fetch",
        "workers.file_imports",
        "workers.heartbeat",
        "workers.ingest",
        "workers.maintenance",
        "workers.connections",
        "workers.erasures",
        "workers.outbox",
        "workers.periodic",
        "workers.segments",
        "workers.snapshots",
        "workers.sources",
        "workers.thumbnails",
        "workers.training",
        "workers.unknown_people",
    ],
)
app.conf.update(
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
    task_default_queue=MAINTENANCE_QUEUE,
    task_create_missing_queues=False,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    # A message is acknowledged when its task ends, not when it starts, so that of a killed worker returns to the queue.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=SOFT_TIME_LIMIT_SECONDS,
    task_time_limit=TIME_LIMIT_SECONDS,
    visibility_timeout=VISIBILITY_TIMEOUT_SECONDS,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "socket_connect_timeout": 5,
        "health_check_interval": 25,
        # How long Redis holds a request for messages that has none yet; one that comes is answered at once.
        "polling_interval": 5,
    },
    result_backend_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT_SECONDS},
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_channel_error_retry=True,  # a full Redis refuses to write
    worker_consumer="workers.consumer:Consumer",
    worker_pool="workers.pool:TaskPool",
    # A task continues while the broker is away: its result goes into the database.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_max_tasks_per_child=200,
    worker_soft_shutdown_timeout=30,
    timezone=settings.TIME_ZONE,
    beat_scheduler="workers.beat_scheduler:Scheduler",
    beat_max_loop_interval=settings.SWEEP_SECONDS,  # until a changed schedule is noticed
    beat_schedule={
        job.name: {
            "task": job.task,
            "schedule": job.schedule,
            "options": {"queue": job.queue, "expire_seconds": PERIODIC_TASK_EXPIRY_SECONDS},
        }
        for job in PERIODIC_JOBS
    },
)


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Keep the logging of Django's settings, which Celery does if this signal has a receiver.

    Celery's line for each message is silenced.
    """
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(name).setLevel(logging.WARNING)


@celeryd_init.connect
def check_tables(**_: Any) -> None:
    refuse_older_tables()
    connection.close()  # children that are forked later must not share it


@worker_process_init.connect
def take_own_gpu(**_: Any) -> None:
    """Let each child process see one GPU, before it loads a model: that of its number among those that
    CUDA_VISIBLE_DEVICES names, or else among all of the machine."""
    if names := os.environ.get("CUDA_VISIBLE_DEVICES"):
        cards = names.split(",")
    else:
        cards = [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]
    if cards:
        number = current_process().index  # type: ignore[attr-defined]  # billiard's own
        os.environ["CUDA_VISIBLE_DEVICES"] = cards[number % len(cards)]


@celeryd_init.connect
def limit_threads(options: dict[str, Any], **_: Any) -> None:
    """Give each child process its share of the cores, before the children are forked and load their models."""
    cores = len(os.sched_getaffinity(0))
    threads = str(max(1, cores // int(options.get("concurrency") or cores)))
    for name in ("ROLLCALL_THREADS", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, threads)
