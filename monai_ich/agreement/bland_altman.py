"""How well measured amounts agree with true ones, over cases.

Each function takes a table ``(..., cases, 2)``, measured and true, and gives ``(...)``: a
`bootstrap.Statistic`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bias(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of measured minus true.

    >>> bias(np.array([[3.0, 1.0], [4.0, 4.0]])).item()
    1.0
    """
    return np.asarray((table[..., 0] - table[..., 1]).mean(axis=-1))


def lower_limit(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower limit of agreement: bias minus 1.96 standard deviations; NaN for fewer than two cases.

    References:
        Bland 1986, doi:10.1016/S0140-6736(86)90837-8
    """
    return bias(table) - _reach(table)


def upper_limit(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper limit of agreement, as `lower_limit`."""
    return bias(table) + _reach(table)


def concordance(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lin's concordance correlation: 1 where all cases lie on the line of identity; NaN where all
    values are equal.

    >>> concordance(np.array([[1.0, 2.0], [3.0, 4.0]])).item()  # 2 * 1 / (1 + 1 + 1)
    0.6666666666666666

    References:
        Lin 1989, doi:10.2307/2532051
    """
    x, y = table[..., 0], table[..., 1]
    mean_x, mean_y = x.mean(axis=-1, keepdims=True), y.mean(axis=-1, keepdims=True)
    shared = 2.0 * ((x - mean_x) * (y - mean_y)).mean(axis=-1)
    whole = x.var(axis=-1) + y.var(axis=-1) + (mean_x - mean_y)[..., 0] ** 2
    return np.asarray(np.divide(shared, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _reach(table: NDArray[np.float64]) -> NDArray[np.float64]:
    difference = table[..., 0] - table[..., 1]
    if difference.shape[-1] < 2:
        return np.full(difference.shape[:-1], np.nan)
    return np.asarray(1.96 * difference.std(axis=-1, ddof=1))
