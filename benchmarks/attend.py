"""How long `attend` takes from the start of the program: `python -m benchmarks.attend [--rounds 3] [--minutes 10]`.

The recording is a composed minute of 34 people in 1080p, repeated; the photo has 100 faces, 90 pixels high. Prints the
medians, with dlib's network and with both, and what the annotated recording takes. Exits with 1 if a target is missed.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import av

from benchmarks.lectures import compose_lecture, concatenate_recording
from benchmarks.parts import Bench
from benchmarks.recording import TEN_MINUTES
from benchmarks.startup import run
from benchmarks.versus import REPOSITORY, Peers

EMBEDDERS = {"dlib-resnet-v1": 30.0, "dlib-facenet-v1": 18.0}  # times real time, at least
ENROLLED = 3
MAX_PHOTO_SECONDS = 1.5
HUNDRED_FACES = (
    *("--seats", "55", "--unknown", "45", "--absent", "0", "--late", "0", "--leave", "0", "--face", "90-90"),
    *("--size", "3840x2160", "--duration", "1", "--fps", "1"),
)


def first_picture(video: Path, out: Path) -> Path:
    with av.open(str(video)) as container:
        next(container.decode(video=0)).to_image().save(out, quality=92)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--shared", type=Path, default=REPOSITORY.parent / "shared")
    given = parser.parse_args()
    bench = Bench(
        peers=Peers(),
        data=given.shared / "data",
        tools=given.shared / "tools",
        cache=REPOSITORY / "var" / "bench",
    )
    minute = compose_lecture(bench, "minute", *TEN_MINUTES, "--duration", "60")
    crowd = compose_lecture(bench, "crowd", *HUNDRED_FACES)
    met = []
    with tempfile.TemporaryDirectory() as folder:
        lecture = concatenate_recording(minute, Path(folder, "lecture.mp4"), times=given.minutes)
        photo = first_picture(crowd, Path(folder, "crowd.jpg"))
        for embedder, target in EMBEDDERS.items():
            gallery = Path(folder, f"{embedder}.gallery")
            recognition: list[str | Path] = [sys.executable, "-m", "recognition"]
            enrol: list[str | Path] = [
                "enrol",
                bench.data / "people",
                gallery,
                "--enrol",
                str(ENROLLED),
                "--embedder",
                embedder,
            ]
            subprocess.run([*recognition, *enrol], check=True, stdout=subprocess.DEVNULL)

            def attend(what: Path, *more: str | Path, gallery: Path = gallery) -> float:
                command: list[str | Path] = [sys.executable, "-m", "recognition", "attend", what, "--gallery", gallery]
                return statistics.median(run([*command, *more]).seconds for _ in range(given.rounds))

            speed = 60 * given.minutes / attend(lecture)
            seconds = attend(photo)
            print(f"{embedder}: {speed:.1f} x real time; the photo of 100 faces {seconds:.2f} s", flush=True)
            met += [speed >= target, seconds <= MAX_PHOTO_SECONDS]
        annotated = attend(lecture, "--annotated", Path(folder, "out.mp4"))
        print(f"annotated as well, {embedder}: {60 * given.minutes / annotated:.1f} x real time")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
