"""A figure over cases as it is reported: value, interval and number, or the reason why not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ich.agreement.bootstrap import Statistic, bootstrap_interval, ratio
from monai_ich.agreement.detection import wilson_interval


@dataclass(frozen=True)
class Estimate:
    """A figure.

    Args:
        value: None where it has none.
        interval: 95 %; None where there is none.
        n: how many cases it is from.
        reason: why there is no value.
        interval_reason: why there is a value without an interval.
    """

    value: float | None
    interval: tuple[float, float] | None
    n: int
    reason: str | None = None
    interval_reason: str | None = None


def estimate(
    table: NDArray[np.float64],
    statistic: Statistic,
    patients: Sequence[Hashable] | None = None,
) -> Estimate:
    """A statistic with its bootstrap interval.

    Args:
        table: ``(cases, columns)``; for a `ratio` only rows whose second column is above 0 count:
            nothing of nothing is no share.
        statistic: of such tables.
        patients: of each row, see `bootstrap_interval`.
    """
    names = list(range(len(table)) if patients is None else patients)
    if statistic is ratio:
        counts = table[:, 1] > 0
        table, names = table[counts], [n for n, one in zip(names, counts, strict=True) if one]
    n = len(table)
    value = float(statistic(table)) if n else np.nan
    if not np.isfinite(value):
        few = "no case counts" if n == 0 else "one case is too few"
        return Estimate(None, None, n, few if n < 2 else "all cases are of one kind or equal")
    interval, reason = bootstrap_interval(table, statistic, patients=names), None
    if interval is None:
        reason = "one case" if n == 1 else "one patient"
    elif interval[0] == interval[1]:
        interval, reason = None, "no spread"
    return Estimate(value, interval, n, interval_reason=reason)


def estimate_share(hits: Sequence[bool], patients: Sequence[Hashable]) -> Estimate:
    """A share with Wilson's interval.

    Args:
        hits: of each trial (scan or lesion).
        patients: from whom each trial is, see `wilson_interval`.
    """
    n, successes = len(hits), sum(map(bool, hits))
    if not n:
        return Estimate(None, None, 0, "no case counts")
    return Estimate(successes / n, wilson_interval(successes, n, len(set(patients))), n)
