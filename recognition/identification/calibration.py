"""How alike a stranger may be: the model of impostors' scores from which thresholds for a wanted rate of error are taken.

A cosine's inverse hyperbolic tangent (Fisher's z) has a tail like a normal distribution's among people who are not the same. A
stranger whom n students may be taken for is taken for one of them at the rate FPIR = 1 - (1 - FMR(T))^n (open-set
identification; Grother et al., NIST FRVT part 2), so the threshold T grows with the number of candidates. Several looks of one
face, averaged, come nearer to everybody than one look does, so there is a tail for one, two, and three or more looks.

No photograph of a stranger comes with the program. What it brings is the tail that was measured for the embedder; people who are
known not to be the class's (its own students, each in turn, and a cohort where one is supplied) move it, the more of them there
are. The tail's width is the embedder's: a class has too few people to measure that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

LOOKS = 3
TAIL = 0.01  # of impostor scores: where their tail is measured
PRIOR = 135  # so many people weigh as much as those whose tail comes with the embedder
END = float(ndtri(1 - TAIL))
ROWS = 2000  # at once, so that a gallery of thousands doesn't fill the memory
VECTORS = 20_000  # of several looks, drawn from the photos of all students
PAIRS = 2_000_000  # are enough to find their tail
DRAWS = 20
BINS = 60

# Mean and standard deviation of Fisher's z in the tail, for 1, 2 and 3 looks: one look in several views, more of them half from near
# and half from far. The first was measured on 135 people of one set of press photographs, each of whom weighs the same, and its width
# differed between halves of them (0.15 to 0.19 for 3 looks). The FaceNet models have no weights here to measure with: theirs are
# guesses that follow from the published distances of a few different people.
TAILS = {"dlib-resnet-v1": ((1.320, 0.161), (1.435, 0.169), (1.461, 0.175))}
FACENET = ((0.08, 0.19), (0.12, 0.20), (0.14, 0.21))
ENROLLED = (
    0.156,
    0.094,
    0.077,
)  # z by which enrolment photos, seen from near and far, come nearer to others than looks do

Floats = NDArray[np.float32]
Tail = tuple[float, float]


def unit(vectors: Floats) -> Floats:
    """The vectors (..., d) made unit length."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)


@dataclass(frozen=True, slots=True)
class Impostors:
    """The tails of impostors' scores for 1, 2 and 3 or more looks."""

    tails: tuple[Tail, Tail, Tail]

    def threshold(self, looks: ArrayLike, rate: float, candidates: ArrayLike) -> NDArray[np.float64]:
        """The cosine that a stranger of so many looks reaches to any of `candidates` students at this rate (0..1)."""
        mean, deviation = np.array(self.tails)[np.clip(looks, 1, LOOKS) - 1].T
        pair = -np.expm1(np.log1p(-rate) / np.maximum(candidates, 1))
        return np.asarray(np.tanh(mean - deviation * ndtri(pair)))

    def moved(self, tried: Sequence["Trials"], templates: Floats, strangers: Floats | None) -> "Impostors":
        """These tails, moved by the class's own people, tried for 1, 2 and 3 looks against its templates (n, d), and by the
        cohort `strangers` (m, d), one vector a person."""
        ends = [mean + deviation * END for mean, deviation in self.tails]
        cohort = None if strangers is None else tail([strangers @ templates.T])
        tails = []
        for (_, deviation), end, trial, nearer in zip(self.tails, ends, tried, ENROLLED, strict=True):
            weight, total = float(PRIOR), PRIOR * end
            if trial.tail is not None:
                weight, total = weight + len(templates), total + len(templates) * (trial.tail - nearer)
            if strangers is not None and cohort is not None:
                # One photo of each: more looks of them would come nearer, as those of others do.
                weight, total = weight + len(strangers), total + len(strangers) * (cohort - ENROLLED[0] + end - ends[0])
            tails.append((total / weight - deviation * END, deviation))
        one, two, three = tails
        return Impostors((one, two, three))


def brought(embedder: str) -> Impostors:
    """What is known of the embedder before any class is."""
    return Impostors(TAILS.get(embedder, FACENET))


@dataclass(frozen=True, slots=True)
class Trials:
    """Photos of the class against its templates, for one number of looks.

    `genuine` (p,) are the cosines to the mean of the student's other photos, NaN without any; `nearest` (p,) those to the nearest
    other student, -1 without any. `tail` is Fisher's z that TAIL of the pairs of different people exceed, None without.
    """

    genuine: Floats
    nearest: Floats
    tail: float | None


def trials(groups: Sequence[Floats], templates: Floats, looks: int, alike: float) -> Trials:
    """Each student's photos (p, d), so many averaged, against all templates (n, d).

    Pairs of students whose templates are as near as `alike`, twins and families, say nothing of strangers and are left out of
    the tail.
    """
    rng = np.random.default_rng(0)
    draws = max(1, min(DRAWS, VECTORS // len(groups)))
    asked = [_asked(group, looks, draws, rng) for group in groups]
    vectors = np.concatenate([mine for mine, _ in asked])
    own = np.repeat(np.arange(len(groups)), [len(mine) for mine, _ in asked])
    nearest = np.full(len(vectors), -1, np.float32)
    kin = templates @ templates.T >= alike
    np.fill_diagonal(kin, val=True)
    step = 1 + len(vectors) * len(templates) // PAIRS
    parts = []
    for start in range(0, len(vectors), ROWS):
        rows = slice(start, start + ROWS)
        scores = vectors[rows] @ templates.T
        parts.append(scores[~kin[own[rows]]][::step])
        scores[np.arange(len(scores)), own[rows]] = -1
        nearest[rows] = scores.max(axis=1)
    return Trials(np.concatenate([genuine for _, genuine in asked]), nearest, tail(parts))


def _asked(group: Floats, looks: int, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """What `looks` photos of a student (p, d) give, averaged, as unit vectors (m, d), and the cosine of each to the mean of the
    student's other photos, NaN without any."""
    count = min(looks, len(group))
    picks = (
        [[j] for j in range(len(group))] if count == 1 else [rng.permutation(len(group))[:count] for _ in range(draws)]
    )
    mine = np.stack([group[pick].sum(axis=0) for pick in picks])
    rest = group.sum(axis=0) - mine
    genuine = (unit(mine) * unit(rest)).sum(axis=1)
    return unit(mine), genuine if count < len(group) else np.full(len(mine), np.nan, np.float32)


def tail(parts: Sequence[Floats]) -> float | None:
    """Fisher's z that the share TAIL of the cosines exceeds; None when there are too few to have a tail."""
    pairs = np.concatenate([part.ravel() for part in parts])
    return float(np.arctanh(np.quantile(pairs, 1 - TAIL))) if len(pairs) > 1 / TAIL else None


def curves(trial: Trials) -> dict[str, list[float]]:
    """Histograms of the cosines of single photos to their own student and to the nearest other, for a plot."""
    genuine, impostor = trial.genuine[np.isfinite(trial.genuine)], trial.nearest[trial.nearest > -1]
    edges = np.linspace(float(np.concatenate([genuine, impostor]).min(initial=0.99)), 1.0, BINS + 1)
    counts = {"genuine": np.histogram(genuine, edges)[0], "impostor": np.histogram(impostor, edges)[0]}
    return {name: count.tolist() for name, count in counts.items()} | {"edges": edges.round(4).tolist()}
