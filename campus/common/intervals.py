"""Arithmetic with intervals of time, in seconds."""

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


def place_intervals(intervals: Iterable[Interval], offset: float, length: float) -> list[Interval]:
    """The intervals later by `offset`, as far as they lie in [0, length]. What only touches it is left out."""
    placed = ((max(start + offset, 0.0), min(end + offset, length)) for start, end in intervals)
    return [(start, end) for start, end in placed if start < end]


def total_length(intervals: Iterable[Interval]) -> float:
    """The sum of the intervals' lengths."""
    return sum(end - start for start, end in intervals)


def subtract_intervals(intervals: Iterable[Interval], removed: Iterable[Interval]) -> list[Interval]:
    """What is in one of `intervals` and in none of `removed`, in order."""
    left = merge_intervals(intervals)
    for removed_start, removed_end in removed:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, removed_start)), (max(start, removed_end), end))
            if part[0] < part[1]
        ]
    return left
