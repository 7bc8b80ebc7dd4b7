"""Upload of a large recording: `python -m benchmarks.uploading [--gigabytes 4] [--folder FOLDER]`.

Starts the web server as a campus runs it, and uploads a file of that size with tuspy in the chunks that the page sends.
In the middle the server is killed and started again, and the upload resumes. Prints MB per second, the longest response
(a proxy gives up after 60 s by default), how long a worker needs for the SHA-256, and the memory of the server's
processes before and at its peak. FOLDER needs room for the file twice. ROLLCALL_DATABASE_URL names the database
(default: SQLite).
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

from benchmarks.watchers import GUNICORN_OPTIONS

UPLOAD_CHUNK_BYTES = 16 * 1024 * 1024  # as recording_upload.js
MIB = 1024 * 1024


def make_file(path: Path, size: int) -> str:
    """Write a sparse file with a number at the start of every MiB; returns its SHA-256."""
    digest, blank = hashlib.sha256(), bytes(MIB - 8)
    with path.open("wb") as file:
        for offset in range(0, size, MIB):
            number = offset.to_bytes(8, "big")
            file.seek(offset)
            file.write(number)
            digest.update(number + blank)
        file.truncate(size)
    return digest.hexdigest()


def resident_bytes(leader: int) -> int:
    """Bytes of private memory that a process and its children hold."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if leader in (int(fields["Pid"]), int(fields["PPid"])):
                total += int(fields["RssAnon"].split()[0]) * 1024
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    size = round(given.gigabytes * 1024) * MIB
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        return measure_upload(Path(folder), size)


def measure_upload(var: Path, size: int) -> int:
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    os.environ.setdefault("ROLLCALL_LOG_LEVEL", "WARNING")
    path = var / "lecture.mp4"
    sha256 = make_file(path, size)

    from deploy.local import Processes, free_port, prepare_database

    with Processes(var) as processes:
        processes.start_broker()
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
                "web",
                [sys.executable, "-m", "gunicorn", "campus.wsgi", "--bind", f"127.0.0.1:{port}", *GUNICORN_OPTIONS],
            )

            def answers() -> bool:
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=5):
                    return True
                return False

            processes.wait_until(answers, "web")
            return processes.children["web"].process.pid

        lecturer = User.objects.create_user("lecturer")
        course = Course.objects.create(code="CS101", name="Computing")
        course.lecturers.add(lecturer)
        now = timezone.now()
        lecture = Lecture.objects.create(course=course, starts_at=now, ends_at=now + timedelta(hours=1))
        _token, secret = create_token(user=lecturer, name="benchmark", scope="write", days=1)
        client = TusClient(f"http://127.0.0.1:{port}/api/v1/uploads/", headers={"Authorization": f"Bearer {secret}"})

        leader = serve()
        memory_before, peak_memory = resident_bytes(leader), 0
        finished = threading.Event()

        def watch_memory() -> None:
            nonlocal peak_memory
            while not finished.wait(0.2):
                peak_memory = max(peak_memory, resident_bytes(leader))

        watcher = threading.Thread(target=watch_memory)
        watcher.start()
        metadata = {"lecture": str(lecture.pk), "filename": path.name, "sha256": sha256}
        uploader = client.uploader(str(path), metadata=metadata, chunk_size=UPLOAD_CHUNK_BYTES)
        seconds = list(upload_chunks(uploader, size // 2))
        os.killpg(leader, signal.SIGKILL)
        processes.children["web"].process.wait()
        leader = serve()
        uploader = client.uploader(str(path), url=uploader.url, chunk_size=UPLOAD_CHUNK_BYTES)
        resumed_at = uploader.offset
        seconds += upload_chunks(uploader, size)
        finished.set()
        watcher.join()
        recording = Recording.objects.get()
        began = time.perf_counter()
        verify_upload(recording=recording)
        verified = time.perf_counter() - began
    speed = size / MIB / sum(seconds)
    print(f"{size / MIB / 1024:.1f} GB, the server killed at {resumed_at / size:.0%}: {speed:.0f} MB/s,")
    print(f"slowest response {max(seconds):.2f} s, the last one {seconds[-1]:.2f} s,")
    print(f"SHA-256 by a worker {verified:.1f} s,")
    print(f"memory of the web server {memory_before / MIB:.0f} MB before, {peak_memory / MIB:.0f} MB at its peak")
    return 0


def upload_chunks(uploader: Any, until: int) -> Iterator[float]:
    """Upload up to the offset `until`; yields the seconds of each response."""
    while uploader.offset < until:
        began = time.perf_counter()
        uploader.upload_chunk()
        yield time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
