"""What the sandbox costs: `python -m benchmarks.sandbox VIDEO`.

Processes the first segments of a lecture several times, with pictures that the reading process decodes and with
pictures that this one decodes. Prints the medians in seconds, their ratio, and the memory of the reading process while
it waits for a file.
"""

import argparse
import os
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from recognition.detection.detector import Detector
from recognition.embedding import load_embedder
from recognition.media import video, video_reader
from recognition.pipeline import process_segment

SEGMENTS = 3
ROUNDS = 8


def memory_of_children() -> int:
    """The bytes of the processes that this one has started, with their shares of what they have together."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    rollups = [Path(f"/proc/{child}/smaps_rollup").read_text() for child in children]
    return sum(1024 * int(size) for rollup in rollups for size in re.findall(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox", description=__doc__)
    parser.add_argument("video", type=Path, help="a lecture")
    lecture = parser.parse_args().video
    info, embedder, detector = video.probe(lecture), load_embedder("dlib-resnet-v1"), Detector()
    segments = video.plan_segments(lecture, info)[:SEGMENTS]

    def seconds(sample_frames: Callable[..., object]) -> float:
        with mock.patch("recognition.pipeline.sample_frames", sample_frames):
            start = time.perf_counter()
            for segment in segments:
                process_segment(lecture, info, segment, embedder, detector)
            return time.perf_counter() - start

    readers = {"in the sandbox": video.sample_frames, "in this process": video_reader.sample_frames}
    times: dict[str, list[float]] = {name: [] for name in readers}
    for round in range(ROUNDS + 1):
        for name, reader in readers.items():
            taken = seconds(reader)
            if round:  # the first one loads and compiles
                times[name].append(taken)
    medians = {name: statistics.median(rounds) for name, rounds in times.items()}
    sandboxed, direct = medians.values()
    print(", ".join(f"{name} {median:.2f} s" for name, median in medians.items()), f"ratio {sandboxed / direct:.3f}")
    print(f"the reading process: {memory_of_children() / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
