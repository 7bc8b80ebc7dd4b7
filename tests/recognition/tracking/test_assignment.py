import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recognition.tracking.assignment import assign


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(0, 1)),
    st.integers(0, 2**36 - 1),
)
def test_an_assignment_is_one_to_one_and_allowed(profit: np.ndarray, bits: int) -> None:
    allowed = np.array([bool(bits >> i & 1) for i in range(profit.size)]).reshape(profit.shape)
    pairs = assign(profit, allowed)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(allowed[i, j] for i, j in pairs)


def test_the_assignment_has_the_greatest_total_and_is_not_greedy() -> None:
    profit = np.array([[1.0, 0.9], [0.95, 0.1]])
    assert sorted(assign(profit, np.ones((2, 2), bool))) == [(0, 1), (1, 0)]
