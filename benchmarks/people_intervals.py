"""Shares with their 95 % intervals: by bootstrap over people, since one person's photos are right or wrong together."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recognition.identification.learning_curve import share_interval

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """A share (0..1) of `of` cases of `people` people, and its 95 % interval."""

    value: float
    low: float
    high: float
    of: int
    people: int

    def __str__(self) -> str:
        return f"{self.value:.1%} ({100 * self.low:.1f}-{100 * self.high:.1f})"


def measure_share(cases: Iterable[tuple[str, bool]]) -> Share:
    """The share of the cases (person, hit) that are hits.

    Whole people are drawn again and again (bootstrap). Where all or none are hits, that would say that there is no
    doubt; so there it is Clopper and Pearson's interval, of as many trials as people.
    """
    by_person: dict[str, list[bool]] = {}
    for person, hit in cases:
        by_person.setdefault(person, []).append(hit)
    if not by_person:
        return Share(0.0, 0.0, 1.0, 0, 0)
    hits = np.array([sum(own) for own in by_person.values()])
    counts = np.array([len(own) for own in by_person.values()])
    value = float(hits.sum() / counts.sum())
    if value in (0.0, 1.0):
        low, high = share_interval(value * len(hits), len(hits))
    else:
        drawn = np.random.default_rng(0).integers(len(hits), size=(RESAMPLES, len(hits)))
        shares = hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        low, high = (float(quantile) for quantile in np.quantile(shares, (0.025, 0.975)))
    return Share(value, low, high, int(counts.sum()), len(hits))
