"""What key frames cost: `python -m benchmarks.key_frames [--minutes 10] [--shared FOLDER]`.

The clip of a street in 1080p is repeated and encoded with a key frame every 2 seconds (usual for cameras), every 10
(what x264 does by itself), and with a single one. Prints how long each takes in one process: to probe, plan and sample
it, and with its faces found, followed and embedded, as a worker does. Exits with 1 if the latter takes more than twice
as long for a single key frame as for one every 10 seconds.
"""

import argparse
import sys
import tempfile
import time
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
from av.video.frame import PictureType

from benchmarks.parts import CLIP
from benchmarks.versus import REPOSITORY
from recognition import Detector, Embedder, load_embedder
from recognition.media.video import plan_segments, probe, sample_frames
from recognition.pipeline import process_segment

FPS = 25
MAX_RATIO = 2.0


def encode(clip: Path, path: Path, pictures: int, key_frame_every: int) -> None:
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
    with av.open(str(path), "w") as out:
        options = {"preset": "ultrafast", "x264-params": f"keyint={key_frame_every}:scenecut=0"}
        stream = out.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for number, frame in enumerate(islice(cycle(frames), pictures)):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            frame.pict_type = PictureType.NONE  # a key frame of the clip need not be one here
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def sample(path: Path) -> tuple[int, float]:
    """How many frames a worker would look at, and the seconds until it has them all."""
    start = time.perf_counter()
    info = probe(path)
    frames = sum(1 for segment in plan_segments(path, info) for _ in sample_frames(path, info, segment))
    return frames, time.perf_counter() - start


def recognise(path: Path, embedder: Embedder, detector: Detector) -> float:
    """The seconds until all of it is processed as a worker does."""
    start = time.perf_counter()
    info = probe(path)
    for segment in plan_segments(path, info):
        process_segment(path, info, segment, embedder, detector)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--shared", type=Path, default=REPOSITORY.parent / "shared")
    given = parser.parse_args()
    pictures = round(given.minutes * 60 * FPS)
    embedder, detector = load_embedder(), Detector()
    clip = given.shared / "data" / CLIP
    recognise(clip, embedder, detector)  # the models are compiled then
    seconds: dict[str, tuple[float, float]] = {}
    for name, key_frame_every in (("every 2 s", 2 * FPS), ("every 10 s", 10 * FPS), ("a single one", 2 * pictures)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "recording.mp4")
            encode(clip, path, pictures, key_frame_every)
            frames, sampled = sample(path)
            seconds[name] = sampled, recognise(path, embedder, detector)
        print(f"key frames {name}: {frames} frames sampled in {sampled:.1f} s, processed in {seconds[name][1]:.1f} s")
    for name in ("every 2 s", "every 10 s"):
        ratios = [one / other for one, other in zip(seconds["a single one"], seconds[name], strict=True)]
        print(f"a single one against {name}: {ratios[0]:.2f} times sampled, {ratios[1]:.2f} times processed")
    return 0 if ratios[1] <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
