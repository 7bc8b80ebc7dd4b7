"""Where the time of a recording goes: `python -m benchmarks.profile VIDEO [--min-face 20]`.

Prints milliseconds a frame of each stage: first of the cascade alone with a full search in every frame, then of a whole
segment. Each stage's time is without that of the stages that it calls. Stages that run beside each other add up to more
than the whole.
"""

import argparse
import functools
import importlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Stage -> what it is made of, by name: these parts have no hook for a profiler, and need none.
STAGES = {
    "decode": ["recognition.pipeline.sample_frames"],
    "pyramid": ["recognition.detection.detector._pyramid"],
    "NMS": ["recognition.detection.detector._nms", "recognition.detection.detector._nms_min"],
    "crops": ["recognition.detection.detector._crops"],
    "align": ["recognition.pipeline.align_face", "recognition.embedding.facenet.crop_box"],
    "quality": ["recognition.pipeline.assess_face"],
    "track": ["recognition.tracking.tracker.Tracker.update"],
    "evidence": ["recognition.pipeline.jpeg"],
}
NETWORKS = {"pnet": "P-Net", "rnet": "R-Net", "onet": "O-Net"}  # by their names; all others embed
LOADERS = [
    "recognition.detection.detector.load_networks",
    "recognition.embedding.dlib_resnet.load_networks",
    "recognition.embedding.facenet.load_networks",
]
ORDER = [
    "decode",
    "pyramid",
    "P-Net",
    "NMS",
    "crops",
    "R-Net",
    "O-Net",
    "quality",
    "track",
    "embed",
    "evidence",
]


class Clock:
    """Seconds by stage, each without the stages within it, in all threads."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self.seconds: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.local = threading.local()

    def run(self, stage: str, work: Callable[[], Any]) -> Any:
        within = self.local.__dict__.setdefault("within", [0.0])
        within.append(0.0)
        start = self.now()
        try:
            return work()
        finally:
            took = self.now() - start
            own = took - within.pop()
            within[-1] += took
            with self.lock:
                self.seconds[stage] += own

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, or the generator function, with its time put down to a stage."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = self.run(stage, lambda: function(*args, **kwargs))
            return self.timed_items(stage, result) if isinstance(result, Iterator) else result

        return call

    def timed_items(self, stage: str, made: Iterator[Any]) -> Iterator[Any]:
        end = object()
        while (item := self.run(stage, lambda: next(made, end))) is not end:
            yield item


def replace_attribute(name: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Change what a dotted name stands for, in its module or class."""
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            holder: Any = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[split:-1]:
                holder = getattr(holder, part)
            setattr(holder, parts[-1], change(getattr(holder, parts[-1])))
        except AttributeError:
            break
        return
    sys.exit(f"There is no {name} any more. Say in {__file__} what that stage is made of now.")


def add_timers(clock: Clock) -> None:
    """Time all stages."""

    def time_networks(load: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        return lambda *given: {
            name: clock.timed(NETWORKS.get(name, "embed"), network) for name, network in load(*given).items()
        }

    for name in LOADERS:
        replace_attribute(name, time_networks)
    for stage, names in STAGES.items():
        for name in names:
            replace_attribute(name, functools.partial(clock.timed, stage))


def print_report(title: str, clock: Clock, seconds: float, frames: int) -> None:
    print(
        f"\n{title}: {frames} frames, {1000 * seconds / frames:.1f} ms a frame\n\n| stage | ms a frame | share "
        "|\n|---|---|---|"
    )
    rest = seconds - sum(clock.seconds.values())
    for stage, took in [(stage, clock.seconds[stage]) for stage in ORDER if clock.seconds[stage]] + [
        ("all else" if rest >= 0 else "side by side", rest)
    ]:
        print(f"| {stage} | {1000 * took / frames:.2f} | {took / seconds:.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--min-face", type=int, help="pixels (default: the pipeline's)")
    parser.add_argument("--every", type=float, help="seconds between frames (default: the pipeline's)")
    parser.add_argument("--frames", type=int, default=4, help="frames a call of the cascade (%(default)s)")
    given = parser.parse_args()
    clock = Clock()
    add_timers(clock)
    from recognition import Detector, DetectorSettings, load_embedder, plan_segments, probe, process_segment
    from recognition.media.video import sample_frames
    from recognition.pipeline import SAMPLE_EVERY_SECONDS

    sample_every = given.every or SAMPLE_EVERY_SECONDS
    detector = Detector(DetectorSettings(min_face=given.min_face or DetectorSettings().min_face))
    info, embedder = probe(given.video), load_embedder()
    segment = plan_segments(given.video, info)[0]
    images = [frame.image for frame in sample_frames(given.video, info, segment, sample_every)]
    calls = [images[at : at + given.frames] for at in range(0, len(images) - given.frames + 1, given.frames)] or [
        images
    ]
    for title, frames, work in (
        (
            f"cascade, {given.frames} frames a call",
            sum(map(len, calls)),
            lambda: [detector.detect(call) for call in calls],
        ),
        (
            "a segment from the file to its tracks",
            len(images),
            lambda: process_segment(given.video, info, segment, embedder, detector, sample_every=sample_every),
        ),
    ):
        work()
        clock.seconds.clear()
        start = time.perf_counter()
        work()
        print_report(
            f"{title}, {info.width} x {info.height}, faces from {detector.settings.min_face} px",
            clock,
            time.perf_counter() - start,
            frames,
        )


if __name__ == "__main__":
    main()
