"""Rows for whole recordings: against the peers' way, and as recordings and classes grow.

`python -m benchmarks.recording VIDEO GALLERY` takes attendance once in a fresh process and prints seconds and memory as
JSON.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.lectures import Truth, composed, end_to_end, enrolled, majorities, nearest, widened
from benchmarks.parts import Bench
from benchmarks.versus import REPOSITORY, Check, Row, in_turns
from recognition.detection.alignment import align_face
from recognition.embedding import load_embedder
from recognition.identification.gallery import Gallery
from recognition.identification.vote import vote
from recognition.media.video import plan_segments, probe, sample_frames
from recognition.pipeline import process_segment
from recognition.tracking.result_file import load_segment_result, save_segment_result
from recognition.types import Face, SegmentResult

EMBEDDER = "dlib-resnet-v1"
PEER_BATCH = 32
DLIB_FACES = 16
MIN_FACE = 20  # pixels, for the peer: what it takes by default
STUDENTS = 5000
GIGABYTE = 2**30
TEN_MINUTES = (
    "--seats",
    "30",
    "--unknown",
    "4",
    "--face",
    "32-100",
    "--noise",
    "2",
    "--duration",
    "600",
    "--seed",
    "1",
)
FULL_ROOM = (
    "--absent",
    "0",
    "--late",
    "0",
    "--leave",
    "0",
    "--face",
    "32-60",
    "--duration",
    "60",
    "--fps",
    "5",
    "--gop",
    "10",
)


def lecture(bench: Bench) -> Path:
    return bench.lecture or composed(bench, "ten", *TEN_MINUTES)


def against_the_peers(bench: Bench) -> list[Row]:
    """Ours, with decoding and voting, against mtcnn and the same embedder on every face of the same frames, segment by
    segment.

    The peer gets its frames decoded, and our compiled embedder. What dlib's own would have cost is scaled from some
    faces of each segment. Who was there by the peer's way is asked by several rules; the one that is right most often
    counts.
    """
    path = lecture(bench)
    truth, info, embedder = Truth.of(path), probe(path), load_embedder(EMBEDDER)
    people = enrolled(bench.data / "people", truth, embedder)
    segments = plan_segments(path, info, min(60.0, info.duration / 5))
    results: dict[int, SegmentResult] = {}
    seen: dict[int, list[list[str | None]]] = {}
    seconds: list[float] = []
    with_dlib: list[float] = []

    def ours(number: int) -> float:
        segment = segments[number]
        start = time.perf_counter()
        results[number] = process_segment(path, info, segment, embedder)
        seconds.append(time.perf_counter() - start)
        return (segment.end - segment.start) / seconds[-1]

    def peer(number: int) -> float:
        segment = segments[number]
        images = [frame.image for frame in sample_frames(path, info, segment)]
        out = bench.peers.file("faces.npz")
        detecting = bench.peers.call(
            "mtcnn", frames=bench.peers.hand_over("frames", np.stack(images)), min_face=MIN_FACE, out=out
        )["seconds"]
        with np.load(out) as file:
            faces = [Face(*face) for face in zip(file["boxes"], file["scores"], file["points"], strict=True)]
            frame = file["frame"]
        start = time.perf_counter()
        crops = [
            align_face(images[at], face, embedder.targets, embedder.crop_size)
            for at, face in zip(frame, faces, strict=True)
        ]
        batches = [
            embedder.network(np.stack(crops[at : at + PEER_BATCH]))[0] for at in range(0, len(crops), PEER_BATCH)
        ]
        names = nearest(np.concatenate(batches), people.photos, people.labels) if batches else []
        embedding = time.perf_counter() - start
        seen[number] = [
            [name for name, at in zip(names, frame, strict=True) if at == index] for index in range(len(images))
        ]
        some = crops[:: max(len(crops) // DLIB_FACES, 1)]
        dlib = bench.peers.call(
            "dlib", crops=bench.peers.hand_over("some", np.stack(some)), out=bench.peers.file("vectors.npy")
        )
        with_dlib.append((segment.end - segment.start) / (detecting + dlib["seconds"] * len(crops) / len(some)))
        return (segment.end - segment.start) / (detecting + embedding)

    ours(0)
    bench.peers.call(
        "mtcnn",
        frames=bench.peers.hand_over("one", np.zeros((1, info.height, info.width, 3), np.uint8)),
        min_face=MIN_FACE,
        out=bench.peers.file("faces.npz"),
    )
    seconds.clear()
    speeds = in_turns(len(segments), ours, peer)
    start = time.perf_counter()
    attendance = vote([results[number] for number in sorted(results)], people.gallery, truth.roster, info)
    voting = time.perf_counter() - start
    right = truth.right({presence.label for presence in attendance.presences if presence.present})
    rules = {
        rule: truth.right(present)
        for rule, present in majorities([part for number in sorted(seen) for part in seen[number]]).items()
    }
    best = max(rules, key=lambda rule: rules[rule])
    checks = (
        Check(
            name=f"of {len(truth.roster)} statuses right, the peer's {rules[best]}, named {best}: ours",
            value=right,
            least=rules[best],
        ),
    )
    what = (
        f"whole recording of {info.duration / 60:.0f} min, 1080p, {len(truth.roster)} seated, against mtcnn 1.0.0 "
        "and the same embedder"
    )
    note = f"the peer's statuses right by rule: {rules}; decoding counts for ours alone"
    total = info.duration / (sum(seconds) + voting)
    return [
        Row(
            name="recording",
            what=what,
            unit="x real time",
            ours=speeds[0],
            peer=speeds[1],
            target=20,
            checks=checks,
            note=note,
        ),
        Row(
            name="recording-dlib",
            what="the same, the peer embedding with dlib-bin",
            unit="x real time",
            ours=speeds[0],
            peer=tuple(with_dlib),
        ),
        Row(
            name="real-time",
            what="the same recording from the first segment to the vote",
            unit="x real time",
            ours=(total,),
            target=20,
        ),
    ]


def memory(field: str) -> int:
    """VmHWM (the most there was) or VmRSS (what there is) of this process, in bytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def once(video: Path, trained: Gallery) -> dict[str, Any]:
    """Attendance of one recording in this process, after one segment to warm up. As in a worker, the tracks go to
    files."""
    info, embedder = probe(video), load_embedder(EMBEDDER)
    segments = plan_segments(video, info)
    process_segment(video, info, segments[0], embedder)
    start = time.perf_counter()
    held = []
    with TemporaryDirectory() as folder:
        files = [Path(folder, f"{segment.index}.npz") for segment in segments]
        for segment, file in zip(segments, files, strict=True):
            save_segment_result(file, process_segment(video, info, segment, embedder))
            held.append(memory("VmRSS"))
        looked = time.perf_counter() - start
        results = [load_segment_result(file) for file in files]
    vote(results, trained, trained.labels, info)
    voted = time.perf_counter() - start - looked
    counts = {"frames": sum(result.frames for result in results), "faces": sum(result.faces for result in results)}
    return {
        "duration": info.duration,
        "seconds": looked + voted,
        "vote": voted,
        "peak": memory("VmHWM"),
        "held": held,
    } | counts


def fresh(video: Path, trained: Path) -> dict[str, Any]:
    """`once` in a process of its own, so that its memory is its own too."""
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.recording", video.resolve(), trained.resolve()]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout
    return dict(json.loads(out.splitlines()[-1]))


def off_the_line(x: Sequence[float], y: Sequence[float]) -> float:
    """How far the point that is farthest from the straight line lies, as a share of what the line says there.

    The line is the one of least squares of the relative errors, so that a long recording doesn't outweigh a short one.
    """
    points, values = np.asarray(x, float), np.asarray(y, float)
    terms = np.stack([points, np.ones_like(points)], axis=1)
    line = terms @ np.linalg.lstsq(terms / values[:, None], np.ones_like(values), rcond=None)[0]
    return float(np.abs(values / line - 1).max())


def wide_gallery(bench: Bench) -> Path:
    """The lecture's gallery with synthetic students, as a file; made once a run."""
    path = bench.peers.file("gallery.npz")
    if not path.exists():
        people = enrolled(bench.data / "people", Truth.of(lecture(bench)), load_embedder(EMBEDDER))
        widened(people.gallery, STUDENTS).save(path)
    return path


def by_length(bench: Bench) -> list[Row]:
    """A tenth of the lecture, the whole, and six of it end to end: 1, 10 and 60 minutes; everybody asked against a wide
    gallery."""
    path, trained = lecture(bench), wide_gallery(bench)
    minute = end_to_end(path, bench.peers.file("minute.mp4"), seconds=probe(path).duration / 10)
    hour = end_to_end(path, bench.peers.file("hour.mp4"), times=6)
    points = [fresh(video, trained) for video in (minute, path, hour)]
    held = points[-1]["held"]
    early, late = (statistics.median(part) for part in (held[len(held) // 6 : len(held) // 3], held[-len(held) // 6 :]))
    checks = (
        Check(
            name="farthest from a straight line",
            value=off_the_line([p["duration"] for p in points], [p["seconds"] for p in points]),
            most=0.1,
        ),
        Check(name="most memory, GB", value=max(point["peak"] for point in points) / GIGABYTE, most=1.5),
        Check(name="memory at the end of the longest against its second sixth", value=late / early, most=1.05),
    )
    lengths = ", ".join(f"{point['duration'] / 60:.3g}" for point in points)
    what = f"a recording of {lengths} min, gallery of {STUDENTS:,} students"
    speeds = tuple(point["duration"] / point["seconds"] for point in points)
    return [Row(name="growth-length", what=what, unit="x real time", ours=speeds, checks=checks, points=tuple(points))]


def by_class(bench: Bench) -> list[Row]:
    """10, 40 and 100 people on their seats for a minute, asked against a wide gallery. Who is on no roster sits there
    as well."""
    trained, points = wide_gallery(bench), []
    for seated in (10, 40, 100):
        students = min(seated, 55)
        seats = ("--seats", str(students), "--unknown", str(seated - students))
        video = composed(bench, f"seated-{seated}", *FULL_ROOM, *seats)
        runs = sorted((fresh(video, trained) for _ in range(3)), key=lambda run: run["seconds"])
        points.append(runs[1] | {"seated": seated})
    checks = (
        Check(
            name="farthest from a straight line",
            value=off_the_line([p["seated"] for p in points], [p["seconds"] for p in points]),
            most=0.1,
        ),
        Check(name="most memory, GB", value=max(point["peak"] for point in points) / GIGABYTE, most=1.5),
    )
    what = f"10, 40, 100 seated, 1 min, gallery of {STUDENTS:,} students"
    speeds = tuple(point["duration"] / point["seconds"] for point in points)
    return [Row(name="growth-class", what=what, unit="x real time", ours=speeds, checks=checks, points=tuple(points))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("gallery", type=Path)
    given = parser.parse_args()
    print(json.dumps(once(given.video, Gallery.load(given.gallery, EMBEDDER))))


if __name__ == "__main__":
    main()
