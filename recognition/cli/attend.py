"""`attend`: attendance of one recording or photo, from a folder of people or a gallery."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from recognition.annotate import check_output_name
from recognition.attendance import STATUS_LABELS, AttendanceResult, take_attendance
from recognition.cli.enrol import add_people_options, enrol_with_progress
from recognition.cli.models import chosen_runtime, load_chosen_embedder
from recognition.detection.detector import DetectorSettings
from recognition.embedding import DEFAULT_EMBEDDER
from recognition.identification.gallery import DEFAULT_STRICTNESS, FPIR_BY_STRICTNESS, Gallery
from recognition.media.video import probe
from recognition.pipeline import SAMPLE_EVERY_SECONDS


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    attend = commands.add_parser("attend", help="take attendance of one recording or photo")
    attend.set_defaults(run=run)
    attend.add_argument("recording", type=Path, metavar="VIDEO_OR_PHOTO")
    source = attend.add_mutually_exclusive_group(required=True)
    source.add_argument("--people", type=Path, metavar="DIR", help="a folder of photos for each student")
    source.add_argument(
        "--gallery", type=Path, metavar="FILE", help="a gallery that `enrol` made, in place of --people"
    )
    add_people_options(attend)
    attend.add_argument(
        "--every",
        type=float,
        default=SAMPLE_EVERY_SECONDS,
        metavar="S",
        help="seconds between the frames that are searched (%(default)s)",
    )
    attend.add_argument(
        "--min-face",
        type=int,
        default=DetectorSettings().min_face,
        metavar="PX",
        help="height of the smallest face to find (%(default)s)",
    )
    strictnesses = list(FPIR_BY_STRICTNESS)
    attend.add_argument(
        "--strictness",
        choices=strictnesses,
        default=DEFAULT_STRICTNESS,
        help="how sure an answer has to be (%(default)s)",
    )
    # The option's first name, which scripts still use.
    attend.add_argument(
        "--sureness", choices=strictnesses, dest="strictness", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    attend.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    attend.add_argument("--excel", type=Path, metavar="FILE", help="write the result as a workbook")
    attend.add_argument(
        "--annotated",
        type=Path,
        metavar="FILE",
        help="write the recording with a box and a name around each face: .mp4, or .jpg or .png for a photo",
    )
    attend.add_argument("--blur-others", action="store_true", help="in it, make the faces of all others unrecognisable")


def run(options: argparse.Namespace) -> int:
    # An unreadable recording is refused before minutes are spent on photos.
    info = probe(options.recording)
    if options.annotated:
        check_output_name(options.annotated, is_photo=info.is_photo)
    gallery = Gallery.load(options.gallery) if options.gallery else None
    embedder = load_chosen_embedder(
        options.embedder or (gallery.embedder if gallery else DEFAULT_EMBEDDER), options.weights
    )
    if gallery is None:
        gallery = enrol_with_progress(options.people, options.enrol, options.keep, embedder)
    began = time.monotonic()
    with tqdm(total=max(round(info.duration), 1), desc="Searching", unit="s") as bar:
        result = take_attendance(
            options.recording,
            gallery=gallery,
            strictness=options.strictness,
            embedder=embedder,
            every=options.every,
            min_face=options.min_face,
            runtime=chosen_runtime(),
            progress=lambda share: bar.update(round(share * bar.total) - bar.n),
        )
        bar.update(bar.total - bar.n)
    took = time.monotonic() - began
    if options.json:
        options.json.write_text(result.to_json())
    if options.excel:
        result.to_excel(options.excel)
    if options.annotated:
        with tqdm(total=100, desc="Drawing", unit="%") as bar:
            result.annotate(
                options.annotated,
                blur_others=options.blur_others,
                progress=lambda share: bar.update(round(100 * share) - bar.n),
            )
    for line in format_table(result):
        print(line)
    if not info.is_photo:
        print(f"{info.duration:.0f} s of video in {took:.1f} s: {info.duration / took:.1f} x real time")
    return 0


def format_table(result: AttendanceResult) -> Iterator[str]:
    """A line for each student, and one with the sums."""
    name_width = max((len(student.label) for student in result.students), default=4)
    counts = {status: sum(student.status == status for student in result.students) for status in STATUS_LABELS}
    status_width = 2 + max((len(STATUS_LABELS[student.status]) for student in result.students), default=6)
    for student in result.students:
        spans = ", ".join(f"{format_time(start)}-{format_time(end)}" for start, end in student.intervals)
        confidence = f"{student.confidence:5.0%}" if student.intervals or student.confidence else ""
        status = STATUS_LABELS[student.status].lower()
        yield f"{student.label:{name_width}}  {status:{status_width}}{spans:16}{confidence}"
    sums = [f"{counts['present']} of {len(result.students)} present"]
    if counts["to confirm"]:
        sums.append(f"{counts['to confirm']} to be confirmed")
    if counts["not recognisable"]:
        sums.append(f"{counts['not recognisable']} not recognisable")
    sums.append(f"{len(result.unknown)} unknown")
    if result.static_faces:
        sums.append(f"{len(result.static_faces)} on a wall or a screen")
    yield ", ".join(sums)


def format_time(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
