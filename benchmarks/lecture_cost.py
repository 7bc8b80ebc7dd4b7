"""What an hour of a lecture costs: `python -m benchmarks.lecture_cost VIDEO [--embedder dlib-resnet-v1]`.

Processes the segments of a recording one after the other in one process, as one of a worker does on one core. Prints,
for an hour of such a lecture, seconds of the processor with those of the process that decodes, the bytes of the
recording and of what is kept of its faces, and the peak of this process's memory.
"""

import argparse
import os
from pathlib import Path

from benchmarks.memory import memory_bytes
from benchmarks.services import processor_seconds
from recognition.detection.detector import Detector
from recognition.embedding import EMBEDDERS, load_embedder
from recognition.inference import Runtime
from recognition.media import video
from recognition.pipeline import process_segment
from recognition.tracking.result_file import dump_segment_result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lecture_cost", description=__doc__)
    parser.add_argument("video", type=Path, help="a lecture")
    parser.add_argument("--embedder", choices=list(EMBEDDERS), default="dlib-resnet-v1")
    given = parser.parse_args()
    runtime = Runtime(threads=1)
    info = video.probe(given.video)
    embedder, detector = load_embedder(given.embedder, runtime=runtime), Detector(runtime=runtime)
    first, *others = video.plan_segments(given.video, info)
    process_segment(given.video, info, first, embedder, detector)  # the first one compiles
    before, kept, faces = processor_seconds(os.getpid()), 0, 0
    for segment in others:
        result = process_segment(given.video, info, segment, embedder, detector)
        kept += len(dump_segment_result(result))
        faces += result.faces
    used = processor_seconds(os.getpid()) - before
    hours = sum(segment.end - segment.start for segment in others) / 3600
    print(f"{info.width} x {info.height}, {60 * hours:.1f} minutes, {faces} faces; for an hour of it:")
    print(f"{used / hours:.0f} seconds of the processor, {3600 * hours / used:.1f} x real time on one core")
    megabytes = given.video.stat().st_size / info.duration * 3600 / 1e6
    print(f"{megabytes:.0f} MB of recording, {kept / hours / 1e6:.1f} MB of faces")
    print(f"{memory_bytes('VmHWM') / 2**20:.0f} MB of memory at most")


if __name__ == "__main__":
    main()
