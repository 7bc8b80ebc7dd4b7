"""What the servers with files have in common, and the fixture that starts one of each kind when it is first wanted."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from tests.waiting import DEADLINE_SECONDS

USERNAME, PASSWORD = "viewer", "a secret: ö/%@"
ROOT = Path(__file__).resolve().parents[2]


class Missing(Exception):
    """This machine lacks what the server needs; the message says what to install."""


def needed(path: str, package: str) -> str:
    """The program or file at the path. Raises Missing."""
    found = shutil.which(path) or (path if Path(path).exists() else None)
    if not found:
        raise Missing(f"{path} is not installed (Debian: apt install {package})")
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class FileServer:
    """A server of files at `host`. `fields` are those of a source; `password` goes with them. `port` answers inside
    `with`.
    """

    kind = ""
    host = "127.0.0.1"
    username, password = USERNAME, PASSWORD

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        raise NotImplementedError

    @property
    def fields(self) -> dict[str, Any]:
        """Of a source: `Source(**server.fields)`, with the password besides."""
        return {"kind": self.kind, "address": self.address, "username": self.username}

    def command(self) -> list[str]:
        """Write what the server needs into the folder, and return how it is called. Raises Missing."""
        raise NotImplementedError

    def environment(self) -> dict[str, str] | None:
        return None

    def put(self, path: str, content: bytes, age: float = 600.0) -> None:
        """A file at the server that was written so many seconds ago."""
        file = self.files / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        then = time.time() - age
        os.utime(file, (then, then))

    def start(self) -> None:
        # It ends with the tests, also where those are killed.
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                cwd=ROOT,
                start_new_session=True,
            )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            with suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that vouches for itself, and its key."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    if not cert.exists():
        subprocess.run(
            [
                needed("openssl", "openssl"),
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-keyout",
                key,
                "-out",
                cert,
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ],
            check=True,
            capture_output=True,
        )
    return cert, key


@pytest.fixture(scope="session")
def file_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[type[FileServer]], Any]]:
    """`file_servers(OpenSsh)` is one that runs; the same for all tests of a session. Skips where the machine has
    none.
    """
    running: dict[type[FileServer], FileServer] = {}
    with ExitStack() as stack:

        def get(kind: type[FileServer]) -> FileServer:
            if kind not in running:
                try:
                    running[kind] = stack.enter_context(kind(tmp_path_factory.mktemp(kind.__name__)))
                except Missing as missing:
                    pytest.skip(str(missing))
            return running[kind]

        yield get
