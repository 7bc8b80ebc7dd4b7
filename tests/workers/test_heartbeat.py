"""The main process of a worker beats in a thread, while it forks children."""

import os
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.models.functions import Now

from campus.common.jobs import SWEEP_QUEUE
from campus.monitoring.models import Worker
from campus.monitoring.workers import forget_gone_workers, note_heartbeat
from workers.heartbeat import Heartbeat

FORKS = 20


def test_no_child_is_forked_in_the_middle_of_a_beat(monkeypatch) -> None:
    """It would inherit what locks the beat holds, locked forever."""
    lock, stopped, beats = threading.Lock(), threading.Event(), 0

    def beat(_: Any) -> None:
        nonlocal beats
        with lock:
            stopped.wait(0.001)  # so that most of the time is spent in here
            beats += 1

    monkeypatch.setattr(Heartbeat, "_beat", beat)
    heartbeat = Heartbeat(SimpleNamespace(hostname="one", pool=SimpleNamespace(info={})))

    def beat_on() -> None:
        while not stopped.is_set():
            heartbeat.try_to_beat()

    thread = threading.Thread(target=beat_on)
    thread.start()
    try:
        for _ in range(FORKS):
            child = os.fork()
            if not child:
                os._exit(int(lock.locked()))
            _, status = os.waitpid(child, 0)
            assert status == 0, "the child's copy of the lock is held by a thread that it does not have"
    finally:
        stopped.set()
        thread.join()
    assert beats


@pytest.mark.django_db
def test_a_worker_that_vanished_is_noticed_within_15_seconds(settings) -> None:
    """Until then nobody is taken for gone whose heartbeat is a few seconds late."""
    for name, silent in (("late", 2 * settings.HEARTBEAT_SECONDS), ("vanished", 14.1)):
        note_heartbeat(worker=name, name=name, queues=["vision"])
        Worker.objects.filter(pk=name).update(seen_at=Now() - timedelta(seconds=silent))
    remaining = forget_gone_workers()
    assert [worker.pk for worker in Worker.objects.all()] == ["late"]
    assert 3 < remaining <= 15 - 2 * settings.HEARTBEAT_SECONDS, "when the sweeper's worker has to look again"


@pytest.mark.django_db
def test_the_sweepers_worker_looks_again_as_soon_as_another_one_may_be_gone(settings) -> None:
    sweeper = Heartbeat(SimpleNamespace(hostname="sweeper@one", pool=SimpleNamespace(info={}, limit=1)))
    sweeper.queues = [SWEEP_QUEUE]
    note_heartbeat(worker="late", name="late", queues=["vision"])
    Worker.objects.update(seen_at=Now() - timedelta(seconds=12))
    for _ in range(2):  # the first one says nothing: the database may have been away
        sweeper.try_to_beat()
    assert 0 < sweeper.pause < settings.HEARTBEAT_SECONDS


def test_a_worker_that_stops_takes_no_child_for_dead() -> None:
    """Celery's pool has no processes any more while the last beat is on."""

    class Pool:
        info = {"processes": [7]}

    class StoppedPool:
        @property
        def info(self) -> Any:
            raise AttributeError("'NoneType' object has no attribute '_pool'")

    heartbeat = Heartbeat(SimpleNamespace(hostname="one", pool=Pool()))
    heartbeat.pool = StoppedPool()
    assert heartbeat._living_children() == {7} == heartbeat.children
