"""Many people watch one recording in work: `python -m benchmarks.watchers VIDEO PEOPLE [--watchers 100] [--enrol 10]`.

Starts Redis, a worker, the scheduler and the web server as a campus runs it, uploads the recording, and lets so many watchers ask for its
progress as often as the page does, each with a login and a connection of its own, until it is done. Prints requests a second, and the
median, 95th percentile and worst of their answers in milliseconds; exits with 1 when the 95th percentile is over 100 ms or one failed.
ROLLCALL_DATABASE_URL names the database (default: SQLite).
"""

import argparse
import http.client
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

EVERY = 2.0  # seconds, as progress.js
MOST = 100  # milliseconds
WEB = ["--workers", "3", "--threads", "4"]  # as deploy/ does


def watch(port: int, path: str, cookie: str, first: float, over: threading.Event, seconds: list[float], failures: list[str]) -> None:
    """Ask until `over`, each time EVERY seconds after the answer."""
    over.wait(first)
    while not over.is_set():
        began = time.perf_counter()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", path, headers={"Host": "localhost", "Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            if answer.status != http.HTTPStatus.OK:
                failures.append(str(answer.status))
        except OSError as error:
            failures.append(repr(error))
        seconds.append(time.perf_counter() - began)
        over.wait(EVERY)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("people", type=Path)
    parser.add_argument("--enrol", type=int, default=10)
    parser.add_argument("--watchers", type=int, default=100)
    given = parser.parse_args()
    var = Path(tempfile.mkdtemp())
    os.environ |= {"ROLLCALL_VAR": str(var), "ROLLCALL_REPORTS": str(var / "Reports"), "DJANGO_SETTINGS_MODULE": "campus.settings.dev"}
    os.environ.setdefault("ROLLCALL_LOG_LEVEL", "WARNING")

    from campus.local import Processes, free_port, prepare
    from demo import __main__ as demo

    with Processes(var) as processes:
        processes.redis()
        prepare()
        from django.contrib.auth.models import User
        from django.test import Client
        from django.urls import reverse

        from campus.footage.selectors import OPEN

        processes.worker()
        processes.scheduler()
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
        over, failures = threading.Event(), list[str]()
        seconds: list[list[float]] = [[] for _ in cookies]
        threads = [
            threading.Thread(target=watch, args=(port, path, cookie, EVERY * n / len(cookies), over, seconds[n], failures))
            for n, cookie in enumerate(cookies)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        while recording.state in OPEN:
            processes.check()
            time.sleep(0.5)
            recording.refresh_from_db()
        took = time.monotonic() - began
        over.set()
        for thread in threads:
            thread.join()
    asked = 1000 * np.concatenate(seconds)
    middle, high = np.quantile(asked, [0.5, 0.95])
    print(
        f"{given.watchers} watchers for {took:.0f} s, the recording then {recording.state}: {len(asked) / took:.0f} requests a second, ",
        end="",
    )
    print(f"median {middle:.0f} ms, p95 {high:.0f} ms, worst {asked.max():.0f} ms, {len(failures)} failed {sorted(set(failures))}")
    return 0 if high <= MOST and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
