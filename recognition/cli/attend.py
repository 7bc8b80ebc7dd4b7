"""`attend`: attendance of one recording or photo, from a folder of people."""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from recognition.cli.models import chosen_runtime, load_chosen_embedder
from recognition.detection.detector import Detector, DetectorSettings
from recognition.embedding import EMBEDDERS, Embedder
from recognition.errors import NoEnrolment, RecognitionError
from recognition.excel.lecture_workbook import LectureReport, StudentRow, UnknownRow, write_lecture_workbook
from recognition.identification import gallery
from recognition.identification.vote import VotePolicy, vote
from recognition.media.video import plan_segments, probe
from recognition.people_folder import photos_by_person
from recognition.pipeline import SAMPLE_EVERY_SECONDS, check_enrolment_photo, process_segment
from recognition.types import Attendance, Presence, VideoInfo


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    attend = commands.add_parser("attend", help="take attendance of one recording or photo")
    attend.set_defaults(run=run)
    attend.add_argument("recording", type=Path, metavar="VIDEO_OR_PHOTO")
    attend.add_argument("--people", type=Path, required=True, metavar="DIR", help="a folder of photos for each student")
    attend.add_argument("--enrol", type=int, metavar="N", help="use only the first N photos of each student, by number")
    attend.add_argument(
        "--every",
        type=float,
        default=SAMPLE_EVERY_SECONDS,
        metavar="S",
        help="seconds between frames looked at (%(default)s)",
    )
    attend.add_argument(
        "--min-face",
        type=int,
        default=DetectorSettings().min_face,
        metavar="PX",
        help="height of the smallest face looked for (%(default)s)",
    )
    attend.add_argument(
        "--strictness",
        choices=list(gallery.FPIR_BY_STRICTNESS),
        default=VotePolicy().strictness,
        help="how sure an answer has to be (%(default)s)",
    )
    attend.add_argument(
        "--embedder", choices=sorted(EMBEDDERS), default="dlib-resnet-v1", help="what compares faces (%(default)s)"
    )
    attend.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="the embedder's weights, where they are neither in a package nor kept",
    )
    attend.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    attend.add_argument("--excel", type=Path, metavar="FILE", help="write the result as a workbook")


def enrolled(people: Path, enrol: int | None, embedder: Embedder) -> gallery.Gallery:
    """The gallery of a folder of people; says which photos can't be used."""
    photos = photos_by_person(people, enrol)
    if not photos:
        raise NoEnrolment(
            f"There is no folder of photos in {people}. Make one for each student: {people}/<name>/1.jpg, 2.jpg, ..."
        )
    known: dict[str, list[gallery.Floats]] = {name: [] for name in photos}
    pairs = [(name, path) for name, paths in photos.items() for path in paths]
    for name, path in tqdm(pairs, desc="Enrolling", unit="photo"):
        try:
            photo = check_enrolment_photo(path, embedder)
        except RecognitionError as error:
            tqdm.write(f"{path}: {error}", file=sys.stderr)
            continue
        if photo.embedding is None:
            tqdm.write(f"{path}: {photo.reason}", file=sys.stderr)
        else:
            known[name].append(photo.embedding)
    return gallery.train_gallery(known, embedder.id)


def run(options: argparse.Namespace) -> int:
    if not options.people.is_dir():
        raise NoEnrolment(
            f"There is no folder {options.people}. Give the folder that has a folder of photos for each student."
        )
    info = probe(options.recording)
    embedder = load_chosen_embedder(options.embedder, options.weights)
    known = enrolled(options.people, options.enrol, embedder)
    detector = Detector(DetectorSettings(min_face=options.min_face), chosen_runtime())
    results = []
    began = time.monotonic()
    with tqdm(total=max(round(info.duration), 1), desc="Looking", unit="s") as bar:
        for segment in plan_segments(options.recording, info):
            length = segment.end - segment.start

            def advance(share: float, start: float = segment.start, length: float = length) -> None:
                bar.update(round(start + share * length) - bar.n)

            results.append(
                process_segment(
                    options.recording,
                    info,
                    segment,
                    embedder,
                    detector,
                    sample_every=options.every,
                    on_progress=advance,
                )
            )
        bar.update(bar.total - bar.n)
    attendance = vote(
        results, known, sorted(photos_by_person(options.people)), info, VotePolicy(strictness=options.strictness)
    )
    if options.json:
        options.json.write_text(json.dumps(as_json(attendance), indent=1))
    if options.excel:
        write_lecture_workbook(options.excel, as_report(attendance, info, known, options))
    for line in as_table(attendance):
        print(line)
    if not info.is_photo:
        took = time.monotonic() - began
        print(f"{info.duration:.0f} s of video in {took:.1f} s: {info.duration / took:.1f} x real time")
    return 0


def as_json(attendance: Attendance) -> dict[str, object]:
    students = {
        person.label: {
            "present": person.present,
            "to_confirm": person.to_confirm,
            "intervals": [[round(start, 2), round(end, 2)] for start, end in person.intervals],
            "confidence": round(person.confidence, 4),
        }
        for person in attendance.presences
    }
    static_faces = sum(person.is_static for person in attendance.unknown)
    return {
        "duration": attendance.duration,
        "students": students,
        "unknown": len(attendance.unknown) - static_faces,
        "static_faces": static_faces,
    }


def kind(person: Presence) -> str:
    return "present" if person.present else "to_confirm" if person.to_confirm else "absent"


def status(person: Presence) -> str:
    return {"present": "Present", "to_confirm": "To be confirmed", "absent": "Absent"}[kind(person)]


def as_report(
    attendance: Attendance, info: VideoInfo, known: gallery.Gallery, options: argparse.Namespace
) -> LectureReport:
    point = known.points[options.strictness]
    return LectureReport(
        course="",
        lecture=options.recording.stem,
        recording=options.recording.name,
        duration=info.duration,
        started_at=info.started_at.astimezone().replace(tzinfo=None) if info.started_at else None,
        embedder=known.embedder,
        threshold=point.thresholds[-1],
        margin=point.margin,
        coverage=1.0,
        students=tuple(
            StudentRow(
                number="",
                name=person.label,
                status=status(person),
                intervals=person.intervals,
                seconds=person.seconds,
                share=person.share,
                confidence=person.confidence,
                picture=person.crops[0].jpeg if person.crops else None,
                status_code=kind(person),
            )
            for person in attendance.presences
        ),
        unknown=tuple(
            UnknownRow(person.intervals, person.seconds, tuple(crop.jpeg for crop in person.crops), person.is_static)
            for person in attendance.unknown
        ),
    )


def as_table(attendance: Attendance) -> Iterable[str]:
    width = max((len(person.label) for person in attendance.presences), default=4)
    to_confirm = sum(person.to_confirm for person in attendance.presences)
    for person in attendance.presences:
        spans = ", ".join(f"{clock(start)}-{clock(end)}" for start, end in person.intervals)
        confidence = f"{person.confidence:5.0%}" if person.present or person.to_confirm else ""
        yield f"{person.label:{width}}  {status(person).lower():{16 if to_confirm else 8}}{spans:16}{confidence}"
    present = sum(person.present for person in attendance.presences)
    static_faces = sum(person.is_static for person in attendance.unknown)
    yield ", ".join(
        [
            f"{present} of {len(attendance.presences)} present",
            *([f"{to_confirm} to be confirmed"] if to_confirm else []),
            f"{len(attendance.unknown) - static_faces} unknown",
            *([f"{static_faces} on a wall or a screen"] if static_faces else []),
        ]
    )


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
