"""Whether scans and results of the last week are like those before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from monai_ich.core.presence import Presence
from monai_ich.service.summary import Summary

_WEEK_S = 7 * 86_400.0
_LEAST = 20  # results: fewer say nothing about drift
_CHART_K = 0.5  # standard deviations: the chart is made for a shift of one
_SHARES = tuple(n / 10 for n in range(1, 10))
_SPACINGS_MM = (0.9, 1.6, 2.6, 3.6, 5.2)


@dataclass(frozen=True)
class Drift:
    """The last week against all before; None where one of them has too few results."""

    name: str
    psi: float | None

    @property
    def words(self) -> str:
        """By the usual limits of 0.1 and 0.25."""
        if self.psi is None:
            return "too few results"
        return "stable" if self.psi < 0.1 else "look at it" if self.psi < 0.25 else "changed"


def psi(before: Sequence[float], now: Sequence[float]) -> float:
    """Population stability index of two histograms over the same bins; half a count in each bin
    keeps an empty one finite.

    >>> psi([50, 50], [50, 50])
    0.0
    """
    old, new = np.asarray(before, float) + 0.5, np.asarray(now, float) + 0.5
    old, new = old / old.sum(), new / new.sum()
    return float(((new - old) * np.log(new / old)).sum())


def cusum(alerts: Sequence[bool], share: float) -> float | None:
    """Where the two-sided chart of an alert rate stands now, in standard deviations; above 5 it
    has changed. None where the rate before is 0 or 1.

    >>> cusum([True] * 4, 0.5)  # each is one standard deviation above: 4 times 1 - 0.5
    2.0
    """
    if not 0.0 < share < 1.0:
        return None
    deviation = math.sqrt(share * (1 - share))
    high = low = 0.0
    for alert in alerts:
        z = (float(alert) - share) / deviation
        high, low = max(0.0, high + z - _CHART_K), max(0.0, low - z - _CHART_K)
    return max(high, low)


def is_alert(one: Summary) -> bool:
    """Whether the masks ask for a reader: found or possible."""
    return one.presence != Presence.NOT_FOUND.value


def drift_of(found: Sequence[tuple[float, Summary]], now: float) -> list[Drift]:
    """The last week against all before.

    Args:
        found: results and when they were made, seconds.
        now: seconds.
    """
    return [
        _compared("densities", found, now, _densities),
        _compared("slice spacing", found, now, _spacings),
        _compared("probabilities", found, now, _probabilities),
        _compared("second reading against masks", found, now, _disagreements),
    ]


def cusum_of(found: Sequence[tuple[float, Summary]], now: float) -> float | None:
    """`cusum` of the last week's alerts; None where too few results came before."""
    before = [is_alert(s) for at, s in found if at <= now - _WEEK_S]
    week = [is_alert(s) for at, s in found if at > now - _WEEK_S]
    if len(before) < _LEAST or not week:
        return None
    return cusum(week, sum(before) / len(before))


def _compared(
    name: str,
    found: Sequence[tuple[float, Summary]],
    now: float,
    histogram: Callable[[list[Summary]], list[float] | None],
) -> Drift:
    before = histogram([s for at, s in found if at <= now - _WEEK_S])
    week = histogram([s for at, s in found if at > now - _WEEK_S])
    return Drift(name, None if before is None or week is None else psi(before, week))


def _densities(of: list[Summary]) -> list[float] | None:
    """Mean share of each bin, so that a large head weighs no more than a small one."""
    counts = [s.hu_counts for s in of if sum(s.hu_counts) > 0]
    if len(counts) < _LEAST:
        return None
    shares = [np.array(c, float) / sum(c) for c in counts]
    return [float(v) for v in np.sum(shares, axis=0)]


def _spacings(of: list[Summary]) -> list[float] | None:
    return _binned([s.spacing_mm[2] for s in of if s.spacing_mm], _SPACINGS_MM)


def _probabilities(of: list[Summary]) -> list[float] | None:
    return _binned([s.probability for s in of if s.probability is not None], _SHARES)


def _disagreements(of: list[Summary]) -> list[float] | None:
    """How many results that were read twice agree, and how many do not."""
    twice = [bool(s.disagrees) for s in of if s.disagrees is not None]
    return [twice.count(False), twice.count(True)] if len(twice) >= _LEAST else None


def _binned(values: list[float], edges: Sequence[float]) -> list[float] | None:
    if len(values) < _LEAST:
        return None
    places = np.digitize(values, np.array(edges))
    return [float(n) for n in np.bincount(places, minlength=len(edges) + 1)]
