"""`make run`: everything starts with one command, and no process is left, however it ends."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.waiting import DEADLINE_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]


def process_tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(member for child in children for member in process_tree(int(child)))]
    return []


def living(pids: list[int]) -> list[int]:
    def running(pid: int) -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False

    return [pid for pid in pids if running(pid)]


class Rollcall:
    """`python -m deploy.local` with a folder of its own."""

    def __init__(self, folder: Path, port: int, **extra: str) -> None:
        unset = ("ROLLCALL_DATABASE_URL", "ROLLCALL_REDIS_URL", "ROLLCALL_TEST_POSTGRES_URL")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {
            "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
            "ROLLCALL_DATA_DIR": str(folder / "var"),
            "ROLLCALL_REPORTS_DIR": str(folder / "reports"),
        }
        environment |= extra
        self.var, self.port = folder / "var", port
        self.output = folder / f"output-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "deploy.local", "--port", str(port)]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def output_text(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> "Rollcall":
        wait_until(
            lambda: "Ctrl-C stops it" in self.output_text() or self.process.poll() is not None,
            "the web application is announced",
        )
        assert self.process.poll() is None, self.output_text()
        # The worker forks its children when it is ready.
        wait_until(lambda: len(process_tree(self.process.pid)) >= 8, "all processes are there")
        return self

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def find_valkey(pids: list[int]) -> int | None:
    return next((pid for pid in pids if "valkey" in Path(f"/proc/{pid}/comm").read_text()), None)


def find_sockets(pid: int, kind: str) -> list[str]:
    """The rows of /proc/net about a process's sockets of a kind ("unix", "tcp", "tcp6")."""
    inodes = {
        match[1]
        for file in Path(f"/proc/{pid}/fd").iterdir()
        if (match := re.match(r"socket:\[(\d+)", str(file.readlink())))
    }
    return [row for row in Path(f"/proc/net/{kind}").read_text().splitlines() if inodes & set(row.split())]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Callable[..., Rollcall]]:
    started: list[Rollcall] = []

    def start_one(**extra: str) -> Rollcall:
        started.append(Rollcall(tmp_path, port, **extra))
        return started[-1]

    yield start_one
    for rollcall in started:
        for pid in living(process_tree(rollcall.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        rollcall.process.wait()


def login(rollcall: Rollcall) -> tuple[str, str]:
    """Name and password, as they were printed."""
    found = re.search(r"Log in as (\S+) with the password (\S+) ", rollcall.output_text())
    assert found, rollcall.output_text()
    return found[1], found[2]


def log_in(rollcall: Rollcall, name: str, password: str) -> requests.Response:
    return requests.post(
        rollcall.url("/api/v1/token/"), json={"username": name, "password": password}, timeout=DEADLINE_SECONDS
    )


def wait_until_it_says(rollcall: Rollcall, sentence: str) -> None:
    wait_until(lambda: sentence in rollcall.output_text() or rollcall.process.poll() is not None, sentence)
    assert sentence in rollcall.output_text()


def test_from_the_first_start_to_the_end(start: Callable[..., Rollcall]) -> None:
    """What is started prints a login that works, keeps all to itself, and leaves nothing when it is stopped."""
    rollcall = start().wait_until_ready()
    name, password = login(rollcall)
    assert log_in(rollcall, name, password).json()["token"]
    assert password not in "".join(log.read_text() for log in (rollcall.var / "log").iterdir())
    assert (rollcall.var / "rollcall.sqlite3").exists()
    folders = (rollcall.var, rollcall.var.with_name("reports"))
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    assert [path for path in paths if path.stat().st_mode & 0o077] == [], "nobody else on the machine reads it"
    valkey = find_valkey(process_tree(rollcall.process.pid))
    assert valkey
    assert find_sockets(valkey, "tcp") + find_sockets(valkey, "tcp6") == []
    broker = Path(next(row.split()[-1] for row in find_sockets(valkey, "unix") if row.endswith("/valkey")))
    assert (broker.stat().st_mode & 0o777, broker.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    second = start()
    assert second.process.wait(DEADLINE_SECONDS) == 1
    assert "is running in" in second.output_text()
    assert rollcall.process.poll() is None

    for number in range(2):
        os.kill(valkey, signal.SIGKILL)
        wait_until_it_says(rollcall, f"started again in {2**number} s")
        valkey = wait_until(lambda: find_valkey(living(process_tree(rollcall.process.pid))), "there is another one")
    assert "The valkey process stopped with status -9" in rollcall.output_text()
    assert str(rollcall.var / "log" / "valkey.log") in rollcall.output_text()

    pids = process_tree(rollcall.process.pid)
    rollcall.process.send_signal(signal.SIGINT)
    assert rollcall.process.wait(DEADLINE_SECONDS) == 0
    assert living(pids) == []
    assert not broker.parent.exists()


def test_a_taken_port_is_reported_and_no_process_is_left(start: Callable[..., Rollcall], port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        rollcall = start()
        assert rollcall.process.wait(DEADLINE_SECONDS) == 1
    assert f"Port {port} is in use" in rollcall.output_text()
    assert "Traceback" not in rollcall.output_text()


def test_a_locked_database_ends_nothing_and_a_page_says_so(start: Callable[..., Rollcall], tmp_path: Path) -> None:
    """Neither at the start, nor later. And nothing outlives what started it."""
    file = tmp_path / "var" / "rollcall.sqlite3"
    file.parent.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        quick = {"ROLLCALL_HEARTBEAT_SECONDS": "1", "ROLLCALL_SWEEP_SECONDS": "1"}
        rollcall = start(ROLLCALL_DATABASE_URL=f"sqlite:///{file}?timeout=1", **quick)
        sentence = f"Another program is using the database {file}. Rollcall starts once it is free.\n"
        wait_until_it_says(rollcall, sentence)
    rollcall.wait_until_ready()
    assert rollcall.output_text().count(sentence) == 1
    assert "Traceback" not in rollcall.output_text()
    before = process_tree(rollcall.process.pid)

    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for name in ("worker", "quick", "collector", "sweeper", "scheduler"):
            log = rollcall.var / "log" / f"{name}.log"
            wait_until(partial(lambda log: "is locked" in log.read_text(), log), f"{name} has met the lock")
        refused = log_in(rollcall, *login(rollcall))
        assert refused.status_code == 503
        assert "The database cannot be used at the moment" in refused.text
    assert log_in(rollcall, *login(rollcall)).status_code == 200
    assert set(before) <= set(living(before)), "no process has ended"
    assert "started again" not in rollcall.output_text()

    rollcall.process.kill()
    rollcall.process.wait()
    wait_until(lambda: living(before) == [], "the children are gone")

    again = start().wait_until_ready()
    assert "password" not in again.output_text()
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(DEADLINE_SECONDS) == 0
