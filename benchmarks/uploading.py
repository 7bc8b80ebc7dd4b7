"""A large recording on its way here: `python -m benchmarks.uploading [--gigabytes 4] [--folder FOLDER]`.

Starts the web server as a campus runs it, and sends a file of that size with tuspy in the pieces that the page sends;
in the middle the server is killed, started again, and the upload goes on. Prints megabytes a second, the longest answer
(a proxy in between gives up after 60 s by default), how long a worker needs for the SHA-256, and the memory of the
server's processes before and at most. FOLDER has to have room for the file twice. ROLLCALL_DATABASE_URL names the
database (default: SQLite).
"""

import argparse
import hashlib
import os
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.watchers import WEB

PIECE = 16 * 1024 * 1024  # as recording_upload.js
MARK = 1024 * 1024


def make(path: Path, size: int) -> str:
    """A file that has a number at every megabyte and takes no room for the rest; its SHA-256."""
    digest, blank = hashlib.sha256(), bytes(MARK - 8)
    with path.open("wb") as file:
        for at in range(0, size, MARK):
            number = at.to_bytes(8, "big")
            file.seek(at)
            file.write(number)
            digest.update(number + blank)
        file.truncate(size)
    return digest.hexdigest()


def resident(leader: int) -> int:
    """Bytes of memory that a process and its children hold for themselves."""
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            told = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if leader in (int(told["Pid"]), int(told["PPid"])):
                found += int(told["RssAnon"].split()[0]) * 1024
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    size = round(given.gigabytes * 1024) * MARK
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        return send(Path(folder), size)


def send(var: Path, size: int) -> int:
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    os.environ.setdefault("ROLLCALL_LOG_LEVEL", "WARNING")
    path = var / "lecture.mp4"
    sha256 = make(path, size)

    from deploy.local import Processes, free_port, prepare_database

    with Processes(var) as processes:
        processes.start_redis()
        prepare_database()
        from django.contrib.auth.models import User
        from django.utils import timezone
        from tusclient.client import TusClient

        from campus.academics.models import Course, Lecture
        from campus.accounts.services import create_token
        from campus.recordings.models import Recording
        from campus.recordings.uploads import verify_upload

        port = free_port()

        def serve() -> int:
            processes.start(
                "web", [sys.executable, "-m", "gunicorn", "campus.wsgi", "--bind", f"127.0.0.1:{port}", *WEB]
            )

            def answers() -> bool:
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=5):
                    return True
                return False

            processes.wait_until(answers, "web")
            return processes.children["web"].pid

        lecturer = User.objects.create_user("lecturer")
        course = Course.objects.create(code="CS101", name="Computing")
        course.lecturers.add(lecturer)
        now = timezone.now()
        lecture = Lecture.objects.create(course=course, starts_at=now, ends_at=now + timedelta(hours=1))
        _token, secret = create_token(user=lecturer, name="benchmark", scope="write", days=1)
        client = TusClient(f"http://127.0.0.1:{port}/api/v1/uploads/", headers={"Authorization": f"Bearer {secret}"})

        leader = serve()
        before, most, over = resident(leader), 0, threading.Event()

        def look() -> None:
            nonlocal most
            while not over.wait(0.2):
                most = max(most, resident(leader))

        looking = threading.Thread(target=look)
        looking.start()
        told = {"lecture": str(lecture.pk), "filename": path.name, "sha256": sha256}
        uploader = client.uploader(str(path), metadata=told, chunk_size=PIECE)
        seconds = list(pieces(uploader, size // 2))
        os.killpg(leader, signal.SIGKILL)
        processes.children["web"].wait()
        leader = serve()
        uploader = client.uploader(str(path), url=uploader.url, chunk_size=PIECE)
        here = uploader.offset
        seconds += pieces(uploader, size)
        over.set()
        looking.join()
        recording = Recording.objects.get()
        began = time.perf_counter()
        verify_upload(recording=recording)
        verified = time.perf_counter() - began
    print(
        f"{size / MARK / 1024:.1f} GB, the server killed at {here / size:.0%}: {size / MARK / sum(seconds):.0f} MB/s, ",
        end="",
    )
    print(
        f"longest answer {max(seconds):.2f} s, the last one {seconds[-1]:.2f} s, SHA-256 by a worker {verified:.1f} s,"
    )
    print(f"memory of the web server {before / MARK:.0f} MB before, {most / MARK:.0f} MB at most")
    return 0


def pieces(uploader: Any, until: int) -> Iterator[float]:
    """Send so many bytes; the seconds of each answer."""
    while uploader.offset < until:
        began = time.perf_counter()
        uploader.upload_chunk()
        yield time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
