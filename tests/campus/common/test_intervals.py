"""Intervals are sets of moments."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from campus.common.intervals import merge_intervals, subtract_intervals

INTERVALS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda ends: (min(ends), max(ends))))


def moments(intervals: list[tuple[float, float]]) -> set[int]:
    """The whole seconds, each from its beginning to its end, that lie in one of the intervals."""
    return {second for start, end in intervals for second in range(int(start), int(end))}


@given(INTERVALS, INTERVALS)
def test_what_is_left_is_in_the_one_and_not_in_the_other(
    intervals: list[tuple[float, float]], removed: list[tuple[float, float]]
) -> None:
    left = subtract_intervals(intervals, removed)
    assert moments(left) == moments(intervals) - moments(removed)
    assert left == sorted(left)


@given(INTERVALS)
def test_a_union_has_all_moments_and_no_neighbours(intervals: list[tuple[float, float]]) -> None:
    union = merge_intervals(intervals)
    assert moments(union) == moments(intervals)
    assert all(before[1] < after[0] for before, after in pairwise(union))
