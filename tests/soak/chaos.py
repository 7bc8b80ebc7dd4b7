"""What goes wrong during a soak: faults that begin and end at random, by a seed."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from campus.common import jobs
from tests.faults.conftest import Campus, Worker
from tests.servers.disks import empty_disk, fill_disk
from tests.servers.postgres import Postgres

LEFT_BYTES = 64 * 1024  # on a disk that is nearly full


class Chaos:
    """Begins faults at random. Each ends by itself; at most one of a kind goes on at a time."""

    def __init__(self, campus: Campus, postgres: Postgres, seed: int, *, fills_disk: bool) -> None:
        self.campus, self.postgres, self.fills_disk = campus, postgres, fills_disk
        self.random = random.Random(seed)  # noqa: S311 - the same faults again
        self.counts: Counter[str] = Counter()
        self.ends: dict[str, tuple[float, Callable[[], object]]] = {}  # by what is at fault
        self.workers: dict[int, Worker] = {}

    def start_worker(self, number: int) -> None:
        clock = self.campus.folder / f"clock{number}"
        clock.write_text("0")
        self.workers[number] = self.campus.worker(name=f"worker{number}", FAULT_CLOCK=str(clock))

    @property
    def is_database_away(self) -> bool:
        return "database" in self.ends

    @property
    def can_upload(self) -> bool:
        return not self.is_database_away and "disk" not in self.ends

    def begin_one(self) -> None:
        """Begin a fault that does not go on already."""
        faults = [
            self.kill_child,
            self.kill_child,
            self.kill_worker,
            self.stop_worker,
            self.restart_broker,
            self.empty_broker,
            self.restart_database,
            self.step_clock,
            self.repeat_messages,
            *([self.fill_disk] if self.fills_disk else []),
        ]
        self.random.choice(faults)()

    def end_due(self, *, all_of_them: bool = False) -> None:
        """End the faults whose time is over."""
        for subject, (when, end) in list(self.ends.items()):
            if all_of_them or time.monotonic() >= when:
                del self.ends[subject]
                end()

    def _note(self, fault: str, subject: str, seconds: float, end: Callable[[], object]) -> None:
        self.counts[fault] += 1
        self.ends[subject] = (time.monotonic() + self.random.uniform(0, seconds), end)

    def _free_worker(self) -> int | None:
        free = [number for number in self.workers if f"worker {number}" not in self.ends]
        return self.random.choice(free) if free else None

    def kill_child(self) -> None:
        """SIGKILL to a process that is at a job."""
        if self.is_database_away:
            return
        held = jobs.held_by_workers()
        owners = [
            owner for job in jobs.JOBS for owner in job.waiting().filter(held).values_list("lease_owner", flat=True)
        ]
        if owners:
            pid = int(self.random.choice(owners).split("-")[1])
            if any(worker.has(pid) for worker in self.workers.values()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.counts["a child is killed"] += 1

    def kill_worker(self) -> None:
        """All of a worker's processes; the first worker is spared, so that its memory is seen for long."""
        number = self._free_worker()
        if number:
            self.workers[number].kill()
            self._note("a worker is killed", f"worker {number}", 5, lambda: self.start_worker(number))

    def stop_worker(self) -> None:
        number = self._free_worker()
        if number is not None:
            worker = self.workers[number]
            worker.signal(signal.SIGSTOP)
            self._note("a worker is stopped", f"worker {number}", 15, lambda: worker.signal(signal.SIGCONT))

    def restart_broker(self) -> None:
        if "broker" not in self.ends:
            self.campus.valkey.stop()
            self._note("Valkey restarts", "broker", 5, self.campus.valkey.start)

    def empty_broker(self) -> None:
        if "broker" not in self.ends:
            self.campus.valkey.client.flushall()
            self.counts["Valkey is emptied"] += 1

    def restart_database(self) -> None:
        if not self.is_database_away:
            self.postgres.stop(self.random.choice(["fast", "immediate"]))
            self._note("PostgreSQL restarts", "database", 5, self.postgres.start)

    def fill_disk(self) -> None:
        if "disk" not in self.ends:
            disk = self.campus.folder / "var"
            fill_disk(disk, LEFT_BYTES)
            self._note("the disk is full", "disk", 8, lambda: empty_disk(disk))

    def step_clock(self) -> None:
        number = self.random.choice(list(self.workers))
        if f"clock {number}" not in self.ends:
            clock = self.campus.folder / f"clock{number}"
            clock.write_text(str(self.random.choice([-86400, -3600, -60, 60, 3600, 86400])))
            self._note("a clock is off", f"clock {number}", 20, lambda: clock.write_text("0"))

    def repeat_messages(self) -> None:
        """All messages that wait, once more."""
        if not self.is_database_away and "broker" not in self.ends:
            for job in jobs.JOBS:
                job.publish(list(job.waiting().values_list("pk", flat=True)))
            self.counts["messages are repeated"] += 1
