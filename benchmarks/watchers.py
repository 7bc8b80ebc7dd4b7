"""Many people watch a recording's progress: `python -m benchmarks.watchers VIDEO PEOPLE [--watchers 100] [--enrol 10]`.

Starts Redis, a worker, the scheduler and the web server as a campus runs it, and uploads the recording. Until it is
done, watchers request its progress as the page does, each with a login and a connection of its own: every two seconds,
less often while nothing changes. Prints requests per second, how many had nothing new, and the median, 95th percentile
and worst response time; exits with 1 if the 95th percentile is over 100 ms or a request failed. ROLLCALL_DATABASE_URL
names the database (default: SQLite).
"""

import argparse
import http.client
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

POLL_SECONDS, MAX_POLL_SECONDS = 2.0, 6.0  # as recording_progress.js
MAX_P95_MS = 100
GUNICORN_OPTIONS = ["-c", "python:campus.settings.gunicorn", "--workers", "3", "--threads", "4"]  # as deploy/ does


@dataclass(kw_only=True)
class Watcher:
    port: int
    path: str
    cookie: str
    finished: threading.Event
    seconds: list[float] = field(default_factory=list)
    unchanged: int = 0
    failures: list[str] = field(default_factory=list)

    def watch(self, first: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        tag, wait = "", POLL_SECONDS
        self.finished.wait(first)
        while not self.finished.is_set():
            headers = {"Host": "localhost", "Cookie": self.cookie} | ({"If-None-Match": tag} if tag else {})
            began = time.perf_counter()
            try:
                response = self.request(connection, headers)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            else:
                self.seconds.append(time.perf_counter() - began)
                if response.status == http.HTTPStatus.NOT_MODIFIED:
                    self.unchanged += 1
                    wait = min(1.5 * wait, MAX_POLL_SECONDS)
                else:
                    tag, wait = response.headers.get("ETag", ""), POLL_SECONDS
                    if response.status != http.HTTPStatus.OK:
                        self.failures.append(str(response.status))
            self.finished.wait(wait)
        connection.close()

    def request(self, connection: http.client.HTTPConnection, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send a request; if the server has closed the connection meanwhile, on a new one, as a browser does."""
        try:
            connection.request("GET", self.path, headers=headers)
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            connection.request("GET", self.path, headers=headers)
            response = connection.getresponse()
        response.read()
        return response


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("people", type=Path)
    parser.add_argument("--enrol", type=int, default=10)
    parser.add_argument("--watchers", type=int, default=100)
    given = parser.parse_args()
    var = Path(tempfile.mkdtemp())
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    os.environ.setdefault("ROLLCALL_LOG_LEVEL", "WARNING")

    from demo import __main__ as demo
    from deploy.local import Processes, free_port, prepare_database

    with Processes(var) as processes:
        processes.start_broker()
        prepare_database()
        from django.contrib.auth.models import User
        from django.test import Client
        from django.urls import reverse

        from campus.recordings.selectors import OPEN_STATES

        processes.start_workers()
        processes.start_scheduler()
        port = free_port()
        processes.start(
            "web", [sys.executable, "-m", "gunicorn", "campus.wsgi", "--bind", f"127.0.0.1:{port}", *GUNICORN_OPTIONS]
        )
        course = demo.enrol(given.people, given.enrol)
        while not course.galleries.filter(active=True).exists():
            processes.check()
            time.sleep(0.5)
        cookies = []
        for number in range(given.watchers):
            lecturer = User.objects.create_user(f"watcher{number}")
            lecturer.courses.add(course)
            client = Client()
            client.force_login(lecturer)
            cookies.append("; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items()))
        recording = demo.upload(course, given.video)
        path = reverse("recording-progress", args=[recording.pk])
        finished = threading.Event()
        watchers = [Watcher(port=port, path=path, cookie=cookie, finished=finished) for cookie in cookies]
        threads = [
            threading.Thread(target=watcher.watch, args=(POLL_SECONDS * n / len(watchers),))
            for n, watcher in enumerate(watchers)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        while recording.state in OPEN_STATES:
            processes.check()
            time.sleep(0.5)
            recording.refresh_from_db()
        took = time.monotonic() - began
        finished.set()
        for thread in threads:
            thread.join()
    milliseconds = 1000 * np.concatenate([watcher.seconds for watcher in watchers])
    failures = [failure for watcher in watchers for failure in watcher.failures]
    unchanged = sum(watcher.unchanged for watcher in watchers)
    middle, high = np.quantile(milliseconds, [0.5, 0.95])
    print(
        f"{given.watchers} watchers for {took:.0f} s, the recording then {recording.state}: "
        f"{len(milliseconds) / took:.0f} requests per second,"
    )
    print(
        f"{unchanged / len(milliseconds):.0%} with nothing new, median {middle:.0f} ms, p95 {high:.0f} ms, worst "
        f"{milliseconds.max():.0f} ms,"
    )
    print(f"{len(failures)} failed {sorted(set(failures))}")
    return 0 if high <= MAX_P95_MS and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
