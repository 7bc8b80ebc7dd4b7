"""Attendance of one lecture through the real parts: database, Redis, worker, workbook. `make demo` runs it.

Without --video it is the demo's own lecture, of which the truth is known. Everything lies in var/demo, made anew each
time; only the workbook goes to Reports/.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import time
from contextlib import suppress
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from deploy.local import ROOT, LocalError, Processes, prepare_database

if TYPE_CHECKING:
    from campus.academics.models import Course
    from campus.recordings.models import Recording

VAR = Path(os.environ.get("ROLLCALL_DATA_DIR", ROOT / "var")) / "demo"
COURSE_CODE = "DEMO"


class DemoError(Exception):
    """The demo cannot go on. The message is a sentence."""


def parse_options() -> argparse.Namespace:
    from recognition import EMBEDDERS

    parser = argparse.ArgumentParser(prog="python -m demo", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--video", type=Path, help="a recording or photo of your own")
    parser.add_argument(
        "--people", type=Path, metavar="DIR", help="who is on the roster: DIR/<name>/*.jpg are photos of <name>"
    )
    parser.add_argument("--enrol", type=int, metavar="N", help="use only the first N photos of each, by number")
    parser.add_argument("--embedder", choices=EMBEDDERS, help="what compares faces (default: the setting)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    given = parser.parse_args()
    if (given.video is None) != (given.people is None):
        parser.error("give both --video and --people, or none of them")
    if given.video and not given.video.is_file():
        parser.error(f"there is no file {given.video}")
    if given.people and not given.people.is_dir():
        parser.error(f"there is no folder {given.people}")
    return given


def enrol(people: Path, first: int | None) -> "Course":
    """Create the demo class with its students and their photos, and request its training."""
    from django.core.files import File

    from campus.academics.models import Course
    from campus.academics.services import enrol_student
    from campus.accounts.institution import save_institution
    from campus.biometrics.services import add_photo, request_training
    from recognition.people_folder import photos_by_person

    # The demo's own people do not exist; whose face others show it, is for them to ask.
    save_institution(legal_basis="other", basis_text="A demonstration.")
    course = Course.objects.create(code=COURSE_CODE, name="Rollcall's demo")
    for number, (name, photos) in enumerate(photos_by_person(people, first).items(), start=1):
        student = enrol_student(number=f"D{number:03}", name=name, course=course)
        for path in photos:
            with path.open("rb") as file:
                add_photo(student=student, file=File(file), name=path.name)
    request_training(course=course)
    return course


def upload(course: "Course", video: Path) -> "Recording":
    """Upload the recording for a new lecture of the class."""
    from django.core.files import File
    from django.utils import timezone

    from campus.academics.services import create_lecture
    from campus.recordings.services import create_recording
    from recognition.errors import RecognitionError
    from recognition.media.video import probe

    now = timezone.localtime().replace(second=0, microsecond=0)
    seconds = 0.0  # of a photo
    with suppress(RecognitionError):  # a worker says what is wrong with the file
        seconds = probe(video).duration
    length = timedelta(seconds=seconds) or timedelta(hours=1)
    lecture = create_lecture(course=course, starts_at=now, ends_at=now + length, title="Demo")
    with video.open("rb") as file:
        return create_recording(lecture=lecture, file=File(file), name=video.name, user=None, offset=0.0)


def watch(recording: "Recording", processes: Processes) -> None:
    """Show a progress bar until the recording is processed."""
    from django.contrib.auth.models import User

    from campus.accounts.roles import Role
    from campus.accounts.services import set_role
    from campus.attendance.recording_review import accept_recording
    from campus.recordings.progress import progress_of
    from campus.recordings.review import review_messages
    from campus.recordings.selectors import OPEN_STATES

    with tqdm(total=100, bar_format="{l_bar}{bar}| {elapsed}", file=sys.stdout) as bar:
        while recording.state in OPEN_STATES:
            processes.check()
            time.sleep(0.3)
            recording.refresh_from_db()
            now = progress_of(recording)
            shown = (str(now["state_label"]).capitalize(), round(100 * now["share"]))
            if sys.stdout.isatty() or shown != (bar.desc, bar.n):
                bar.desc, bar.n = shown
                bar.refresh()
    if recording.held:
        print(f"A person would be asked to check this recording: {' '.join(map(str, review_messages(recording)))}")
        registrar = User.objects.create_user("demo")
        set_role(user=registrar, role=Role.REGISTRAR)
        accept_recording(recording=recording, user=registrar)
        recording.refresh_from_db()
    elif recording.state != recording.State.DONE:
        raise DemoError(f"{recording.error} The log is {processes.log_path('worker')}.")


def result_of(recording: "Recording") -> dict[str, Any]:
    """The same values that `python -m recognition attend --json` writes."""
    return {
        "duration": recording.duration,
        "students": {
            sighting.student.name: {
                "present": sighting.present,
                "to_confirm": sighting.to_confirm,
                "intervals": sighting.intervals,
                "confidence": round(sighting.confidence, 4),
            }
            for sighting in recording.sightings.select_related("student")
        },
        "unknown": recording.unknown_people.filter(is_static=False).count(),
        "static_faces": recording.unknown_people.filter(is_static=True).count(),
    }


def show(recording: "Recording") -> None:
    """Print the rejected photos and the attendance."""
    from campus.biometrics.models import FacePhoto
    from campus.recordings.selectors import format_clock

    rejected = FacePhoto.objects.filter(state=FacePhoto.Verdict.REJECTED).select_related("student")
    for name, photos in groupby(rejected.order_by("student__name", "original_name"), lambda photo: photo.student.name):
        first, *others = photos
        more = f" Nor {', '.join(photo.original_name for photo in others)}." if others else ""
        print(f"Not used of {name}: {first.original_name}. {first.reason}{more}")
    records = recording.lecture.records.select_related("student").order_by("student__name")
    sightings = {sighting.student_id: sighting for sighting in recording.sightings.all()}
    width = max([4, *(len(record.student.name) for record in records)])
    print(f"\n{'Name':{width}}  {'Status':15}  {'Seen':>7} {'to':>7}  Share  Confidence")
    for record in records:
        seen = sightings[record.student_id].intervals
        when = (
            f"{format_clock(seen[0][0]):>7} {format_clock(seen[-1][1]):>7}  {record.share:5.0%}  "
            f"{record.confidence:10.0%}"
            if seen
            else ""
        )
        print(f"{record.student.name:{width}}  {record.get_status_display():15}  {when}".rstrip())
    print(f"Unknown people: {recording.unknown_people.filter(is_static=False).count()}")


def compare(recording: "Recording", truth: dict[str, Any]) -> bool:
    """Print how many students have the right status. Returns whether all have, and all strangers are unknown people."""
    statuses = {
        record.student.name: record.get_status_display()
        for record in recording.lecture.records.select_related("student")
    }
    wrong = [name for name, status in truth["status"].items() if statuses.get(name) != status]
    unknown, strangers = recording.unknown_people.filter(is_static=False).count(), len(truth["strangers"])
    print(f"\n{len(truth['status']) - len(wrong)} of {len(truth['status'])} students are right", end="")
    print(f"; wrong: {', '.join(wrong)}." if wrong else f", and {unknown} of {strangers} strangers seen as unknown.")
    return not wrong and unknown == strangers


def run(options: argparse.Namespace, processes: Processes) -> bool:
    from django.conf import settings

    from demo import lecture

    people, video = options.people or VAR / "people", options.video or VAR / "lecture.mp4"
    if not options.video:
        lecture.write_photos(people)
    course = enrol(people, options.enrol)
    if not options.video:
        lecture.write_video(video)
    recording = upload(course, video)
    watch(recording, processes)
    show(recording)
    if options.json:
        options.json.write_text(json.dumps(result_of(recording), indent=1))
    right = True if options.video else compare(recording, lecture.truth())
    print(f"\nThe workbook is {settings.REPORTS_DIR / recording.report.file_name}")
    return right


def main() -> int:
    options = parse_options()
    os.environ.setdefault("ROLLCALL_NETWORK_CACHE_DIR", str(VAR.parent / "networks"))
    os.environ |= {"ROLLCALL_DATA_DIR": str(VAR), "ROLLCALL_DATABASE_URL": f"sqlite:///{VAR / 'rollcall.sqlite3'}"}
    if options.embedder:
        os.environ["ROLLCALL_EMBEDDER"] = options.embedder
    os.environ.pop("ROLLCALL_REDIS_URL", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "campus.settings.dev"
    try:
        with Processes(VAR) as processes:
            for path in VAR.iterdir():
                if path.name not in {"lock", "log"}:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            processes.start_broker()
            prepare_database()
            processes.start_workers()
            processes.start_scheduler()
            logging.getLogger("campus").setLevel(logging.WARNING)  # here only: the children write their logs
            from campus.common.errors import UserError

            try:
                return 0 if run(options, processes) else 1
            except UserError as error:
                raise DemoError(f"{error} The log is {processes.log_path('worker')}.") from error
    except (DemoError, LocalError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
