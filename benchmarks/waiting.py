"""How long people wait behind others' recordings: `python -m benchmarks.waiting [--behind 0 10 40] [--work 4]`.

Starts the broker, the workers and the scheduler as one machine runs them, with a stand-in for the networks: a minute of
video takes so many seconds, a photo half of that. It sleeps, so that the load of the machine matters little. A lecturer
uploads recordings of four minutes. While they are processed, another one uploads a photo of the room and a recording of
a minute, and so does the first lecturer. Prints how long each of these takes from the upload to the attendance, and how
long all recordings take together. ROLLCALL_DATABASE_URL names the database (default: SQLite).
"""

import argparse
import json
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from campus.academics.models import Course
    from campus.recordings.models import Recording
    from deploy.local import Processes

MINUTES = 4  # of a recording that others wait for
PEOPLE = 3
WORKER = ("celery", "-A", "tests.faults.worker", "worker", "-Q")


def enrol() -> "Course":
    """A class with photos, by which the stand-in knows people."""
    from django.core.files.base import ContentFile

    from campus.academics.models import Course
    from campus.academics.services import enrol_student
    from campus.accounts.institution import save_institution
    from campus.biometrics.services import add_photo
    from tests.faults.fake_vision import JPEG_HEAD

    save_institution(legal_basis="other")
    course = Course.objects.create(code="CS1", name="Computing")
    for person in range(PEOPLE):
        student = enrol_student(number=f"S{person}", name=f"Student {person}", course=course)
        for variation in range(4):
            content = JPEG_HEAD + json.dumps({"person": person, "variation": variation}).encode()
            add_photo(student=student, file=ContentFile(content, "photo.jpg"), name="photo.jpg")
    return course


def upload(course: "Course", user: "User", *, minutes: int, work: float, **script: Any) -> "Recording":
    """A recording of a lecture of its own, which has just ended."""
    from django.core.files.base import ContentFile
    from django.utils import timezone

    from campus.academics.models import Lecture
    from campus.recordings.services import create_recording

    ends_at = timezone.now()
    starts_at = ends_at - timedelta(minutes=minutes)
    lecture = Lecture.objects.create(course=course, starts_at=starts_at, ends_at=ends_at)
    script |= {"segments": [[*range(PEOPLE)]] * minutes, "work": work, "lecture": lecture.pk}
    file = ContentFile(json.dumps(script).encode(), "lecture.mp4")
    return create_recording(lecture=lecture, file=file, name="lecture.mp4", user=user, offset=0.0)


def wait_until_ended(recording: "Recording", processes: "Processes") -> None:
    from campus.recordings.selectors import OPEN_STATES

    while recording.state in OPEN_STATES:
        processes.check()
        time.sleep(0.1)
        recording.refresh_from_db()
    if recording.state not in ("done", "needs_review"):
        raise SystemExit(f"The recording is {recording.state}: {recording.error}")


def measure(course: "Course", users: "list[User]", behind: int, work: float, processes: "Processes") -> None:
    """Print a row of the table."""
    began = time.monotonic()
    backlog = [upload(course, users[0], minutes=MINUTES, work=work) for _ in range(behind)]
    while backlog and not backlog[0].segments.filter(state="done").exists():
        processes.check()
        time.sleep(0.1)
    cells = []
    for user in reversed(users):
        for is_photo in (True, False):
            uploaded = time.monotonic()
            short = upload(course, user, minutes=1, work=work / 2 if is_photo else work, photo=is_photo)
            wait_until_ended(short, processes)
            cells.append(f"{time.monotonic() - uploaded:.1f} s")
    for recording in backlog:
        wait_until_ended(recording, processes)
    cells.append(f"{time.monotonic() - began:.0f} s")
    print(f"| {behind} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--behind", type=int, nargs="+", default=[0, 10, 40])
    parser.add_argument("--work", type=float, default=4.0)
    given = parser.parse_args()
    var = Path(tempfile.mkdtemp())
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    os.environ.setdefault("ROLLCALL_LOG_LEVEL", "WARNING")

    from deploy.local import Processes, prepare_database

    with Processes(var) as processes:
        processes.start_broker()
        prepare_database()
        from django.contrib.auth.models import User

        from campus.common.jobs import QUEUES

        others = ",".join(queue for queue in QUEUES if queue not in ("quick", "sweep"))
        processes.start_python("worker", *WORKER, others, "-c", "2", is_nice=True)
        processes.start_python("quick", *WORKER, "quick", "-c", "1", "-n", "quick@%h")
        processes.start_python("sweeper", *WORKER, "sweep", "-c", "1", "-n", "sweep@%h")
        processes.start_scheduler()
        course = enrol()
        users = [User.objects.create_user(f"lecturer{number}") for number in range(2)]
        wait_until_ended(
            upload(course, users[0], minutes=1, work=0), processes
        )  # trains the class, starts the children
        print("| behind | photo | minute | photo of the same lecturer | minute of the same lecturer | all |")
        for behind in given.behind:
            measure(course, users, behind, given.work, processes)


if __name__ == "__main__":
    main()
