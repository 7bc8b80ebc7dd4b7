"""Pages and the queue while the site is attacked: `python -m benchmarks.under_attack [--seconds 60]`.

Starts Rollcall as a campus runs it, behind nginx with deploy/nginx.conf: the broker, both web servers, the workers, the
scheduler. Then at once come 200 slow clients without a login, somebody who tries passwords for 60 names, ten uploads of
1 MB a second each, and a recording that is made to fill the memory. Meanwhile a lecturer's browsers open pages, from
another address, and an ordinary recording is processed: the demo's.

Prints the median, 95th percentile and worst time of pages before and during the attack, how much of the processor the
attackers' own program took, which shares it with the site here, what became of both recordings, and for each service
the most memory and threads that it had. Exits with 1 if the 95th percentile during the attack is over 300 ms, a page
failed, or the ordinary recording did not become done. ROLLCALL_DATABASE_URL names the database (default: SQLite).
"""

import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from benchmarks.versus import REPOSITORY

MAX_P95_MS = 300
SLOW_CLIENTS, NAMES, UPLOADS, READERS = 200, 60, 10, 4
UPLOAD_BYTES = 512 * 1024**2
PIECE_BYTES, PIECE_SECONDS = 100_000, 0.1
VIDEO_SECONDS = 40.0  # of the demo's lecture
PAGE_SECONDS = 0.3  # between two pages of a browser
LECTURER, ATTACKER, UPLOADER = "192.0.2.1", "198.51.100.1", "203.0.113.1"  # where nginx is told that they come from
MIB = 1024**2
# As deploy/systemd starts them.
WEB = ("gunicorn", "-c", "python:campus.settings.gunicorn", "campus.wsgi", "--workers")
WORKER = ("celery", "-A", "workers", "worker", "-Q")


@dataclass(frozen=True, kw_only=True)
class Site:
    """How to reach the site from an address."""

    port: int
    certificate: Path

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self.tls())


@dataclass
class Reading:
    """How long pages took in milliseconds, and which failed how often."""

    milliseconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)


def browse(site: Site, cookie: str, paths: list[str], finished: Event, reading: Reading) -> None:
    connection = site.connect()
    for path in itertools.cycle(paths):
        if finished.wait(PAGE_SECONDS):
            break
        began = time.perf_counter()
        try:
            connection.request("GET", path, headers={"Cookie": cookie, "Test-Client": LECTURER})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            reading.failures[repr(error)] += 1
            connection.close()
            continue
        if response.status != http.HTTPStatus.OK:
            reading.failures[f"{path}: {response.status}"] += 1
        reading.milliseconds.append(1000 * (time.perf_counter() - began))
    connection.close()


def browse_with_all(site: Site, cookie: str, paths: list[str], finished: Event, results: Connection) -> None:
    """Open pages in READERS browsers until the end, and send the Reading."""
    reading = Reading()
    browsers = [
        threading.Thread(target=browse, args=(site, cookie, paths[number:] + paths[:number], finished, reading))
        for number in range(READERS)
    ]
    for browser in browsers:
        browser.start()
    for browser in browsers:
        browser.join()
    results.send(reading)


@contextmanager
def browsing(site: Site, cookie: str, paths: list[str]) -> Iterator[Reading]:
    """A lecturer's browsers, in a process of their own, where the attackers' threads can't keep them waiting."""
    context = multiprocessing.get_context("spawn")
    finished, (results, sender) = context.Event(), context.Pipe(duplex=False)
    process = context.Process(target=browse_with_all, args=(site, cookie, paths, finished, sender))
    process.start()
    reading = Reading()
    try:
        yield reading
    finally:
        finished.set()
        found = results.recv()
        reading.milliseconds, reading.failures = found.milliseconds, found.failures
        process.join()


def try_passwords(site: Site, finished: threading.Event, answers: Counter[int]) -> None:
    """Log in as one name after the other, as fast as the site answers."""
    for number in itertools.count():
        if finished.is_set():
            return
        body = json.dumps({"username": f"lecturer{number % NAMES}", "password": f"password{number}"})
        connection = site.connect()
        with suppress(OSError, http.client.HTTPException):
            headers = {"Content-Type": "application/json", "Test-Client": ATTACKER}
            connection.request("POST", "/api/v1/token/", body, headers)
            answers[connection.getresponse().status] += 1
        connection.close()


def upload(site: Site, path: str, secret: str, finished: threading.Event, sent: list[int]) -> None:
    """Send a part of an upload, a piece after the other."""
    connection = site.connect()
    headers = {
        "Authorization": f"Bearer {secret}",
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(UPLOAD_BYTES),
        "Test-Client": UPLOADER,
    }

    def pieces() -> Iterator[bytes]:
        for _ in range(UPLOAD_BYTES // PIECE_BYTES):
            if finished.wait(PIECE_SECONDS):
                return
            sent.append(PIECE_BYTES)
            yield bytes(PIECE_BYTES)

    with suppress(OSError):
        connection.request("PATCH", path, pieces(), headers)
    connection.close()


@dataclass
class Use:
    """The most that a service took: bytes of memory that cannot be had back by writing files, and threads."""

    memory: int = 0
    threads: int = 0


def take_use(leader: int) -> Use:
    """What all processes of a service take now. Each service is a session (setsid)."""
    use = Use()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, KeyError):  # of one that ended
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            if session == leader:
                status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
                use.memory += 1024 * sum(int(status[name].split()[0]) for name in ("RssAnon", "RssShmem"))
                use.threads += int(status["Threads"])
    return use


@contextmanager
def in_background(finished: threading.Event, *calls: Callable[[], object]) -> Iterator[None]:
    """Run these until the end, when `finished` is set."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        finished.set()
        for thread in threads:
            thread.join()


def describe(name: str, milliseconds: list[float]) -> str:
    middle, high = np.quantile(milliseconds, [0.5, 0.95])
    worst = max(milliseconds)
    return f"{name}: {len(milliseconds)} pages, median {middle:.0f} ms, p95 {high:.0f} ms, worst {worst:.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the attack lasts (%(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return attack(Path(folder), given.seconds)


def attack(var: Path, seconds: float) -> int:
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var / "data"),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "ROLLCALL_TRUSTED_PROXIES": "1",
        "ROLLCALL_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    os.environ.setdefault("ROLLCALL_NETWORK_CACHE_DIR", str(REPOSITORY / "var" / "networks"))
    from demo import __main__ as demo
    from demo.lecture import write_photos, write_video
    from deploy.local import Processes, free_port, prepare_database

    with Processes(var / "data") as processes, ExitStack() as stack:
        processes.start_broker()
        prepare_database()
        from django.contrib.auth.models import User
        from django.core.files import File
        from django.test import Client
        from django.urls import reverse
        from django.utils import timezone

        from campus.academics.models import Lecture, Student
        from campus.academics.services import enrol_student
        from campus.accounts.services import create_token
        from campus.recordings.models import Recording
        from campus.recordings.review import review_messages
        from campus.recordings.selectors import OPEN_STATES
        from campus.recordings.services import create_recording
        from campus.recordings.uploads import create_upload
        from tests.hostile.videos import eight_k
        from tests.servers.site import Site as Nginx
        from tests.servers.slow_clients import STRANGERS, SlowClients

        pages, transfers = free_port(), free_port()
        processes.start_python("web", *WEB, "3", "--threads", "4", "--bind", f"127.0.0.1:{pages}")
        processes.start_python(
            "transfers", *WEB, "2", "--threads", "16", "--bind", f"127.0.0.1:{transfers}", is_nice=True
        )
        processes.start_python("worker", *WORKER, "ingest,training,maintenance", "-c", "2", is_nice=True)
        processes.start_python("quick", *WORKER, "quick", "-c", "2", "-n", "quick@%h")
        processes.start_python("vision", *WORKER, "vision", "-c", "2", "-n", "vision@%h", is_nice=True)
        processes.start_collector()
        processes.start_scheduler()
        nginx = stack.enter_context(Nginx(var / "nginx", pages=pages, transfers=transfers))
        site = Site(port=nginx.port, certificate=nginx.folder / "cert.pem")

        write_photos(var / "people")
        course = demo.enrol(var / "people", None)
        for number in range(30):
            enrol_student(number=f"S{number:03}", name=f"Student {number}", course=course)
        lecturer = User.objects.create_user("lecturer0", password="a long password of the benchmark")  # noqa: S106
        course.lecturers.add(lecturer)
        write_video(var / "ordinary.mp4")
        (var / "bomb.mp4").write_bytes(eight_k())
        now = timezone.now()
        hour = timedelta(hours=1)
        lectures = Lecture.objects.bulk_create(
            Lecture(course=course, starts_at=now - day * 24 * hour, ends_at=now - day * 24 * hour + hour)
            for day in range(20)
        )
        client = Client()
        client.force_login(lecturer)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        student = Student.objects.earliest("pk")
        paths = [
            reverse("home"),
            reverse("course", args=[course.pk]),
            reverse("lecture", args=[lectures[0].pk]),
            reverse("student", args=[student.pk]),
            reverse("register", args=[course.pk]),
            reverse("api-lecture-list"),
        ]

        def add_recording(name: str, starts_at: datetime) -> Recording:
            length = timedelta(seconds=VIDEO_SECONDS)
            lecture = Lecture.objects.create(course=course, starts_at=starts_at, ends_at=starts_at + length)
            with (var / name).open("rb") as file:
                return create_recording(lecture=lecture, file=File(file), name=name, user=lecturer, offset=0.0)

        def browse_for(duration: float) -> Reading:
            with browsing(site, cookie, paths) as reading:
                time.sleep(duration)
            return reading

        def is_ready() -> bool:
            with suppress(OSError, http.client.HTTPException):
                connection = site.connect()
                connection.request("GET", "/login/", headers={"Test-Client": LECTURER})
                return connection.getresponse().status == http.HTTPStatus.OK
            return False

        processes.wait_until(is_ready, "web")
        while not course.galleries.filter(active=True).exists():
            processes.check()
            time.sleep(0.5)
        browse_for(seconds / 4)  # each process reads its templates at first use
        before = browse_for(seconds / 2)

        _token, secret = create_token(user=lecturer, name="benchmark", scope="write", days=1)
        uploads = [
            create_upload(lecture=lectures[2], user=lecturer, name=f"{number}.mp4", size=UPLOAD_BYTES)
            for number in range(UPLOADS)
        ]
        finished = threading.Event()
        answers: Counter[int] = Counter()
        sent: list[int] = []
        uses = {name: Use() for name in processes.children}
        strangers = [
            beginning.replace(b"\r\n", f"\r\nTest-Client: {ATTACKER}\r\n".encode(), 1) for beginning in STRANGERS
        ]

        def watch_use() -> None:
            while not finished.wait(0.25):
                for name, child in processes.children.items():
                    use = take_use(child.process.pid)
                    uses[name] = Use(max(uses[name].memory, use.memory), max(uses[name].threads, use.threads))

        def upload_one(pk: object) -> Callable[[], object]:
            return lambda: upload(site, reverse("api-upload", args=[pk]), secret, finished, sent)

        began, own_use = time.monotonic(), time.process_time()
        ends: dict[str, float] = {}
        with (
            SlowClients(site.port, strangers * (SLOW_CLIENTS // len(strangers)), site.tls()),
            browsing(site, cookie, paths) as during,
            in_background(
                finished,
                lambda: try_passwords(site, finished, answers),
                *(upload_one(row.pk) for row in uploads),
                watch_use,
            ),
        ):
            recordings = [
                add_recording("bomb.mp4", now + 24 * hour),
                add_recording("ordinary.mp4", now + 48 * hour),
            ]
            while time.monotonic() < began + seconds or len(ends) < len(recordings):
                processes.check()
                time.sleep(0.5)
                for recording in recordings:
                    recording.refresh_from_db()
                    if recording.state not in OPEN_STATES:
                        ends.setdefault(str(recording.pk), time.monotonic() - began)
                if time.monotonic() > began + 10 * seconds:
                    break
            took, own_use = time.monotonic() - began, time.process_time() - own_use

    print(describe("before", before.milliseconds))
    print(describe("attacked", during.milliseconds) + f", failed: {dict(during.failures) or 0}")
    print(f"answers to passwords in {took:.0f} s: {dict(answers)}; uploads: {sum(sent) / MIB / took:.1f} MB/s together")
    print(f"the attackers' own program took {own_use / took:.2f} of {os.cpu_count()} cores")
    for recording in recordings:
        end = ends.get(str(recording.pk), float("nan"))
        said = [recording.error, *review_messages(recording)]
        print(
            f"{recording.original_name}: {recording.state} after {end:.0f} s. {' '.join(map(str, filter(None, said)))}"
        )
    for name, use in uses.items():
        print(f"{name}: at most {use.memory / MIB:.0f} MB, {use.threads} threads")
    is_good = np.quantile(during.milliseconds, 0.95) <= MAX_P95_MS and not during.failures
    return 0 if is_good and recordings[1].state == Recording.State.DONE else 1


if __name__ == "__main__":
    sys.exit(main())
