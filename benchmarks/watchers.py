"""Many people watch one recording in work: `python -m benchmarks.watchers VIDEO PEOPLE [--watchers 100] [--enrol 10]`.

Starts Redis, a worker, the scheduler and the web server as a campus runs it, uploads the recording, and lets so many
watchers ask for its progress as the page does, each with a login and a connection of its own, until it is done: every
two seconds, less often while there is nothing new. Prints requests a second, how many had nothing new, and the median,
95th percentile and worst of their answers in milliseconds; exits with 1 when the 95th percentile is over 100 ms or one
failed. ROLLCALL_DATABASE_URL names the database (default: SQLite).
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

EVERY, QUIET = 2.0, 6.0  # seconds, as recording_progress.js
MOST = 100  # milliseconds
WEB = ["--workers", "3", "--threads", "4"]  # as deploy/ does


@dataclass(kw_only=True)
class Watcher:
    port: int
    path: str
    cookie: str
    over: threading.Event
    seconds: list[float] = field(default_factory=list)
    unchanged: int = 0
    failures: list[str] = field(default_factory=list)

    def watch(self, first: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        tag, wait = "", EVERY
        self.over.wait(first)
        while not self.over.is_set():
            headers = {"Host": "localhost", "Cookie": self.cookie} | ({"If-None-Match": tag} if tag else {})
            began = time.perf_counter()
            try:
                answer = self.ask(connection, headers)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            else:
                self.seconds.append(time.perf_counter() - began)
                if answer.status == http.HTTPStatus.NOT_MODIFIED:
                    self.unchanged += 1
                    wait = min(1.5 * wait, QUIET)
                else:
                    tag, wait = answer.headers.get("ETag", ""), EVERY
                    if answer.status != http.HTTPStatus.OK:
                        self.failures.append(str(answer.status))
            self.over.wait(wait)
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Once more on a new connection where the server has closed the old one meanwhile, as a browser does."""
        try:
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
        answer.read()
        return answer


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
        processes.start_redis()
        prepare_database()
        from django.contrib.auth.models import User
        from django.test import Client
        from django.urls import reverse

        from campus.recordings.selectors import OPEN_STATES

        processes.start_worker()
        processes.start_scheduler()
        port = free_port()
        processes.start("web", [sys.executable, "-m", "gunicorn", "campus.wsgi", "--bind", f"127.0.0.1:{port}", *WEB])
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
        over = threading.Event()
        watchers = [Watcher(port=port, path=path, cookie=cookie, over=over) for cookie in cookies]
        threads = [
            threading.Thread(target=watcher.watch, args=(EVERY * n / len(watchers),))
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
        over.set()
        for thread in threads:
            thread.join()
    asked = 1000 * np.concatenate([watcher.seconds for watcher in watchers])
    failures = [failure for watcher in watchers for failure in watcher.failures]
    unchanged = sum(watcher.unchanged for watcher in watchers)
    middle, high = np.quantile(asked, [0.5, 0.95])
    print(
        f"{given.watchers} watchers for {took:.0f} s, the recording then {recording.state}: {len(asked) / took:.0f} "
        "requests a second,"
    )
    print(
        f"{unchanged / len(asked):.0%} with nothing new, median {middle:.0f} ms, p95 {high:.0f} ms, worst "
        f"{asked.max():.0f} ms,"
    )
    print(f"{len(failures)} failed {sorted(set(failures))}")
    return 0 if high <= MOST and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
