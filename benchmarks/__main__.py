"""Rollcall against the public peers: `make bench`, or `python -m benchmarks [--only ROW] [--lecture VIDEO]`.

Prints the table and writes benchmarks/results/bench.json and bench.png. With --only, the other rows stay as they were.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import parts, recording
from benchmarks.parts import Bench
from benchmarks.versus import PEERS, REPOSITORY, Peers, Row, format_table

RESULTS = Path(__file__).resolve().parent / "results"
ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "cascade-mtcnn": lambda bench: [parts.mtcnn(bench)],
    "cascade-facenet-pytorch": lambda bench: [parts.facenet_pytorch(bench)],
    "facenet": lambda bench: [parts.facenet(bench)],
    "facenet-integers": lambda bench: [parts.facenet_in_integers(bench)],
    "dlib": lambda bench: [parts.dlib(bench)],
    "recording": recording.compare_with_peers,
    "growth-length": recording.measure_by_length,
    "growth-class": recording.measure_by_class_size,
}
ORDER = [
    "cascade-mtcnn",
    "cascade-facenet-pytorch",
    "facenet",
    "facenet-integers",
    "dlib",
    "recording",
    "recording-dlib",
    "real-time",
    "growth-length",
    "growth-class",
]


def machine() -> dict[str, Any]:
    processor = platform.processor() or platform.machine()
    if (cpus := Path("/proc/cpuinfo")).exists():
        lines = [line.partition(":") for line in cpus.read_text().splitlines()]
        processor = next((value.strip() for key, _, value in lines if key.strip() == "model name"), processor)
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {
            name: version(name)
            for name in ("openvino", "keras", "tensorflow-cpu", "opencv-python-headless", "numpy", "av")
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ROWS, action="append", help="this row alone; may be given again")
    parser.add_argument(
        "--lecture", type=Path, help="a recording of make_lecture.py to use in place of the one composed"
    )
    parser.add_argument(
        "--shared",
        type=Path,
        default=REPOSITORY.parent / "shared",
        help="the folder with data/ and tools/ (%(default)s)",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (%(default)s)")
    given = parser.parse_args()
    if not (given.shared / "data").is_dir():
        sys.exit(f"There is no {given.shared / 'data'}. Give the folder of the test data: make bench SHARED=FOLDER")
    file = given.results / "bench.json"
    before = json.loads(file.read_text())["rows"] if given.only and file.exists() else []
    rows = {row["name"]: row for row in before}
    given.results.mkdir(parents=True, exist_ok=True)
    with Peers() as peers:
        bench = Bench(
            peers=peers,
            data=given.shared / "data",
            tools=given.shared / "tools",
            cache=REPOSITORY / "var" / "bench",
            lecture=given.lecture,
        )
        about = {"when": datetime.now(UTC).date().isoformat(), "machine": machine(), "peers": peers.call("versions")}
        for name in given.only or ROWS:
            began = time.monotonic()
            for row in ROWS[name](bench):
                rows[row.name] = row.as_json()
            ordered = sorted(rows.values(), key=lambda row: ORDER.index(row["name"]))
            file.write_text(json.dumps(about | {"rows": ordered}, indent=1) + "\n")
            print(f"{name}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr)
    subprocess.run([PEERS, "-m", "benchmarks.plot", file, file.with_suffix(".png")], check=True, cwd=REPOSITORY)
    print(format_table(ordered))
    return 0 if all(row["met"] for row in ordered) else 1


if __name__ == "__main__":
    sys.exit(main())
