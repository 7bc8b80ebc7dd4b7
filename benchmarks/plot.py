"""Plot the benchmark's results: `python -m benchmarks.plot JSON PNG`. Matplotlib is in the peers' environment."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt

MEGABYTE = 2**20


def ratios(axes: Any, rows: list[dict[str, Any]]) -> None:
    rows = [row for row in rows if row["ratio"] is not None][::-1]
    positions = range(len(rows))
    axes.barh(
        positions, [row["ratio"] for row in rows], color=["tab:green" if row["met"] else "tab:orange" for row in rows]
    )
    for position, row in zip(positions, rows, strict=True):
        if row["target"] is not None:
            axes.plot([row["target"]] * 2, [position - 0.4, position + 0.4], color="black")
        axes.text(row["ratio"], position, f" {row['ratio']:.1f}", va="center")
    axes.set_yticks(positions, [row["name"] for row in rows])
    axes.set_xlabel("times as fast as the peer (black: the target)")
    axes.margins(x=0.15)


def growth(axes: Any, points: list[dict[str, Any]], x: list[float], label: str) -> None:
    axes.plot(x, [point["seconds"] for point in points], "o-", color="tab:blue")
    axes.set_xlabel(label)
    axes.set_ylabel("seconds", color="tab:blue")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    beside = axes.twinx()
    beside.plot(x, [point["peak"] / MEGABYTE for point in points], "s--", color="tab:red")
    beside.set_ylabel("peak memory, MB", color="tab:red")
    beside.set_ylim(0, 1600)


def main(source: Path, out: Path) -> None:
    results = json.loads(source.read_text())
    rows = {row["name"]: row for row in results["rows"]}
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4))
    ratios(left, results["rows"])
    if row := rows.get("growth-length"):
        growth(middle, row["points"], [point["duration"] / 60 for point in row["points"]], "minutes of recording")
    if row := rows.get("growth-class"):
        growth(right, row["points"], [point["seated"] for point in row["points"]], "seated")
    machine = results["machine"]
    figure.suptitle(f"{machine['processor']}, {machine['cores']} cores, {results['when']}")
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
