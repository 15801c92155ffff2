"""The interval of a figure over cases, by resampling the patients."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

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
    table: NDArray[np.float64],
    statistic: Statistic,
    *,
    patients: Sequence[Hashable] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """95 % percentile interval of a statistic; None for fewer than two patients.

    Resamples for which the statistic has no value (all exams of one kind) are left out.

    Args:
        table: ``(cases, columns)``; patients are drawn with replacement, each with all of its cases
            (rows).
        statistic: of tables ``(..., cases, columns)``.
        patients: of each row, equal where rows are of one patient; None: each row is one.
        resamples: how often patients are drawn.
        seed: the same seed gives the same interval.

    References:
        Efron 1979, doi:10.1214/aos/1176344552; Field 2007, doi:10.1111/j.1467-9868.2007.00593.x
        (clusters)
    """
    order, sizes = _by_patient(patients, len(table))
    if len(sizes) < 2:
        return None
    rng, at_once = np.random.default_rng(seed), max(1, _VALUES_AT_ONCE // table.size)
    found = []
    for done in range(0, resamples, at_once):
        drawn = rng.integers(0, len(sizes), (min(at_once, resamples - done), len(sizes)))
        lengths = sizes[drawn].sum(axis=1)
        for length in np.unique(lengths):
            rows = order[_rows_of(drawn[lengths == length], sizes)]
            found.append(statistic(table[rows.reshape(-1, length)]))
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _by_patient(
    patients: Sequence[Hashable] | None, cases: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows, those of one patient side by side, and how many each patient has."""
    names = range(cases) if patients is None else patients
    first = {name: n for n, name in enumerate(dict.fromkeys(names))}
    numbers = np.array([first[name] for name in names], np.int64)
    return np.argsort(numbers, kind="stable"), np.bincount(numbers)


def _rows_of(drawn: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows of the drawn patients, one after the other, where rows lie patient by patient."""
    counts = sizes[drawn].ravel()
    starts = (sizes.cumsum() - sizes)[drawn].ravel()
    return np.arange(counts.sum()) + np.repeat(starts - (counts.cumsum() - counts), counts)
