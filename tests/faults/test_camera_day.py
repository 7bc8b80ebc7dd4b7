"""A day of a campus with cameras: an SFTP server, an S3 server, a folder and an RTSP camera, real workers and models,
and recordings with known attendance. Nothing is replaced. Lectures last 42 seconds, and hours pass by moving the due
times in the database.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.db.models import F
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from openpyxl import load_workbook

from campus.academics.models import Course, Lecture, Room
from campus.attendance.models import AttendanceRecord, RegisterPolicy, Report
from campus.attendance.statuses import ATTENDED
from campus.biometrics.services import add_photo
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.common import jobs
from campus.common.periodic_tasks import COLLECT_FOOTAGE
from campus.common.storage import mark_storage
from campus.outbox.models import Delivery
from campus.recordings.models import Recording
from tests.campus import factories
from tests.conftest import REPOSITORY
from tests.faults.conftest import Valkey
from tests.servers.openssh import OpenSsh
from tests.servers.rtsp import RtspCamera
from tests.servers.s3 import Moto
from tests.waiting import DEADLINE_SECONDS, wait_until

SECONDS, FOOTAGE_FILES = 42, 3
STUDENTS, ENROL, ABSENT = 10, 6, 4
PATTERN = "{camera}/{date:%Y%m%d}/{start:%H%M%S}-{end:%H%M%S}*.mp4"


class Film:
    """A recording with known attendance, and the footage files that a network video recorder would make of it."""

    def __init__(self, shared_data: Path, folder: Path, seed: int) -> None:
        self.path = folder / f"film-{seed}.mp4"
        names = sorted(path.name for path in (shared_data / "people").iterdir() if path.is_dir())[-STUDENTS:]
        roster = folder / "names.txt"
        roster.write_text("\n".join(names))
        arguments = [
            "--people",
            shared_data / "people",
            "--strangers",
            shared_data / "strangers",
            "--roster",
            roster,
            "--out",
            self.path,
        ]
        arguments += [
            "--seed",
            seed,
            "--enrol",
            ENROL,
            "--absent",
            ABSENT,
            "--late",
            0,
            "--leave",
            0,
            "--unknown",
            1,
            "--face",
            "60-100",
        ]
        arguments += ["--duration", SECONDS, "--fps", 2, "--gop", 4, "--size", "1280x720", "--bitrate", 2_000_000]
        program = shared_data.parent / "tools" / "make_lecture.py"
        subprocess.run([sys.executable, program, *map(str, arguments)], check=True)
        self.truth = json.loads(self.path.with_suffix(".json").read_text())

    def footage_file(self, number: int, camera: str) -> bytes:
        """As a network video recorder would have written it."""
        out = self.path.with_name(f"{self.path.stem}-{number}-{camera}.mp4")
        begin, end = (SECONDS / FOOTAGE_FILES * part for part in (number, number + 1))
        with av.open(str(self.path)) as source, av.open(str(out), "w") as target:
            target.metadata["title"] = camera
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is not None and begin <= packet.pts * stream.time_base < end:
                    packet.pts, packet.dts = (
                        value - round(begin / stream.time_base) for value in (packet.pts, packet.dts)
                    )
                    packet.stream = copy
                    target.mux(packet)
        return out.read_bytes()

    @property
    def present(self) -> set[str]:
        return set(self.truth["present"])


@pytest.fixture(scope="module")
def films(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Film]:
    folder = tmp_path_factory.mktemp("films")
    films = [Film(shared_data, folder, seed) for seed in (1, 2, 3)]
    assert len({frozenset(film.present) for film in films}) == len(films)
    return films


@pytest.fixture
def processes(valkey: Valkey, tmp_path: Path, settings: Any, transactional_db: None) -> Iterator[Callable[..., None]]:
    """Starts workers that share the tests' database; their logs are shown when the test fails."""
    valkey.client.flushall()
    settings.BROKER_URL = valkey.url
    settings.MEDIA_ROOT = tmp_path / "var" / "media"
    settings.REPORTS_DIR = tmp_path / "reports"
    settings.MEDIA_ROOT.mkdir(parents=True)
    mark_storage()
    jobs.producer.cache_clear()
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        login, host = f"{database['USER']}:{database['PASSWORD']}", f"{database['HOST']}:{database['PORT']}"
        url = f"postgres://{login}@{host}/{database['NAME']}"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "campus.settings.test",
        "ROLLCALL_TEST_POSTGRES_URL": "",
        "ROLLCALL_DATABASE_URL": url,
        "ROLLCALL_REDIS_URL": valkey.url,
        "ROLLCALL_DATA_DIR": str(tmp_path / "var"),
        "ROLLCALL_REPORTS_DIR": str(tmp_path / "reports"),
        "ROLLCALL_SWEEP_SECONDS": "2",
        "ROLLCALL_SOURCE_NETWORKS": "127.0.0.0/8,::1/128",
        "ROLLCALL_SOURCE_FOLDERS": str(tmp_path / "cctv"),
        "ROLLCALL_SEGMENT_SECONDS": "20",
        "ROLLCALL_RECORDER_FILE_SECONDS": "10",
    }
    running: dict[Path, subprocess.Popen[bytes]] = {}

    def start(name: str, *command: str) -> None:
        log = tmp_path / f"{name}.log"
        with log.open("wb") as output:
            running[log] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=REPOSITORY,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    yield start
    for process in running.values():
        process.terminate()
    for log, process in running.items():
        process.wait(60)
        print(f"--- {log.name}\n{log.read_text()}")
    jobs.producer.cache_clear()


@pytest.fixture
def course(shared_data: Path, films: list[Film]) -> Course:
    """The class, whose registrar and lecturer read e-mails."""
    factories.registrar(email="registrar@example.org")
    course = factories.course(code="CS101", lecturers=(factories.user(email="lecturer@example.org"),))
    RegisterPolicy.objects.create(course=course, mail_lecturers=True)
    for number, name in enumerate(films[0].truth["roster"]):
        student = factories.student(name=name, number=f"M{number:03}")
        factories.enrol(course, student)
        pictures = sorted(
            (shared_data / "people" / name).iterdir(),
            key=lambda path: int("".join(filter(str.isdigit, path.stem)) or 0),
        )
        for picture in pictures[:ENROL]:
            add_photo(student=student, file=ContentFile(picture.read_bytes(), picture.name), name=picture.name)
    return course


def source(rooms: dict[str, Room], *, password: str = "", **fields: Any) -> Source:
    row = Source.objects.create(**{"pattern": PATTERN, "delay_minutes": 0} | fields)
    row.secret = password
    row.save(update_fields=["secret"])
    for label, room in rooms.items():
        Camera.objects.create(source=row, label=label, room=room)
    return row


def lecture(course: Course, room: Room, *, ago: timedelta = timedelta()) -> Lecture:
    starts = (timezone.now() - ago).replace(microsecond=0)
    return Lecture.objects.create(
        course=course, room=room, starts_at=starts, ends_at=starts + timedelta(seconds=SECONDS)
    )


def path_of(camera: str, lecture: Lecture, number: int, copy: str = "") -> str:
    starts, ends = (
        lecture.starts_at + timedelta(seconds=SECONDS / FOOTAGE_FILES * part) for part in (number, number + 1)
    )
    return f"{camera}/{starts:%Y%m%d}/{starts:%H%M%S}-{ends:%H%M%S}{copy}.mp4"


def hours_pass(hours: float) -> None:
    """Move all due times back, so that everything of these hours is due."""
    ago = timedelta(hours=hours)
    Collection.objects.update(next_check_at=F("next_check_at") - ago, deadline_at=F("deadline_at") - ago)
    Source.objects.exclude(next_scan_at=None).update(next_scan_at=F("next_scan_at") - ago)
    FootageFile.objects.exclude(retry_at=None).update(retry_at=F("retry_at") - ago)


def attendees(lecture: Lecture) -> set[str]:
    """The names of the students who attended."""
    records = AttendanceRecord.objects.filter(lecture=lecture).select_related("student")
    return {record.student.name for record in records if record.status in ATTENDED}


def state(lecture: Lecture) -> str:
    """The state of its footage; "counted" once the attendance is final as well."""
    row = Collection.objects.filter(lecture=lecture).first()
    open_ = Recording.objects.filter(lecture=lecture).exclude(state=Recording.State.DONE, provisional=False)
    done = (
        row
        and row.state == Collection.State.COMPLETE
        and Report.objects.filter(lecture=lecture).exclude(sha256="").exists()
        and not open_.exists()
    )
    return "counted" if done else str(row and row.state)


def wait_for(condition: Callable[[], Any], what: str) -> None:
    """Wait until the condition holds, while due times come up one after the other, but no deadline does."""
    last = time.monotonic()

    def is_fulfilled() -> bool:
        nonlocal last
        if time.monotonic() - last > 4:
            ago = timedelta(minutes=10)
            Collection.objects.update(next_check_at=F("next_check_at") - ago)
            Source.objects.exclude(next_scan_at=None).update(next_scan_at=F("next_scan_at") - ago)
            FootageFile.objects.exclude(retry_at=None).update(retry_at=F("retry_at") - ago)
            last = time.monotonic()
        return bool(condition())

    try:
        wait_until(is_fulfilled, what, DEADLINE_SECONDS)
    except AssertionError:
        for row in Collection.objects.select_related("lecture"):
            print(
                row,
                state(row.lecture),
                row.check_count,
                row.note,
                list(row.lecture.recordings.values_list("camera", "state", "provisional", "error")),
            )
        for footage_file in FootageFile.objects.all():
            print(
                footage_file,
                footage_file.state,
                footage_file.starts_at,
                footage_file.ends_at,
                footage_file.note,
                footage_file.error,
                footage_file.info.get("duration"),
            )
        raise


def test_every_lecture_with_footage_gets_its_report_without_people(
    processes: Callable[..., None],
    valkey: Valkey,
    file_servers: Callable[..., Any],
    rtsp_camera: Callable[..., RtspCamera],
    films: list[Film],
    course: Course,
    tmp_path: Path,
) -> None:
    hall, lab, studio = (Room.objects.create(name=name) for name in ("Hall", "Lab", "Studio"))
    sftp, s3, camera = file_servers(OpenSsh), file_servers(Moto), rtsp_camera(films[0].path, password="seen by nobody")
    folder = tmp_path / "cctv"
    folder.mkdir()
    source({"door": hall}, name="NVR", password=sftp.password, host_key=sftp.host_key, **sftp.fields)
    source({"board": hall}, name="Cloud", password=s3.password, **s3.fields)
    source({"lab": lab}, name="Share", kind=Source.Kind.FOLDER, address=str(folder))

    def in_folder(path: str, content: bytes) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        os.utime(folder / path, (time.time() - 600,) * 2)

    hour = timedelta(hours=1)
    both, late, double, short, missing = (
        lecture(course, room, ago=ago * hour) for room, ago in ((hall, 8), (hall, 6), (lab, 7), (lab, 5), (lab, 3))
    )
    truth = {both: films[0].present, late: films[1].present, double: films[2].present, short: films[1].present}
    for number in range(FOOTAGE_FILES):
        sftp.put(path_of("door", both, number), films[0].footage_file(number, "door"))
        s3.put(path_of("board", both, number), films[0].footage_file(number, "board"))
        s3.put(path_of("board", late, number), films[1].footage_file(number, "board"))
        if number < FOOTAGE_FILES - 1:
            sftp.put(path_of("door", late, number), films[1].footage_file(number, "door"))
        in_folder(path_of("lab", double, number), films[2].footage_file(number, "lab"))
        whole = films[1].footage_file(number, "lab")
        in_folder(path_of("lab", short, number), whole if number != 1 else whole[: len(whole) // 2])
    in_folder(path_of("lab", double, 1, copy=" (1)"), films[2].footage_file(1, "lab"))
    # No lecture is in the laboratory at this time.
    unscheduled = Lecture(
        course=course, room=lab, starts_at=missing.starts_at - 6 * hour, ends_at=missing.ends_at - 6 * hour
    )
    in_folder(path_of("lab", unscheduled, 0), films[0].footage_file(0, "lab"))

    often = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name=COLLECT_FOOTAGE.name, task=COLLECT_FOOTAGE.task, interval=often)
    source(
        {"": studio},
        name="Studio",
        kind=Source.Kind.RTSP,
        pattern="",
        password=camera.password,
        username=camera.username,
        address=f"rtsp://127.0.0.1:{camera.port}{camera.path}",
    )
    now = lecture(course, studio, ago=-timedelta(seconds=30))
    truth[now] = films[0].present
    processes("recorder", "workers.recorder")
    processes(
        "worker",
        "celery",
        "-A",
        "workers",
        "worker",
        "-B",
        "-c",
        "2",
        "-Q",
        ",".join(jobs.QUEUES),
        "-s",
        str(tmp_path / "beat"),
    )

    wait_for(lambda: FootageFile.objects.filter(state=FootageFile.State.STORED).count() >= 4, "some files are fetched")
    valkey.stop()
    valkey.start()
    wait_for(lambda: state(both) == state(double) == "counted", "complete footage is counted")
    wait_for(lambda: attendees(late) == films[1].present, "the provisional result of what is there")
    assert state(late) == "collecting"
    sftp.put(path_of("door", late, FOOTAGE_FILES - 1), films[1].footage_file(FOOTAGE_FILES - 1, "door"))
    wait_for(lambda: state(late) == "counted", "late footage is counted")
    wait_for(lambda: state(now) == "counted", "the camera was recorded and counted")
    wait_for(lambda: state(missing) == "collecting", "footage is still expected")
    hours_pass(30)
    wait_for(lambda: (state(short), state(missing)) == ("counted", "missing"), "the deadline is over")
    damaged = FootageFile.objects.filter(path=path_of("lab", short, 1))
    wait_for(lambda: damaged.get().state == FootageFile.State.FAILED, "the damaged file is refused")
    emails = Delivery.objects.filter(to="registrar@example.org", event="footage.missing", subject__contains="missing")
    wait_for(emails.exists, "the registrar hears of what is missing")

    assert {one.pk: attendees(one) for one in truth} == {one.pk: present for one, present in truth.items()}
    for one in truth:
        report = Report.objects.get(lecture=one)
        rows = load_workbook(tmp_path / "reports" / report.file_name)["Attendance"].iter_rows(
            min_row=2, values_only=True
        )
        assert {row[1] for row in rows if row[2] not in ("Absent", None)} >= truth[one]
    assert not AttendanceRecord.objects.filter(lecture=missing).exists()
    records = AttendanceRecord.objects.filter(lecture__in=truth)
    assert "to_confirm" not in {record.status for record in records}
    # Nothing was processed twice.
    assert Counter(Recording.objects.values_list("lecture", flat=True)) == {
        both.pk: 2,
        late.pk: 2,
        double.pk: 1,
        short.pk: 1,
        now.pk: 1,
    }
    assert FootageFile.objects.filter(state=FootageFile.State.DUPLICATE).count() == 1
    unplaced = FootageFile.objects.get(path=path_of("lab", unscheduled, 0))
    assert (unplaced.state, str(unplaced.note)) == (FootageFile.State.DISCOVERED, "No lecture is in Lab then.")
    assert damaged.get().error
    written = Counter(Delivery.objects.filter(to="lecturer@example.org").values_list("event", flat=True))
    assert written["attendance.counted"] == len(truth)
    secrets = (sftp.password, s3.password, camera.password)
    assert not any(secret in log.read_text() for log in tmp_path.glob("*.log") for secret in secrets)
