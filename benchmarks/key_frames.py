"""What key frames cost: `python -m benchmarks.key_frames [--minutes 10] [--shared FOLDER]`.

The clip of a street in 1080p is repeated and encoded with a key frame every 2 and every 10 seconds, and with a single
one. Prints how long it takes to probe, plan and sample each, in one process, without looking for faces; exits with 1
if a single key frame takes more than twice as long as one every 10 seconds.
"""

import argparse
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import av

from benchmarks.parts import CLIP
from benchmarks.versus import REPOSITORY
from recognition.media.video import plan_segments, probe, sample_frames

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
            frame.pts, frame.time_base = number, 1 / stream.rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def sample(path: Path) -> tuple[int, float]:
    """How many frames a worker would look at, and the seconds until it has them all."""
    start = time.perf_counter()
    info = probe(path)
    frames = sum(1 for segment in plan_segments(path, info) for _ in sample_frames(path, info, segment))
    return frames, time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--shared", type=Path, default=REPOSITORY.parent / "shared")
    given = parser.parse_args()
    pictures = round(given.minutes * 60 * FPS)
    seconds = {}
    for name, key_frame_every in (("every 2 s", 2 * FPS), ("every 10 s", 10 * FPS), ("a single one", 2 * pictures)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "recording.mp4")
            encode(given.shared / "data" / CLIP, path, pictures, key_frame_every)
            frames, seconds[name] = sample(path)
        print(f"key frames {name}: {frames} frames in {seconds[name]:.1f} s")
    ratio = seconds["a single one"] / seconds["every 10 s"]
    print(f"a single one against every 10 s: {ratio:.2f} times")
    return 0 if ratio <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
