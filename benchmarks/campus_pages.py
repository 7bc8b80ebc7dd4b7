"""How fast and how large the pages are: `python -m benchmarks.campus_pages [--size SIZE] [--json FILE]`.

Fills a database once: its own in var/bench, or the empty one that ROLLCALL_DATABASE_URL names. It has the size of a
faculty (200 classes, 10,000 students, 20,000 lectures, 300,000 attendance rows), of one class of 30 students with 60
lectures, or of years of a faculty (40,000 recordings with 2.4 million segments; filled in minutes). Then requests every
address that the program has, as a lecturer and as a registrar, and prints milliseconds on the server (median and
worst), those of the processor, which are right on a busy machine, too (with those of PostgreSQL, which has to be on the
same one), queries and size; and the same of the sweep, which runs every 15 seconds. Exits with 1 if a median is over
200 ms, or, for one class, over 150 ms, if a page has more than 200 KB, or if the sweep takes more than 30 ms.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.versus import REPOSITORY

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_PAGE_KB = 200
MAX_SWEEP_MS = 30
SWEEP = "the sweep"
FILE_PATHS = ("/xlsx/", "/pdf/", "/schema/")  # made on request, and may take longer than a page
BATCH = 5000
PHOTOS = 5  # of each student in the lecturer's classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Campus:
    """What the database is filled with; lectures, those held and seats are of each class, segments of each recording.

    Without segments only the lecturer's classes have recordings.
    """

    courses: int
    students: int
    lectures: int
    lectures_held: int
    seats: int
    max_median_ms: int = 200
    segments: int = 0


SIZES = {
    "faculty": Campus(courses=200, students=10_000, lectures=100, lectures_held=30, seats=50),
    "one-class": Campus(courses=1, students=30, lectures=60, lectures_held=30, seats=30, max_median_ms=150),
    "years": Campus(courses=200, students=10_000, lectures=210, lectures_held=200, seats=10, segments=60),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    who: str
    address: str
    median: float
    worst: float
    cpu: float
    queries: int
    kilobytes: float


def fill_database(campus: Campus) -> None:
    """Fill the database, always with the same rows."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from campus.academics.models import Course, Enrolment, Lecture, Room, Student
    from campus.accounts.institution import save_institution
    from campus.attendance.models import AttendanceRecord, Status

    rng = np.random.default_rng(0)
    first = timezone.now().replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=campus.lectures_held)
    save_institution(legal_basis="other")
    User.objects.create_superuser("registrar", password=None)
    lecturer = User.objects.create_user("lecturer")
    students = Student.objects.bulk_create(
        (Student(number=f"S{i:05}", name=f"Student {i:05}", email=f"s{i}@example.org") for i in range(campus.students)),
        BATCH,
    )
    courses = Course.objects.bulk_create(Course(code=f"C{i:03}", name=f"Class {i:03}") for i in range(campus.courses))
    lecturer.courses.set(courses[:5])
    rosters = [[students[i] for i in rng.permutation(campus.students)[: campus.seats]] for _ in courses]
    Enrolment.objects.bulk_create(
        (
            Enrolment(course=course, student=student, valid_from=first.date())
            for course, roster in zip(courses, rosters, strict=True)
            for student in roster
        ),
        BATCH,
    )
    hours = timedelta(hours=1)
    rooms = Room.objects.bulk_create(Room(name=f"R{i}") for i in range(40))
    lectures = Lecture.objects.bulk_create(
        (
            Lecture(course=course, starts_at=start, ends_at=start + hours, room=rooms[i % len(rooms)])
            for i, course in enumerate(courses)
            for start in (first + timedelta(days=day, hours=i % 9) for day in range(campus.lectures))
        ),
        BATCH,
    )
    statuses = [*[Status.PRESENT] * 8, Status.LATE, Status.ABSENT]
    rows = (
        AttendanceRecord(
            lecture=lecture,
            student=student,
            machine_status=(status := statuses[rng.integers(len(statuses))]),
            first_seen=lecture.starts_at if status != Status.ABSENT else None,
            last_seen=lecture.ends_at if status != Status.ABSENT else None,
            seconds=0 if status == Status.ABSENT else 3000,
            share=0 if status == Status.ABSENT else 0.8,
            confidence=0 if status == Status.ABSENT else 0.9,
        )
        for number, lecture in enumerate(lectures)
        if number % campus.lectures < campus.lectures_held
        for student in rosters[number // campus.lectures]
    )
    AttendanceRecord.objects.bulk_create(rows, BATCH)
    add_recordings(lecturer)
    if campus.segments:
        add_old_recordings(campus.segments)


def add_recordings(lecturer: "User") -> None:
    """The lecturer's classes have photos of everybody, and a recording of each lecture that was held."""
    from campus.academics.models import Student
    from campus.attendance.models import AttendanceRecord, Sighting, Status
    from campus.biometrics.models import FacePhoto
    from campus.recordings.models import Recording

    students = Student.objects.filter(courses__lecturers=lecturer).distinct()
    FacePhoto.objects.bulk_create(
        (
            FacePhoto(
                student=student,
                original_name=f"{number}.jpg",
                file=f"photos/{student.pk}-{number}.jpg",
                crop=f"crops/photos/{student.pk}-{number}.jpg",
                sha256=f"{student.pk:032}{number:032}",
                state=FacePhoto.Verdict.ACCEPTED,
            )
            for student in students
            for number in range(PHOTOS)
        ),
        BATCH,
    )
    records = AttendanceRecord.objects.filter(lecture__course__lecturers=lecturer).select_related("lecture")
    lectures = {record.lecture for record in records}
    recordings = {
        lecture.pk: Recording(
            lecture=lecture,
            original_name="lecture.mp4",
            size=1,
            file=f"recordings/{lecture.pk}.mp4",
            sha256=f"{lecture.pk:064}",
            state=Recording.State.DONE,
            duration=3600,
            coverage=1,
        )
        for lecture in lectures
    }
    Recording.objects.bulk_create(recordings.values(), BATCH)
    Sighting.objects.bulk_create(
        (
            Sighting(
                recording=recordings[record.lecture_id],
                student_id=record.student_id,
                present=record.machine_status != Status.ABSENT,
                share=record.share,
                confidence=record.confidence,
                seconds=record.seconds,
                intervals=[[0, record.seconds]] if record.seconds else [],
                crops=[{"file": f"crops/{record.pk}.jpg", "time": 5.0, "quality": 0.9}] if record.seconds else [],
            )
            for record in records
        ),
        BATCH,
    )


def add_old_recordings(segments: int) -> None:
    """Every lecture that was held has a recording, and every recording its segments, all of them done."""
    from django.db import connection
    from django.db.models import OuterRef, Subquery
    from django.utils import timezone

    from campus.academics.models import Lecture
    from campus.recordings.models import Recording, Segment

    done = timezone.now()
    missing = Lecture.objects.filter(records__isnull=False, recordings=None).distinct()
    Recording.objects.bulk_create(
        (
            Recording(
                lecture=lecture,
                original_name="lecture.mp4",
                size=1,
                file=f"recordings/{lecture.pk}.mp4",
                sha256=f"{lecture.pk:064}",
                state=Recording.State.DONE,
                duration=60 * segments,
                coverage=1,
            )
            for lecture in missing
        ),
        BATCH,
    )
    first = Recording.objects.earliest("pk")
    Segment.objects.bulk_create(
        Segment(
            recording=first,
            index=index,
            start=60 * index,
            end=60 * (index + 1),
            state=Segment.State.DONE,
            progress=1,
            faces=500,
            tracks=30,
            published_at=done,
            finished_at=done,
        )
        for index in range(segments)
    )
    copied = [field for field in Segment._meta.concrete_fields if field.name not in ("id", "recording")]
    columns = [connection.ops.quote_name(str(field.column)) for field in copied]
    with connection.cursor() as cursor:  # with the ORM, millions of rows take many minutes
        cursor.execute(
            f"INSERT INTO recordings_segment (recording_id, {', '.join(columns)}) "  # noqa: S608  # nosec B608
            f"SELECT recording.id, {', '.join(f'first.{column}' for column in columns)} "
            "FROM recordings_recording recording, recordings_segment first WHERE recording.id <> first.recording_id"
        )
    end = Lecture.objects.filter(recordings=OuterRef("pk")).values("ends_at")
    Recording.objects.update(created_at=Subquery(end), finished_at=Subquery(end))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # which the server does by itself, a while later


def page_addresses() -> Iterator[tuple[str, str]]:
    """Who opens it ("" without a login) and the address, of all that the program has, and of lists with words to
    search for. The rows that they need are made."""
    from django.contrib.auth.models import User
    from django.urls import reverse

    from campus.academics.models import Course, Lecture
    from tests.campus.conftest import furnish
    from tests.campus.permissions import address, reader, routes, things

    course = Course.objects.filter(lecturers__username="lecturer").earliest("pk")
    world = furnish(
        Lecture.objects.filter(course=course, records__isnull=False).latest("starts_at"),
        own=User.objects.get(username="lecturer"),
        other=User.objects.create_user("other"),
        registrar=User.objects.get(username="registrar"),
    )
    keys = things(world)
    for route in sorted(routes(), key=lambda route: (route.pattern, route.name)):
        match reader(route):
            case "anonymous":
                yield "", address(route, keys)
            case "lecturer":
                yield "lecturer", address(route, keys)
                yield "registrar", address(route, keys)
            case "registrar" | "administrator":
                yield "registrar", address(route, keys)
    yield "lecturer", reverse("api-attendance-list", query={"lecture": world.lecture.pk})
    for kind in ("xlsx", "csv", "pdf", "moodle"):
        yield "lecturer", reverse("register-file", args=[course.pk, kind])
    for words in ("00042", "student", "c001 30 nov"):
        yield "registrar", reverse("search-suggestions", query={"q": words})
    yield "registrar", reverse("search", query={"q": "c001", "kind": "lectures"})
    for name in ("students", "admin:academics_student_changelist"):
        yield "registrar", reverse(name, query={"q": "00042"})


def measure_sweep(rounds: int) -> Page:
    """As if it were a page."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from workers.maintenance import sweep

    sweep()
    with CaptureQueriesContext(connection) as queries:
        sweep()
    return _page("", SWEEP, sweep, rounds, queries=len(queries), kilobytes=0)


def measure_page(who: str, address: str, rounds: int) -> Page | None:
    """None where the address leads elsewhere or has nothing to show."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"host": "localhost"})
    if who:
        client.force_login(User.objects.get(username=who))
    client.get(address)  # reads the templates
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
    query_count = len(queries)  # before the next request empties the log
    if answer.status_code != HTTPStatus.OK:
        return None
    size = len(b"".join(answer) if answer.streaming else answer.content)
    return _page(who, address, lambda: client.get(address), rounds, queries=query_count, kilobytes=size / 1024)


def _page(who: str, address: str, call: Callable[[], object], rounds: int, *, queries: int, kilobytes: float) -> Page:
    wall = []
    cpu_began = processor_seconds()
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        wall.append(1000 * (time.perf_counter() - began))
    return Page(
        who=who,
        address=address,
        median=statistics.median(wall),
        worst=max(wall),
        cpu=1000 * (processor_seconds() - cpu_began) / rounds,
        queries=queries,
        kilobytes=kilobytes,
    )


def processor_seconds() -> float:
    """What this process has used, and the process of PostgreSQL that answers it."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return time.process_time()
    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text()
    ticks = sum(int(field) for field in stat.rpartition(")")[2].split()[11:13])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--size", choices=SIZES, default="faculty")
    given = parser.parse_args()
    campus = SIZES[given.size]
    var = REPOSITORY / "var" / "bench" / given.size
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    os.environ.setdefault("ROLLCALL_LOG_LEVEL", "ERROR")

    from deploy.local import prepare_database

    prepare_database()
    from django.db import transaction

    from campus.attendance.models import AttendanceRecord

    if not AttendanceRecord.objects.exists():
        began = time.monotonic()
        fill_database(campus)
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(f"{'who':10} {'median':>8} {'worst':>8} {'CPU':>8} {'queries':>8} {'KB':>7}  page")
    pages, left_out = [measure_sweep(given.rounds)], []
    print_page(pages[0])
    with transaction.atomic():
        for who, address in page_addresses():
            if (page := measure_page(who, address, given.rounds)) is None:
                left_out.append(address)
                continue
            pages.append(page)
            print_page(page)
        transaction.set_rollback(True)
    print("without a page:", *left_out, file=sys.stderr)
    if given.json:
        given.json.write_text(json.dumps([asdict(page) for page in pages], indent=1) + "\n")
    return 0 if all(is_within_limits(page, campus) for page in pages) else 1


def print_page(page: Page) -> None:
    print(
        f"{page.who:10} {page.median:5.0f} ms {page.worst:5.0f} ms {page.cpu:5.0f} ms {page.queries:8} "
        f"{page.kilobytes:7.0f}  {page.address}",
        flush=True,
    )


def is_within_limits(page: Page, campus: Campus) -> bool:
    """Files that are made on request may take longer, and an API's list of a faculty is as long as it is."""
    if page.address == SWEEP:
        return page.median <= MAX_SWEEP_MS
    is_quick = page.median <= campus.max_median_ms or page.address.endswith(FILE_PATHS)
    is_small = page.kilobytes <= MAX_PAGE_KB or page.address.endswith(FILE_PATHS) or campus is not SIZES["one-class"]
    return is_quick and is_small


if __name__ == "__main__":
    sys.exit(main())
