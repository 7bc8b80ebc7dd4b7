"""A day at a university: `python -m benchmarks.arrivals [--rooms 10] [--hours 8] [--cores 8] [--core-speed 10.2]`.

Each room gives a recording of an hour every hour, which somebody uploads within a quarter of an hour after its end. The
rows, the choice whose turn it is, claims, ends and votes are the program's own, in a database of SQLite. The recogniser
costs nothing: a segment ends after the time that a core would need for it, by a clock that is set forward. Prints how
long recordings took from upload to vote, by the hour of the upload, and what a segment asked of the database.
"""

import argparse
import heapq
import itertools
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

SEGMENTS, SEGMENT_SECONDS = 60, 60.0
UPLOAD_WITHIN_SECONDS = 900
VOTE_SECONDS = 1.0
BEAT_SECONDS = 10.0
START = datetime(2026, 11, 23, 9, tzinfo=UTC)  # when the first lectures end


class Broker:
    """In place of Celery and Redis: the messages in each queue, in order."""

    def __init__(self) -> None:
        self.queues: dict[str, deque[str]] = defaultdict(deque)

    def connection_for_write(self) -> AbstractContextManager[None]:
        return nullcontext()

    def send_task(self, _task: str, *, args: list[Any], queue: str, **_options: Any) -> None:
        self.queues[queue].append(args[1])


class Day:
    """What happens, in its order, by a clock of its own."""

    def __init__(self, cores: int, segment_seconds: float) -> None:
        self.now, self.idle, self.cores, self.segment_seconds = START, cores, cores, segment_seconds
        self.broker, self.numbers = Broker(), itertools.count()
        self.events: list[tuple[datetime, int, Callable[[], None]]] = []
        self.uploaded: dict[str, datetime] = {}
        self.counted: dict[str, datetime] = {}
        self.segments = 0

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + timedelta(seconds=seconds), next(self.numbers), what))

    def run(self) -> None:
        while self.events:
            self.now, _number, what = heapq.heappop(self.events)
            what()
            while self.idle and self.broker.queues["vision"]:
                self.begin(self.broker.queues["vision"].popleft())
            while self.broker.queues["quick"]:
                pk = self.broker.queues["quick"].popleft()
                self.later(VOTE_SECONDS, lambda pk=pk: self.vote(pk))  # type: ignore[misc]

    def sqlite_now(self, _form: str, _when: str) -> str:
        return f"{self.now:%Y-%m-%d %H:%M:%S}.{self.now.microsecond // 1000:03}"

    def beat(self) -> None:
        """The workers say that they run, and the sweeper looks, as long as there is something to do."""
        from campus.monitoring.workers import note_heartbeat
        from campus.recordings.segment_turns import publish_due_segments

        note_heartbeat(worker="benchmark", name="vision@benchmark", queues=["vision"], processes=self.cores)
        publish_due_segments()
        if len(self.counted) < len(self.uploaded) or self.events:
            self.later(BEAT_SECONDS, self.beat)

    def upload(self, lecture: Any) -> None:
        from campus.recordings.models import Recording, Segment
        from campus.recordings.segment_turns import publish_due_segments

        recording = Recording.objects.create(
            lecture=lecture,
            uploaded_by=lecture.course.lecturers.get(),
            original_name="lecture.mp4",
            size=2 * 10**8,
            duration=SEGMENTS * SEGMENT_SECONDS,
            state=Recording.State.PROCESSING,
            planned_at=self.now,
        )
        starts = [SEGMENT_SECONDS * index for index in range(SEGMENTS)]
        Segment.objects.bulk_create(
            Segment(recording=recording, index=index, start=start, end=start + SEGMENT_SECONDS)
            for index, start in enumerate(starts)
        )
        self.uploaded[str(recording.pk)] = self.now
        publish_due_segments()

    def begin(self, pk: str) -> None:
        from campus.common import jobs

        if segment := jobs.RECOGNISE.claim(pk, f"benchmark-{next(self.numbers)}"):
            self.idle -= 1
            self.later(self.segment_seconds, lambda: self.end(segment))

    def end(self, segment: Any) -> None:
        from campus.common import jobs
        from campus.recordings.segment_turns import publish_due_segments
        from campus.recordings.services import finish_segment, start_due_votes

        self.idle += 1
        self.segments += 1
        jobs.renew(segment)  # workers do that every third of a lease
        finish_segment(segment=segment, result="benchmark", faces=0, tracks=0)
        publish_due_segments()
        start_due_votes(recording_id=segment.recording_id)

    def vote(self, pk: str) -> None:
        from campus.common import jobs
        from campus.recordings.models import Recording

        if row := jobs.AGGREGATE.claim(pk, f"benchmark-{next(self.numbers)}"):
            jobs.finish(row, Recording.State.DONE, finished_at=self.now)
            self.counted[pk] = self.now


def report(day: Day, statements: int, seconds: float) -> None:
    by_hour: dict[int, list[float]] = defaultdict(list)
    for pk, uploaded in day.uploaded.items():
        hour = int((uploaded - START).total_seconds() // 3600)
        by_hour[hour].append((day.counted[pk] - uploaded).total_seconds() / 60)
    for hour, minutes in sorted(by_hour.items()):
        median, worst = statistics.median(minutes), max(minutes)
        waits = f"{median:.0f} minutes at the median, {worst:.0f} at worst"
        print(f"hour {hour + 1}: {len(minutes)} recordings, counted after {waits}")
    hours = (max(day.counted.values()) - START).total_seconds() / 3600
    print(f"the last one was counted {hours:.1f} hours after the first lectures had ended")
    of_each = f"{statements / day.segments:.1f} statements, {1000 * seconds / day.segments:.1f} ms"
    print(f"{day.segments} segments; of each {of_each}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrivals", description=__doc__)
    parser.add_argument("--rooms", type=int, default=10)
    parser.add_argument("--hours", type=int, default=8)
    parser.add_argument("--cores", type=int, default=8, help="that look for faces")
    parser.add_argument("--core-speed", type=float, default=10.2, help="times real time (benchmarks.lecture_cost)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
            "ROLLCALL_DATA_DIR": folder,
            "ROLLCALL_REPORTS_DIR": str(Path(folder, "Reports")),
            "ROLLCALL_DATABASE_URL": f"sqlite:///{folder}/rollcall.sqlite3",
        }
        import django

        django.setup()
        from django.contrib.auth.models import User
        from django.core.management import call_command
        from django.db import connection

        from campus.academics.models import Course, Lecture

        call_command("migrate", verbosity=0)
        day = Day(given.cores, SEGMENT_SECONDS / given.core_speed)
        chance, statements = random.Random(1), 0  # noqa: S311

        def count(execute: Any, *arguments: Any) -> Any:
            nonlocal statements
            statements += 1
            return execute(*arguments)

        for room in range(given.rooms):
            course = Course.objects.create(code=f"R{room}", name=f"Room {room}")
            course.lecturers.add(User.objects.create(username=f"lecturer-{room}"))
            for hour in range(given.hours):
                ends = START + timedelta(hours=hour)
                lecture = Lecture.objects.create(course=course, starts_at=ends - timedelta(hours=1), ends_at=ends)
                wait = 3600 * hour + chance.uniform(0, UPLOAD_WITHIN_SECONDS)
                day.later(wait, lambda lecture=lecture: day.upload(lecture))  # type: ignore[misc]
        connection.connection.create_function("strftime", 2, day.sqlite_now)
        with (
            mock.patch("campus.common.jobs.producer", return_value=day.broker),
            mock.patch("django.utils.timezone.now", side_effect=lambda: day.now),
            connection.execute_wrapper(count),
        ):
            started = time.process_time()
            day.beat()
            day.run()
            report(day, statements, time.process_time() - started)


if __name__ == "__main__":
    main()
