"""The MTCNN cascade against the `mtcnn` package on the same frames, in turns: `python -m benchmarks.cascade VIDEO [--min-face 20]`.

Prints the median frames a second of each, their ratio, and the share of the package's faces that the cascade finds too
(intersection over union of at least 0.5). Both have run once before the clock starts.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from recognition.detector import Detector, DetectorSettings
from recognition.tracking import overlap

# Else the engine, which doesn't need it, would switch it off for both, and slow the package down.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

FRAMES_A_CALL = 4


def timed(work: Callable[[], list[NDArray[np.float32]]], frames: int, speeds: list[float]) -> list[NDArray[np.float32]]:
    start = time.perf_counter()
    boxes = work()
    speeds.append(frames / (time.perf_counter() - start))
    return boxes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--min-face", type=int, default=20)
    parser.add_argument("--every", type=int, default=5, help="use every n-th frame")
    options = parser.parse_args()
    from mtcnn import MTCNN

    package, ours = MTCNN(device="CPU:0"), Detector(DetectorSettings(min_face=options.min_face))
    with av.open(str(options.video)) as container:
        frames = [f.to_ndarray(format="rgb24") for i, f in enumerate(container.decode(video=0)) if i % options.every == 0]

    def theirs(batch: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        found = [package.detect_faces(frame, min_face_size=options.min_face) for frame in batch]
        return [
            np.array([[x, y, x + w, y + h] for x, y, w, h in (face["box"] for face in faces)], np.float32).reshape(-1, 4) for faces in found
        ]

    def mine(batch: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        return [np.array([face.box for face in faces], np.float32).reshape(-1, 4) for faces in ours.detect(batch)]

    parts = [frames[i : i + FRAMES_A_CALL] for i in range(0, len(frames), FRAMES_A_CALL)]
    parts = [part for part in parts if len(part) == FRAMES_A_CALL]
    theirs(parts[0]), mine(parts[0])
    speeds: tuple[list[float], list[float]] = ([], [])
    hits = total = found = 0
    for part in parts:
        wanted = timed(lambda part=part: theirs(part), len(part), speeds[0])
        got = timed(lambda part=part: mine(part), len(part), speeds[1])
        for a, b in zip(wanted, got, strict=True):
            total, found = total + len(a), found + len(b)
            hits += int((overlap(a, b).max(axis=1, initial=0) >= 0.5).sum())
    package_speed, our_speed = (statistics.median(values) for values in speeds)
    print(f"{len(parts) * FRAMES_A_CALL} frames of {frames[0].shape[1]} x {frames[0].shape[0]}, minimum face {options.min_face} px")
    print(f"mtcnn {package_speed:.2f} frames/s, cascade {our_speed:.2f} frames/s: {our_speed / package_speed:.2f} x")
    print(f"of {total} faces that mtcnn finds, the cascade finds {hits} = {hits / max(total, 1):.1%} ({found} in all)")


if __name__ == "__main__":
    main()
