"""One-to-one assignment."""

import numpy as np
from numpy.typing import NDArray


def assign(profit: NDArray[np.floating], allowed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The one-to-one pairs (row, column) of greatest total profit, out of those that are allowed.

    `profit` (n, m) is 0 or more. Solved exactly, with the Hungarian method (Kuhn, 1955) as in
    `scipy.optimize.linear_sum_assignment`.
    """
    from scipy.optimize import linear_sum_assignment  # takes a quarter of a second

    value = np.where(allowed, profit + 1e-6, 0.0)
    rows, columns = linear_sum_assignment(value, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]
