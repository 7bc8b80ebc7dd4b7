"""Arithmetic with intervals of presence."""

from collections.abc import Iterable

from recognition.types import Interval


def merge_intervals(intervals: Iterable[Interval]) -> list[Interval]:
    """The union of intervals, in order."""
    union: list[Interval] = []
    for start, end in sorted((start, end) for start, end in intervals):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((start, end))
    return union
