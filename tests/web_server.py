"""A real web server of two processes on the tests' database, which can be killed and started again."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from deploy.local import free_port
from tests.servers.postgres import database_url

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1  # include/uapi/linux/prctl.h; since Linux 6.3
ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 60.0


class WebServer:
    """gunicorn, with `settings.MEDIA_ROOT` in folder/var as it is in the test."""

    def __init__(self, folder: Path, *, threads: int = 4) -> None:
        self.log = folder / "web.log"
        self.threads, self.port = threads, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "campus.settings.test",
            "ROLLCALL_TEST_POSTGRES_URL": "",
            "ROLLCALL_DATABASE_URL": database_url(),
            "ROLLCALL_REDIS_URL": settings.BROKER_URL,
            "ROLLCALL_DATA_DIR": str(Path(settings.MEDIA_ROOT).parent),
            "ROLLCALL_REPORTS_DIR": str(settings.REPORTS_DIR),
        }

    def start(self) -> None:
        processes = ["--workers", "2", "--threads", str(self.threads)]
        settings = ["-c", "python:campus.settings.gunicorn", "--bind", f"127.0.0.1:{self.port}"]
        command = [sys.executable, "-m", "gunicorn", "tests.web_app", *settings, *processes]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_deny_write_execute,
            )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """All of it at once, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _deny_write_execute() -> None:
    """As MemoryDenyWriteExecute does in deploy/systemd/rollcall-web.service."""
    ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
