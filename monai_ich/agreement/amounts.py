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
    return np.asarray(_difference(table).mean(axis=-1))


def lower_limit(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower limit of agreement: bias minus 1.96 standard deviations; NaN for fewer than two cases.

    References:
        Bland 1986, doi:10.1016/S0140-6736(86)90837-8
    """
    return bias(table) - _reach(table)


def upper_limit(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper limit of agreement, as `lower_limit`."""
    return bias(table) + _reach(table)


def mean_absolute_error(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the differences' sizes.

    >>> mean_absolute_error(np.array([[3.0, 1.0], [4.0, 5.0]])).item()
    1.5
    """
    return np.asarray(np.abs(_difference(table)).mean(axis=-1))


def median_absolute_error(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of the differences' sizes."""
    return np.asarray(np.median(np.abs(_difference(table)), axis=-1))


def concordance(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lin's concordance correlation: 1 where all cases lie on the line of identity; NaN where the
    measured or the true values do not vary, so for one case too.

    >>> concordance(np.array([[1.0, 2.0], [3.0, 4.0]])).item()  # 2 * 1 / (1 + 1 + 1)
    0.6666666666666666

    References:
        Lin 1989, doi:10.2307/2532051
    """
    x, y = table[..., 0], table[..., 1]
    mean_x, mean_y = x.mean(axis=-1, keepdims=True), y.mean(axis=-1, keepdims=True)
    shared = 2.0 * ((x - mean_x) * (y - mean_y)).mean(axis=-1)
    whole = x.var(axis=-1) + y.var(axis=-1) + (mean_x - mean_y)[..., 0] ** 2
    return _where_varied(table, shared, whole)


def intraclass_correlation(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """ICC(2,1): two-way random effects, absolute agreement, a single measurement; NaN as
    `concordance`.

    The table may have more than two columns: then each is a rater.

    >>> intraclass_correlation(np.array([[1.0, 2.0], [3.0, 4.0]])).item()  # 4 / (4 + 2 * 1 / 2)
    0.8

    References:
        Shrout 1979, doi:10.1037/0033-2909.86.2.420
    """
    cases, raters = table.shape[-2:]
    of_case, of_rater = (table.mean(axis=axis, keepdims=True) for axis in (-1, -2))
    whole = table.mean(axis=(-2, -1), keepdims=True)
    freedom = max(cases - 1, 1)
    by_case = raters * ((of_case - whole) ** 2).sum(axis=(-2, -1)) / freedom
    by_rater = cases * ((of_rater - whole) ** 2).sum(axis=(-2, -1)) / (raters - 1)
    rest = ((table - of_case - of_rater + whole) ** 2).sum(axis=(-2, -1)) / freedom / (raters - 1)
    below = by_case + (raters - 1) * rest + raters * (by_rater - rest) / cases
    return _where_varied(table, by_case - rest, below)


def _difference(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(table[..., 0] - table[..., 1])


def _reach(table: NDArray[np.float64]) -> NDArray[np.float64]:
    difference = _difference(table)
    if difference.shape[-1] < 2:
        return np.full(difference.shape[:-1], np.nan)
    return np.asarray(1.96 * difference.std(axis=-1, ddof=1))


def _where_varied(
    table: NDArray[np.float64], above: NDArray[np.float64], below: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The quotient where each column holds different values, NaN elsewhere."""
    varied = (np.ptp(table, axis=-2) > 0).all(axis=-1)
    return np.asarray(np.divide(above, below, out=np.full(varied.shape, np.nan), where=varied))
