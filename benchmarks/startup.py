"""What it takes to be ready: `python -m benchmarks.startup [--rounds 5] [--shared FOLDER]`.

Prints for each kind of process the medians of its rounds, each a process of its own: seconds until it is ready, by the
clock and of the processor, and its memory then. Then how many enrolment photos are checked in a second. Exits with 1
if a target is missed.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.memory import memory_bytes
from benchmarks.versus import REPOSITORY

EMBEDDERS = ("dlib-resnet-v1", "facenet-20180408")
CACHE = "ROLLCALL_NETWORK_CACHE_DIR"
PHOTOS_PER_PERSON = 5
MAX_READY_SECONDS, MAX_READY_MEGABYTES, MAX_ATTEND_SECONDS, MIN_PHOTOS_PER_SECOND = 1.5, 350, 3.0, 60

READY = f"""
import os, numpy as np
from recognition import Detector, Runtime, load_embedder, process_segment
from recognition.cli.environment import network_cache_folder
runtime = Runtime(cache=network_cache_folder() if os.environ["{CACHE}"] else None)
Detector(runtime=runtime).detect([np.zeros((240, 320, 3), np.uint8)])
embedders = [load_embedder(id, runtime=runtime) for id in {EMBEDDERS}]
"""
WORKER = f"""
import django, numpy as np
django.setup()
from workers.celery import app
app.loader.import_default_modules()
from workers import vision
vision.detector().detect([np.zeros((240, 320, 3), np.uint8)])
embedders = [vision.embedder(id) for id in {EMBEDDERS}]
"""
REPORT = "\nfrom benchmarks.startup import print_memory\nprint_memory()\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """Of one process: seconds by the clock and of the processor, and megabytes: in memory, at most, and its share where
    memory is shared with other processes.
    """

    seconds: float
    processor_seconds: float
    resident: float = 0.0
    peak: float = 0.0
    proportional: float = 0.0


def print_memory() -> None:
    match = re.search(r"^Pss:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    print(memory_bytes("VmRSS"), memory_bytes("VmHWM"), int(match[1]) * 1024 if match else 0)


def run(command: list[str | Path], **variables: str) -> Sample:
    """Run a program until it ends; its last line may be what `print_memory` prints."""
    settings = {"DJANGO_SETTINGS_MODULE": "campus.settings.dev", "PYTHONDONTWRITEBYTECODE": ""}
    environment = os.environ | settings | variables
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, check=True, text=True, stdout=subprocess.PIPE)
    seconds, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    memory = re.search(r"^(\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    return Sample(
        seconds,
        now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime,
        *(int(value) / 1e6 for value in (memory.groups() if memory else ())),
    )


def measure(name: str, rounds: int, command: list[str | Path], **variables: str) -> Sample:
    samples = [astuple(run(command, **variables)) for _ in range(rounds)]
    median = Sample(*(statistics.median(values) for values in zip(*samples, strict=True)))
    memory = " | ".join(f"{value:.0f}" if value else "" for value in astuple(median)[2:])
    print(f"| {name} | {median.seconds:.2f} | {median.processor_seconds:.2f} | {memory} |", flush=True)
    return median


def measure_enrolment(people: Path, cache: Path) -> float:
    """Enrolment photos a second, in batches; prints that of photos one by one, too."""
    from recognition import Detector, Runtime, check_enrolment_photo, check_enrolment_photos, load_embedder
    from recognition.people_folder import photos_by_person

    runtime = Runtime(cache=cache)
    detector, embedder = Detector(runtime=runtime), load_embedder(EMBEDDERS[0], runtime=runtime)
    photos = [photo for paths in photos_by_person(people, PHOTOS_PER_PERSON).values() for photo in paths]
    list(check_enrolment_photos(photos, embedder, detector))  # compiles the kernels of all sizes
    began = time.perf_counter()
    for photo in photos:
        check_enrolment_photo(photo, embedder, detector)
    alone = len(photos) / (time.perf_counter() - began)
    began = time.perf_counter()
    list(check_enrolment_photos(photos, embedder, detector))
    together = len(photos) / (time.perf_counter() - began)
    print(f"{len(photos)} enrolment photos, {EMBEDDERS[0]}: {together:.0f} a second in batches, {alone:.0f} one by one")
    return together


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shared", type=Path, default=REPOSITORY.parent / "shared")
    given = parser.parse_args()
    data = given.shared / "data"
    with tempfile.TemporaryDirectory() as folder:
        cache, gallery = Path(folder, "networks"), Path(folder, "class.gallery")
        recognition: list[str | Path] = [sys.executable, "-m", "recognition"]
        run([*recognition, "enrol", data / "people", gallery, "--enrol", "3"], **{CACHE: str(cache)})
        ready: list[str | Path] = [sys.executable, "-c", READY + REPORT]
        worker: list[str | Path] = [sys.executable, "-c", WORKER + REPORT]
        attend = [*recognition, "attend", data / "photos" / "group_staff_close.jpg", "--gallery", gallery]
        print("| process | s | processor s | MB | MB at most | MB, its share |\n|---|---|---|---|---|---|")
        measure("cascade and both networks, nothing kept yet", 1, ready, **{CACHE: str(cache)})
        met = [
            (sample := measure("the same, kept", given.rounds, ready, **{CACHE: str(cache)})).seconds
            <= MAX_READY_SECONDS,
            sample.resident <= MAX_READY_MEGABYTES,
        ]
        measure("the same without keeping networks", given.rounds, ready, **{CACHE: ""})
        measure("a worker's process with them, kept", given.rounds, worker, **{CACHE: str(cache)})
        attended = measure("`attend` of a photo with a gallery", given.rounds, attend, **{CACHE: str(cache)})
        met += [
            attended.seconds <= MAX_ATTEND_SECONDS,
            measure_enrolment(data / "people", cache) >= MIN_PHOTOS_PER_SECOND,
        ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
