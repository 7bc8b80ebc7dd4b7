"""Recordings for minutes while everything around them fails: `make soak MINUTES=20`. `make test` leaves it out.

Three workers, a PostgreSQL and a Valkey of its own; models are replaced as in tests/faults. SOAK_SEED=n draws the same
faults again.
"""

import os
import random
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from campus.academics.models import Course, Lecture
from campus.attendance.models import Report
from campus.common import jobs
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES
from tests.campus import factories
from tests.faults.conftest import Campus, attendance_rows, campus_on_postgres, postgres, valkey
from tests.faults.test_workers import SEGMENTS
from tests.servers.disks import small_disk
from tests.servers.postgres import Postgres
from tests.soak.chaos import Chaos
from tests.soak.growth import broker_elements, resident_megabytes, stored_files, table_rows
from tests.waiting import wait_until
from workers import maintenance

__all__ = ["campus_on_postgres", "postgres", "valkey"]

MINUTES = float(os.environ.get("SOAK_MINUTES", "2"))
SEED = int(os.environ.get("SOAK_SEED") or time.time())
RECORDINGS = round(15 * MINUTES)
FAULTS_SECONDS = 60 * MINUTES - 60  # the minute is for what is undisturbed before and after
COURSES, STUDENTS, WORKERS = 4, 4, 3
SECONDS_BETWEEN_FAULTS = (1, 3)
SECONDS_OF_A_SEGMENT = 0.5
DEADLINE_SECONDS = 900  # workers rest for up to five minutes
# A kill may meet the same segment again and again, which is not its fault.
MAX_ATTEMPTS = 20
# Growth of a worker's main process from the first third to the last one that is none.
LEVEL_MEGABYTES = 10
# What a killed worker had taken comes back after hours, does nothing then, and is gone.
HELD_MESSAGES = ("unacked", "unacked_index")
MESSAGES_OF_A_WORKER = 4  # in work and taken before their turn, in each of two processes

Row = tuple[str, str, float, float]


@pytest.fixture
def is_disk_own(tmp_path: Path) -> Iterator[bool]:
    """Whether the campus has a disk of its own, which can be filled. A container may not be allowed to mount one."""
    with ExitStack() as stack:
        try:
            stack.enter_context(small_disk(tmp_path / "var"))
        except subprocess.CalledProcessError:
            is_own = False
        else:
            is_own = True
        yield is_own


class Soak:
    """Recordings of a few classes. In each the students change roles: who is late in one is absent in another."""

    def __init__(self, campus: Campus) -> None:
        self.campus = campus
        self.random = random.Random(SEED)  # noqa: S311 - the same recordings again
        self.courses: list[Course] = [campus.lecture(STUDENTS).course for _ in range(COURSES)]
        Lecture.objects.all().delete()
        self.roles: dict[Lecture, list[int]] = {}

    def upload(self, *, shuffle: bool = True) -> Recording:
        course = self.courses[len(self.roles) % COURSES]
        starts = factories.STARTS - timedelta(hours=len(self.roles))
        lecture = factories.lecture(course, starts_at=starts)
        roles = list(range(STUDENTS))  # the student with each role
        if shuffle:
            self.random.shuffle(roles)
        self.roles[lecture] = roles
        segments = [[roles[person] if person < STUDENTS else person for person in minute] for minute in SEGMENTS]
        return self.campus.upload(lecture, segments, work=SECONDS_OF_A_SEGMENT)

    def expected_rows(self, lecture: Lecture, undisturbed: list[Row]) -> list[Row]:
        roles = self.roles[lecture]
        rows = [(f"Student {roles[role]}", *row[1:]) for role, row in enumerate(undisturbed)]
        return sorted(rows)

    def wait_until_at_rest(self) -> None:
        """Until nothing is left to do: for as long as a slow machine takes, while recordings end."""
        are_open = Recording.objects.filter(state__in=OPEN_STATES)
        for left in range(are_open.count(), 0, -1):
            wait_until(partial(lambda left: are_open.count() < left, left), "another recording ends", DEADLINE_SECONDS)
        wait_until(lambda: not any(job.waiting().exists() for job in jobs.JOBS), "no job waits", DEADLINE_SECONDS)
        unwritten = Report.objects.filter(sha256="")
        wait_until(lambda: not unwritten.exists(), "all workbooks are written", DEADLINE_SECONDS)

    def sizes(self) -> Counter[str]:
        return table_rows() + stored_files(self.campus)

    def sizes_at_rest(self) -> Counter[str]:
        """The sizes once nothing is left to do, and they have not changed for a while."""
        self.wait_until_at_rest()
        last, since = self.sizes(), time.monotonic()
        while time.monotonic() < since + 4:
            time.sleep(0.5)
            if (new := self.sizes()) != last:
                last, since = new, time.monotonic()
        return last


def wait_until_empty(find: Callable[[], dict[str, Any]], seconds: float = 120) -> dict[str, Any]:
    """What is found once nothing is, or what still is after so many seconds."""
    deadline = time.monotonic() + seconds
    while (found := find()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def test_soak(
    is_disk_own: bool, campus_on_postgres: Campus, postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    print(f"SOAK_SEED={SEED}")
    campus = campus_on_postgres
    campus.environment |= {
        "ROLLCALL_HEARTBEAT_SECONDS": "2",
        "ROLLCALL_LEASE_SECONDS": "15",
        "ROLLCALL_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
    }
    chaos, soak = Chaos(campus, postgres, SEED, fills_disk=is_disk_own), Soak(campus)
    for number in range(WORKERS):
        chaos.start_worker(number)
    first = [soak.upload(shuffle=False) for _ in range(COURSES)]
    before = soak.sizes_at_rest()
    undisturbed = attendance_rows(first[0].lecture)
    assert [row[1] for row in undisturbed] == ["present", "late", "left_early", "absent"]
    for _ in range(COURSES):
        soak.upload()
    after = soak.sizes_at_rest()
    of_each = {name: (after[name] - before[name]) / COURSES for name in after}
    elements = broker_elements(campus.valkey)

    begun, memory = time.monotonic(), []
    next_fault, left = begun, RECORDINGS
    while (passed := time.monotonic() - begun) < FAULTS_SECONDS or left:
        chaos.end_due()
        if time.monotonic() >= next_fault and passed < FAULTS_SECONDS:
            chaos.begin_one()
            next_fault = time.monotonic() + chaos.random.uniform(*SECONDS_BETWEEN_FAULTS)
        if chaos.can_upload and RECORDINGS - left <= RECORDINGS * passed / FAULTS_SECONDS and left:
            soak.upload()
            left -= 1
        memory.append(resident_megabytes(chaos.workers[0].process.pid))
        assert_nobody_died(chaos)
        time.sleep(0.2)
    chaos.end_due(all_of_them=True)
    disturbed_until = time.monotonic()
    soak.wait_until_at_rest()
    settled = time.monotonic() - disturbed_until
    # What a worker leaves that is killed between the end of a vote and the deletion of its tracks goes hours later.
    with mock.patch.object(maintenance, "LEFTOVER_RETENTION_SECONDS", 0):
        maintenance.delete_old_tracks()
    expected = Counter({name: after[name] + RECORDINGS * each for name, each in of_each.items()})

    def find_growth() -> dict[str, Any]:
        sizes = soak.sizes()
        return {n: (expected[n], sizes[n]) for n in expected | sizes if sizes[n] != expected[n]}

    def find_queued() -> dict[str, Any]:
        sizes = broker_elements(campus.valkey)
        held = Counter(dict.fromkeys(HELD_MESSAGES, MESSAGES_OF_A_WORKER * chaos.counts["a worker is killed"]))
        return {name: (elements[name], size) for name, size in sizes.items() if size > elements[name] + held[name]}

    grown, queued = wait_until_empty(find_growth), wait_until_empty(find_queued)
    assert_nobody_died(chaos)

    lost = Recording.objects.exclude(state=Recording.State.DONE, coverage=1, provisional=False)
    wrong = [lecture for lecture in soak.roles if attendance_rows(lecture) != soak.expected_rows(lecture, undisturbed)]
    third = len(memory) // 3
    levels = statistics.median(memory[:third]), statistics.median(memory[-third:])
    with capsys.disabled():
        print(f"\nSOAK_SEED={SEED}, {MINUTES:g} minutes, {WORKERS} workers")
        for fault, n in sorted(chaos.counts.items()):
            print(f"{fault:26} {n:4} times")
        print(f"{'recordings':26} {len(soak.roles):4}, lost {lost.count()}, wrong or doubled {len(wrong)}")
        print(f"{'done after the last fault':26} {settled:4.0f} s")
        print(f"{'grown tables and folders':26} {grown or 'none'}")
        print(f"{'grown keys':26} {queued or 'none'}")
        print(f"{'memory of a worker':26} {levels[0]:4.0f} MB in the first third, {levels[1]:.0f} MB in the last")
    assert not [(row.state, row.coverage, str(row.error)) for row in lost]
    assert not wrong
    assert not grown, "rows or files that recordings do not have when nothing disturbs them"
    assert not queued
    assert levels[1] - levels[0] < LEVEL_MEGABYTES
    logs = {worker.log for worker in campus.workers}
    assert not [log.name for log in logs if "Unrecoverable error" in log.read_text()], "a worker gave up by itself"


def assert_nobody_died(chaos: Chaos) -> None:
    dead = [
        worker.log.name
        for number, worker in chaos.workers.items()
        if f"worker {number}" not in chaos.ends and worker.process.poll() is not None
    ]
    assert not dead, "a worker ended by itself"
