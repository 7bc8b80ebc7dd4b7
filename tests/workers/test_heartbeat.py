"""The main process of a worker beats in a thread, while it forks children."""

import os
import threading
from types import SimpleNamespace
from typing import Any

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
