"""What a worker's main process does beside the tasks of its children: it says that it runs, ends the leases of children
that died, and rests queues that its machine cannot serve for now. With a clock that is wrong it rests all of them.
"""

import logging
import os
import threading
import time
from typing import Any
from uuid import uuid4

from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from campus.common.jobs import SWEEP_QUEUE, end_leases
from campus.common.storage import is_storage_here
from campus.monitoring.workers import (
    forget_gone_workers,
    forget_worker,
    max_silence,
    note_heartbeat,
    note_pause,
    note_resumption,
)
from recognition.messages import Message
from workers.celery import app
from workers.faults import find_clock_problem

log = logging.getLogger(__name__)

# The children of this worker share it: they are forked from the process that made it.
WORKER_ID = uuid4().hex[:16]
FIRST_REST_SECONDS = 5
MAX_REST_SECONDS = 300
SOUND_AFTER_SECONDS = 600  # without a problem, so that the next rest is short again

# Held during a beat and during a fork. A child that is forked in the middle of a beat would inherit the locks that this
# thread holds then, of the driver of the database or of the broker's client, and wait for them forever.
_beat_or_fork = threading.Lock()
os.register_at_fork(
    before=_beat_or_fork.acquire, after_in_parent=_beat_or_fork.release, after_in_child=_beat_or_fork.release
)


def pause_queue(hostname: str, queue: str, problem: Message) -> None:
    """Let this worker take nothing from the queue for a while, since its machine cannot do what waits there. Called by
    a child; the main process resumes.
    """
    log.error("%s takes nothing from the queue %s for now: %s", hostname, queue, problem)
    try:
        app.control.cancel_consumer(queue, destination=[hostname])
    except (OperationalError, OSError) as error:
        log.warning("The broker cannot be reached: %s", error)
    note_pause(worker=WORKER_ID, queue=queue, problem=problem)
    time.sleep(1)  # until the main process has stopped taking messages


class Heartbeat:
    """The thread of the main process. `consumer` is Celery's."""

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer
        self.name = str(consumer.hostname)
        self.pool = consumer.pool
        self.queues = sorted(app.amqp.queues.consume_from)
        self.children: set[int] = set()
        self.children = self._living_children()
        self.beaten_at = float("-inf")
        self.pause = settings.HEARTBEAT_SECONDS
        self.rests: dict[str, int] = {}  # how often each queue has rested
        self.resume_at: dict[str, float] = {}
        self.resumed_at: dict[str, float] = {}
        self.stopped = threading.Event()

    def run(self) -> None:
        """Beat until the worker stops."""
        while not self.stopped.wait(self.pause):
            self.try_to_beat()
        connection.close()

    def try_to_beat(self) -> None:
        """Beat once. An error of the database or the broker costs a beat."""
        self.pause = settings.HEARTBEAT_SECONDS
        try:
            with _beat_or_fork:
                self._beat()
        except (DatabaseError, OperationalError, OSError) as error:
            log.warning("A heartbeat was missed: %s", error)
            connection.close()

    def _beat(self) -> None:
        """Say that this worker runs, and do what is due."""
        note_heartbeat(worker=WORKER_ID, name=self.name, queues=self.queues, processes=self.pool.limit)
        now, clock_problem = time.monotonic(), find_clock_problem()
        if clock_problem:
            self._pause_all_queues(clock_problem, now)
        living = self._living_children()
        for child in self.children - living:
            if ended := end_leases(f"{WORKER_ID}-{child}-", count_attempts=True):
                log.warning("process %d died; the leases of %d jobs were ended", child, ended)
        self.children = living
        # After an outage of the database nobody has been heard of: whoever lives beats first.
        if SWEEP_QUEUE in self.queues and now - self.beaten_at < max_silence() - settings.HEARTBEAT_SECONDS:
            self.pause = min(self.pause, forget_gone_workers())
        self.beaten_at = now
        if not clock_problem:
            self._resume_queues(now)

    def _living_children(self) -> set[int]:
        try:
            return set(self.pool.info.get("processes", ()))
        except AttributeError:  # the worker is stopping, and has no pool any more; its children end what they do
            return self.children

    def _pause_all_queues(self, problem: Message, now: float) -> None:
        """Until the first beat with a clock that is right: no job has to be tried to see that it is."""
        for queue in sorted(app.amqp.queues.consume_from):
            log.error("%s takes nothing from the queue %s for now: %s", self.name, queue, problem)
            # At the start: before the first message is taken.
            self.consumer.call_soon(self.consumer.cancel_task_queue, queue)
            note_pause(worker=WORKER_ID, queue=queue, problem=problem)
            self.resume_at[queue] = now

    def _resume_queues(self, now: float) -> None:
        for queue in self.queues:
            if queue in app.amqp.queues.consume_from:
                if now - self.resumed_at.get(queue, now) > SOUND_AFTER_SECONDS:
                    self.rests.pop(queue, None)
                continue
            if queue not in self.resume_at or (now >= self.resume_at[queue] and not is_storage_here()):
                rests = self.rests[queue] = self.rests.get(queue, 0) + 1
                self.resume_at[queue] = now + min(FIRST_REST_SECONDS * 2 ** min(rests - 1, 16), MAX_REST_SECONDS)
            elif now >= self.resume_at[queue]:
                app.control.add_consumer(queue, destination=[self.name])
                note_resumption(worker=WORKER_ID, queue=queue)
                del self.resume_at[queue]
                self.resumed_at[queue] = now
                log.info("takes jobs from the queue %s again", queue)


_heartbeats: list[Heartbeat] = []


@worker_ready.connect
def start_heartbeat(sender: Any, **_: Any) -> None:
    """Beat once before the worker takes its first message, then in a thread."""
    heartbeat = Heartbeat(sender)
    _heartbeats.append(heartbeat)
    heartbeat.try_to_beat()
    connection.close()  # children that are forked later must not share it
    threading.Thread(target=heartbeat.run, name="heartbeat", daemon=True).start()


@worker_shutdown.connect
def stop_heartbeat(**_: Any) -> None:
    """Say that the worker is gone, so that nobody waits for its leases to end."""
    for heartbeat in _heartbeats:
        heartbeat.stopped.set()
    if _heartbeats:
        try:
            forget_worker(worker=WORKER_ID)
        except DatabaseError as error:
            log.warning("The worker could not sign off: %s", error)
