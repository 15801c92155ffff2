"""The interval of a figure over cases, by resampling the cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_VALUES_AT_ONCE = 1 << 22  # 32 MB
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def mean(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the cases of the first column; the table is ``(..., cases, columns)``, the result
    ``(...)``.
    """
    return np.asarray(table[..., 0].mean(axis=-1))


def median(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the cases of the first column."""
    return np.asarray(np.median(table[..., 0], axis=-1))


def percentile_95(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value that 95 % of the cases do not exceed, interpolated linearly."""
    return np.asarray(np.percentile(table[..., 0], 95.0, axis=-1))


def ratio(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the first column over sum of the second: a share of all mL (or lesions) of all cases
    together.

    >>> ratio(np.array([[1.0, 2.0], [0.0, 2.0]])).item()
    0.25
    """
    whole = table[..., 1].sum(axis=-1)
    return np.asarray(
        np.divide(
            table[..., 0].sum(axis=-1), whole, out=np.full(whole.shape, np.nan), where=whole > 0
        )
    )


def share_within(limit: float) -> Statistic:
    """A statistic: the share of cases whose first column is at most `limit`."""

    def within(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((table[..., 0] <= limit).mean(axis=-1))

    return within


def bootstrap_interval(
    table: NDArray[np.float64], statistic: Statistic, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % percentile interval of a statistic; None for fewer than two cases.

    Args:
        table: ``(cases, columns)``; whole cases (rows) are drawn with replacement.
        statistic: of tables ``(..., cases, columns)``.
        resamples: how often cases are drawn.
        seed: the same seed gives the same interval.

    References:
        Efron 1979, doi:10.1214/aos/1176344552
    """
    cases = len(table)
    if cases < 2:
        return None
    rng, at_once = np.random.default_rng(seed), max(1, _VALUES_AT_ONCE // table.size)
    blocks = [min(at_once, resamples - done) for done in range(0, resamples, at_once)]
    values = np.concatenate([statistic(table[rng.integers(0, cases, (n, cases))]) for n in blocks])
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
