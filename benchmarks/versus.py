"""Rows of the benchmark's table: ours and a peer in turns, medians, and what has to hold."""

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
    """Something besides speed: it holds when `value` is at least `least`, or at most `most`."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def __str__(self) -> str:
        bound = (
            f" (at least {self.least:g})"
            if self.least is not None
            else f" (at most {self.most:g})"
            if self.most is not None
            else ""
        )
        return f"{self.name} {self.value:.6g}{bound}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `ours` and `peer` are what each reached in each round, in `unit`, the more the better.

    Without a peer, `target` is for `ours` itself. `points` are what a plot shows.
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


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Rows, as `Row.as_json` gives them, as a Markdown table."""
    lines = ["| what | ours | peer | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        checks = [
            str(Check(name=check["name"], value=check["value"], least=check["least"], most=check["most"]))
            for check in row["checks"]
        ]
        ours = f"{row['ours_median']:.3g} {row['unit']}"
        peer, ratio = ("", "") if row["ratio"] is None else (f"{row['peer_median']:.3g}", f"{row['ratio']:.2f} x")
        target = "" if row["target"] is None else f"{row['target']:g}{' x' if row['ratio'] is not None else ''}"
        cells = ["; ".join([row["what"], *checks]), ours, peer, ratio, target, "yes" if row["met"] else "no"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


class Peers:
    """The peers' process. It waits for its next call in a read, and so takes nothing from the other side."""

    def __enter__(self) -> Self:
        if not PEERS.exists():
            raise SystemExit("The peers are not installed. Run: make .venv-peers/ready")
        self.folder = tempfile.TemporaryDirectory(prefix="rollcall-bench-")
        environment = {"PATH": os.environ["PATH"], "TF_CPP_MIN_LOG_LEVEL": "3"}  # the peers' own defaults, not ours
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

    def hand_over(self, name: str, array: NDArray[Any]) -> Path:
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


def in_turns(
    rounds: int, ours: Callable[[int], float], peer: Callable[[int], float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What each side reaches in each round; who begins changes from round to round."""
    reached: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            reached[side].append((ours, peer)[side](number))
    return tuple(reached[0]), tuple(reached[1])


def found_too(
    wanted: Sequence[NDArray[np.float32]], got: Sequence[NDArray[np.float32]], least: float = 0.5
) -> tuple[int, int]:
    """How many of the `wanted` boxes (n, 4) of each frame some box of `got` overlaps by `least` (IoU), and how many
    there are."""
    from recognition.boxes import iou

    hits = sum(int((iou(a, b).max(axis=1, initial=0) >= least).sum()) for a, b in zip(wanted, got, strict=True))
    return hits, sum(len(boxes) for boxes in wanted)


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of each row of `a` (n, d) and the same row of `b`."""
    return np.asarray((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float32)
