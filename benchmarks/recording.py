"""Rows for whole recordings: compared with the peers, and by length of the recording and size of the class.

`python -m benchmarks.recording VIDEO GALLERY` takes attendance once and prints seconds and memory as JSON.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.lectures import (
    Truth,
    compose_lecture,
    concatenate_recording,
    enrol_class,
    nearest_labels,
    present_by_rule,
    widen_gallery,
)
from benchmarks.memory import memory_bytes
from benchmarks.parts import Bench
from benchmarks.versus import REPOSITORY, Check, Row, measure_alternately
from recognition import Gallery, load_embedder, plan_segments, probe, process_segment, vote
from recognition.detection.alignment import align_face
from recognition.media.video import sample_frames
from recognition.tracking.result_file import dump_segment_result, load_segment_result
from recognition.types import Face, SegmentResult

EMBEDDER = "dlib-resnet-v1"
PEER_BATCH = 32
DLIB_SAMPLE_FACES = 16
PEER_MIN_FACE_PX = 20  # the peer's default
GALLERY_STUDENTS = 5000
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


def ten_minute_lecture(bench: Bench) -> Path:
    return bench.lecture or compose_lecture(bench, "ten", *TEN_MINUTES)


def compare_with_peers(bench: Bench) -> list[Row]:
    """Rollcall against mtcnn and the same embedder on every face of the same frames, segment by segment.

    Rollcall's time includes decoding and voting. The peer gets decoded frames, and our compiled embedder; the time of
    dlib's own is extrapolated from some faces of each segment. The peer's attendance is computed by several rules, of
    which the one that is right most often counts.
    """
    path = ten_minute_lecture(bench)
    truth, info, embedder = Truth.load(path), probe(path), load_embedder(EMBEDDER)
    people = enrol_class(bench.data / "people", truth, embedder)
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
            "mtcnn", frames=bench.peers.save_array("frames", np.stack(images)), min_face=PEER_MIN_FACE_PX, out=out
        )["seconds"]
        with np.load(out) as file:
            faces = [Face(*face) for face in zip(file["boxes"], file["scores"], file["points"], strict=True)]
            frame = file["frame"]
        start = time.perf_counter()
        crops = [align_face(images[at], face) for at, face in zip(frame, faces, strict=True)]
        batches = [
            embedder.network(np.stack(crops[at : at + PEER_BATCH]))[0] for at in range(0, len(crops), PEER_BATCH)
        ]
        names = nearest_labels(np.concatenate(batches), people.photos, people.labels) if batches else []
        embedding = time.perf_counter() - start
        seen[number] = [
            [name for name, at in zip(names, frame, strict=True) if at == index] for index in range(len(images))
        ]
        sample = crops[:: max(len(crops) // DLIB_SAMPLE_FACES, 1)]
        dlib = bench.peers.call(
            "dlib", crops=bench.peers.save_array("sample", np.stack(sample)), out=bench.peers.file("vectors.npy")
        )
        with_dlib.append((segment.end - segment.start) / (detecting + dlib["seconds"] * len(crops) / len(sample)))
        return (segment.end - segment.start) / (detecting + embedding)

    ours(0)
    bench.peers.call(
        "mtcnn",
        frames=bench.peers.save_array("one", np.zeros((1, info.height, info.width, 3), np.uint8)),
        min_face=PEER_MIN_FACE_PX,
        out=bench.peers.file("faces.npz"),
    )
    seconds.clear()
    speeds = measure_alternately(len(segments), ours, peer)
    start = time.perf_counter()
    attendance = vote([results[number] for number in sorted(results)], people.gallery, truth.roster, info)
    voting = time.perf_counter() - start
    right_count = truth.count_right({presence.label for presence in attendance.presences if presence.present})
    rules = {
        rule: truth.count_right(present)
        for rule, present in present_by_rule([part for number in sorted(seen) for part in seen[number]]).items()
    }
    best = max(rules, key=lambda rule: rules[rule])
    checks = (
        Check(
            name=f"of {len(truth.roster)} statuses right, the peer's {rules[best]}, named {best}: ours",
            value=right_count,
            min_value=rules[best],
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


def take_attendance_once(video: Path, trained: Gallery) -> dict[str, Any]:
    """Take attendance of one recording in this process, after one segment to warm up.

    As in a worker, the tracks go through files.
    """
    info, embedder = probe(video), load_embedder(EMBEDDER)
    segments = plan_segments(video, info)
    process_segment(video, info, segments[0], embedder)
    start = time.perf_counter()
    memory_after_segment = []
    with TemporaryDirectory() as folder:
        files = [Path(folder, f"{segment.index}.npz") for segment in segments]
        for segment, file in zip(segments, files, strict=True):
            file.write_bytes(dump_segment_result(process_segment(video, info, segment, embedder)))
            memory_after_segment.append(memory_bytes("VmRSS"))
        processing = time.perf_counter() - start
        results = [load_segment_result(file.read_bytes()) for file in files]
    vote(results, trained, trained.labels, info)
    voting = time.perf_counter() - start - processing
    counts = {"frames": sum(result.frames for result in results), "faces": sum(result.faces for result in results)}
    return {
        "duration": info.duration,
        "seconds": processing + voting,
        "vote": voting,
        "peak": memory_bytes("VmHWM"),
        "held": memory_after_segment,
    } | counts


def run_in_fresh_process(video: Path, trained: Path) -> dict[str, Any]:
    """`take_attendance_once` in a new process, so that the memory is measured from nothing."""
    command = [sys.executable, "-m", "benchmarks.recording", str(video.resolve()), str(trained.resolve())]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout
    return dict(json.loads(out.splitlines()[-1]))


def max_line_deviation(x: Sequence[float], y: Sequence[float]) -> float:
    """The largest deviation of the points from a straight line, as a share of the line's value.

    The line is fitted by the least squares of relative errors, so that a long recording doesn't outweigh a short one.
    """
    points, values = np.asarray(x, float), np.asarray(y, float)
    terms = np.stack([points, np.ones_like(points)], axis=1)
    line = terms @ np.linalg.lstsq(terms / values[:, None], np.ones_like(values), rcond=None)[0]
    return float(np.abs(values / line - 1).max())


def make_wide_gallery(bench: Bench) -> Path:
    """The file of the lecture's gallery with synthetic students, made once per run."""
    path = bench.peers.file("gallery.npz")
    if not path.exists():
        people = enrol_class(bench.data / "people", Truth.load(ten_minute_lecture(bench)), load_embedder(EMBEDDER))
        widen_gallery(people.gallery, GALLERY_STUDENTS).save(path)
    return path


def measure_by_length(bench: Bench) -> list[Row]:
    """Recordings of 1, 10 and 60 minutes, against a wide gallery.

    They are a tenth of the lecture, all of it, and six times it.
    """
    path, trained = ten_minute_lecture(bench), make_wide_gallery(bench)
    minute = concatenate_recording(path, bench.peers.file("minute.mp4"), seconds=probe(path).duration / 10)
    hour = concatenate_recording(path, bench.peers.file("hour.mp4"), times=6)
    points = [run_in_fresh_process(video, trained) for video in (minute, path, hour)]
    memory = points[-1]["held"]  # after each segment
    early = statistics.median(memory[len(memory) // 6 : len(memory) // 3])
    late = statistics.median(memory[-len(memory) // 6 :])
    checks = (
        Check(
            name="largest deviation from a straight line",
            value=max_line_deviation([p["duration"] for p in points], [p["seconds"] for p in points]),
            max_value=0.1,
        ),
        Check(name="peak memory, GB", value=max(point["peak"] for point in points) / GIGABYTE, max_value=1.5),
        Check(name="memory at the end of the longest against its second sixth", value=late / early, max_value=1.05),
    )
    lengths = ", ".join(f"{point['duration'] / 60:.3g}" for point in points)
    what = f"a recording of {lengths} min, gallery of {GALLERY_STUDENTS:,} students"
    speeds = tuple(point["duration"] / point["seconds"] for point in points)
    return [Row(name="growth-length", what=what, unit="x real time", ours=speeds, checks=checks, points=tuple(points))]


def measure_by_class_size(bench: Bench) -> list[Row]:
    """10, 40 and 100 people in their seats for a minute, against a wide gallery. Some are not on the roster."""
    trained, points = make_wide_gallery(bench), []
    for seated in (10, 40, 100):
        students = min(seated, 55)
        seats = ("--seats", str(students), "--unknown", str(seated - students))
        video = compose_lecture(bench, f"seated-{seated}", *FULL_ROOM, *seats)
        runs = sorted((run_in_fresh_process(video, trained) for _ in range(3)), key=lambda run: run["seconds"])
        points.append(runs[1] | {"seated": seated})
    checks = (
        Check(
            name="largest deviation from a straight line",
            value=max_line_deviation([p["seated"] for p in points], [p["seconds"] for p in points]),
            max_value=0.1,
        ),
        Check(name="peak memory, GB", value=max(point["peak"] for point in points) / GIGABYTE, max_value=1.5),
    )
    what = f"10, 40, 100 seated, 1 min, gallery of {GALLERY_STUDENTS:,} students"
    speeds = tuple(point["duration"] / point["seconds"] for point in points)
    return [Row(name="growth-class", what=what, unit="x real time", ours=speeds, checks=checks, points=tuple(points))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("gallery", type=Path)
    given = parser.parse_args()
    print(json.dumps(take_attendance_once(given.video, Gallery.load(given.gallery, EMBEDDER))))


if __name__ == "__main__":
    main()
