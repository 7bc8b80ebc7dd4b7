"""What more enrolment photos of each student would bring, as far as the class's own photos can say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recognition.identification.calibration import MAX_COUNTED_OBSERVATIONS, ImpostorModel
from recognition.vectors import Floats, normalise

CURVE_PHOTOS = (1, 2, 3, 5, 10)
MIN_CURVE_STUDENTS = 10  # fewer say too little
MAX_CURVE_STUDENTS = 500  # more take longer and say hardly more
CURVE_DRAWS = 20
CURVE_CONFIDENCE = 0.95


def measure_learning_curve(
    groups: Sequence[Floats], impostor_model: ImpostorModel, fpirs: Mapping[str, float]
) -> dict[str, list[dict[str, Any]]]:
    """The share of appearances that would be missed if each student had 1, 2, 3, 5 or 10 photos, by strictness.

    `groups` has the embeddings (p, d) of each student's photos, `fpirs` the rate of strangers of each strictness. Some
    photos of a student are drawn to be the enrolled ones, and the mean of three others stands for a face that was seen
    several times; so a row says of students with at least three more photos than it is about. Each row has "photos",
    "students", and "miss" (0..1) with its 95 % interval "low" and "high"; these three are None where there are fewer
    than MIN_CURVE_STUDENTS.
    """
    rng = np.random.default_rng(0)
    rows: dict[str, list[dict[str, Any]]] = {strictness: [] for strictness in fpirs}
    for photos in CURVE_PHOTOS:
        enough = [group for group in groups if len(group) >= photos + MAX_COUNTED_OBSERVATIONS]
        chosen = rng.permutation(len(enough))[:MAX_CURVE_STUDENTS]
        scores = np.array([_score_draws(enough[i], photos, rng) for i in chosen])
        for strictness, fpir in fpirs.items():
            row: dict[str, Any] = {"photos": photos, "students": len(chosen), "miss": None, "low": None, "high": None}
            if len(chosen) >= MIN_CURVE_STUDENTS:
                threshold = impostor_model.threshold(MAX_COUNTED_OBSERVATIONS, fpir, len(groups), photos)
                shares = (scores < threshold).mean(axis=1)
                low, high = share_interval(float(shares.sum()), len(shares))
                row |= {"miss": float(shares.mean()), "low": low, "high": high}
            rows[strictness].append(row)
    return rows


def _score_draws(group: Floats, photos: int, rng: np.random.Generator) -> Floats:
    """The cosines (CURVE_DRAWS,) of the mean of some of a student's photos (p, d) to the mean of `photos` others."""
    order = np.array([rng.permutation(len(group)) for _ in range(CURVE_DRAWS)])
    enrolled, seen = order[:, :photos], order[:, photos : photos + MAX_COUNTED_OBSERVATIONS]
    cosines: Floats = (normalise(group[enrolled].sum(axis=1)) * normalise(group[seen].sum(axis=1))).sum(axis=1)
    return cosines


def share_interval(hits: float, of: int) -> tuple[float, float]:
    """The 95 % interval of a share: Clopper and Pearson's, which is too wide rather than too narrow.

    `hits` may be a sum of shares of `of` people.
    """
    from scipy.special import betaincinv  # takes a quarter of a second

    tail = (1 - CURVE_CONFIDENCE) / 2
    low = float(betaincinv(hits, of - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, of - hits, 1 - tail)) if hits < of else 1.0
    return low, high
