"""Rows of the benchmark's table: Rollcall and a peer measured alternately, medians, and checks."""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS = REPOSITORY / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A condition besides speed: `value` must be at least `min_value` and at most `max_value`, where they are given."""

    name: str
    value: float
    min_value: float | None = None
    max_value: float | None = None

    @property
    def met(self) -> bool:
        is_too_small = self.min_value is not None and self.value < self.min_value
        is_too_large = self.max_value is not None and self.value > self.max_value
        return not is_too_small and not is_too_large

    def __str__(self) -> str:
        bound = ""
        if self.min_value is not None:
            bound = f" (at least {self.min_value:g})"
        elif self.max_value is not None:
            bound = f" (at most {self.max_value:g})"
        return f"{self.name} {self.value:.6g}{bound}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    `ours` and `peer` are what each reached in each round, in `unit`; more is better. `target` is the wanted ratio of
    the medians, or without a peer the wanted median of `ours`. `points` are for the plot.
    """

    name: str
    what: str
    unit: str
    ours: tuple[float, ...]
    peer: tuple[float, ...] = ()
    target: float | None = None
    checks: tuple[Check, ...] = ()
    note: str = ""
    points: tuple[dict[str, Any], ...] = ()

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ours) / statistics.median(self.peer) if self.peer else None

    @property
    def met(self) -> bool:
        reached = statistics.median(self.ours) if self.ratio is None else self.ratio
        return (self.target is None or reached >= self.target) and all(check.met for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        medians = {
            "ours_median": statistics.median(self.ours),
            "peer_median": statistics.median(self.peer) if self.peer else None,
        }
        checks = [asdict(check) | {"met": check.met} for check in self.checks]
        return asdict(self) | medians | {"ratio": self.ratio, "met": self.met, "checks": checks}


def format_table(rows: Iterable[dict[str, Any]]) -> str:
    """Rows, as `Row.as_json` gives them, as a Markdown table."""
    lines = ["| what | ours | peer | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        checks = [
            str(Check(**{name: value for name, value in check.items() if name != "met"})) for check in row["checks"]
        ]
        ours = f"{row['ours_median']:.3g} {row['unit']}"
        peer, ratio = ("", "") if row["ratio"] is None else (f"{row['peer_median']:.3g}", f"{row['ratio']:.2f} x")
        target = "" if row["target"] is None else f"{row['target']:g}{' x' if row['ratio'] is not None else ''}"
        cells = ["; ".join([row["what"], *checks]), ours, peer, ratio, target, "yes" if row["met"] else "no"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


class Peers:
    """The peers' process. Between calls it waits in a read, so it takes no processor time from the other side."""

    def __enter__(self) -> Self:
        if not PEERS.exists():
            raise SystemExit("The peers are not installed. Run: make .venv-peers/ready")
        self.folder = tempfile.TemporaryDirectory(prefix="rollcall-bench-")
        # Otherwise without our environment: the peers run with their own defaults.
        environment = {"PATH": os.environ["PATH"], "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [PEERS, "-W", "ignore", "-m", "benchmarks.peers"],
            cwd=REPOSITORY,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()

    def file(self, name: str) -> Path:
        return Path(self.folder.name, name)

    def save_array(self, name: str, array: NDArray[Any]) -> Path:
        path = self.file(f"{name}.npy")
        np.save(path, array)
        return path

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        assert self.process.stdin is not None  # noqa: S101
        assert self.process.stdout is not None  # noqa: S101
        request = {"call": name} | {
            key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"The peers' process ended in {name}; what it said is above.")
        return dict(json.loads(answer))


def measure_alternately(
    rounds: int, ours: Callable[[int], float], peer: Callable[[int], float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What each side reaches in each round, in which they take turns to begin."""
    reached: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            reached[side].append((ours, peer)[side](number))
    return tuple(reached[0]), tuple(reached[1])


def count_matches(
    expected: Sequence[NDArray[np.float32]], detected: Sequence[NDArray[np.float32]], min_iou: float = 0.5
) -> tuple[int, int]:
    """How many of the expected boxes (n, 4) of all frames a detected one overlaps by `min_iou`; the number of all."""
    from recognition.boxes import iou

    matches = 0
    for expected_boxes, detected_boxes in zip(expected, detected, strict=True):
        best = iou(expected_boxes, detected_boxes).max(axis=1, initial=0)
        matches += int((best >= min_iou).sum())
    return matches, sum(len(boxes) for boxes in expected)


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of each row of `a` (n, d) and the same row of `b`."""
    return np.asarray((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float32)
