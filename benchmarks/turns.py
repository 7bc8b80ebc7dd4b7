"""How long the choice of the next segments takes: `python -m benchmarks.turns [--recordings 500] [--processes 64]`.

So many recordings of an hour wait at once, each of another lecturer. Prints the milliseconds of the first choice, which
fills the window, and the median of those that follow the end of one segment, which happen one after the other. In
ROLLCALL_DATABASE_URL, which has to be an empty database (default: SQLite).
"""

import argparse
import os
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from unittest import mock

from benchmarks.arrivals import SEGMENT_SECONDS, SEGMENTS, Broker

ROUNDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description=__doc__)
    parser.add_argument("--recordings", type=int, default=500)
    parser.add_argument("--processes", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
            "ROLLCALL_DATA_DIR": folder,
            "ROLLCALL_REPORTS_DIR": str(Path(folder, "Reports")),
        }
        os.environ.setdefault("ROLLCALL_DATABASE_URL", f"sqlite:///{folder}/rollcall.sqlite3")
        import django

        django.setup()
        from django.contrib.auth.models import User
        from django.core.management import call_command
        from django.utils import timezone

        from campus.academics.models import Course, Lecture
        from campus.common import jobs
        from campus.monitoring.workers import note_heartbeat
        from campus.recordings.models import Recording, Segment
        from campus.recordings.segment_turns import publish_due_segments
        from campus.recordings.services import finish_segment

        call_command("migrate", verbosity=0)
        now = timezone.now()
        for number in range(given.recordings):
            lecturer = User.objects.create(username=f"lecturer-{number}")
            course = Course.objects.create(code=f"R{number}", name=f"Room {number}")
            lecture = Lecture.objects.create(course=course, starts_at=now - timedelta(hours=1), ends_at=now)
            recording = Recording.objects.create(
                lecture=lecture,
                uploaded_by=lecturer,
                original_name="lecture.mp4",
                size=1,
                state=Recording.State.PROCESSING,
                planned_at=now,
            )
            Segment.objects.bulk_create(
                Segment(recording=recording, index=i, start=SEGMENT_SECONDS * i, end=SEGMENT_SECONDS * (i + 1))
                for i in range(SEGMENTS)
            )
        broker = Broker()
        milliseconds = []
        with mock.patch("campus.common.jobs.producer", return_value=broker):
            for number in range(ROUNDS + 1):
                note_heartbeat(worker="benchmark", name="benchmark", queues=["vision"], processes=given.processes)
                started = time.perf_counter()
                published = publish_due_segments()
                milliseconds.append(1000 * (time.perf_counter() - started))
                if number == 0:
                    print(f"{published} segments chosen in {milliseconds[0]:.0f} ms")
                segment = jobs.RECOGNISE.claim(broker.queues["vision"].popleft(), f"benchmark-{number}")
                assert segment  # noqa: S101
                finish_segment(segment=segment, result="benchmark", faces=0, tracks=0)
        print(f"the next one in {statistics.median(milliseconds[1:]):.1f} ms, {max(milliseconds[1:]):.1f} at worst")


if __name__ == "__main__":
    main()
