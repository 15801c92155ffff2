"""How the service does: throughput, alert load, drift. All from the tables; no identity.

Alerts that must be expected are N [(1 - prevalence)(1 - specificity) + prevalence sensitivity]; the
positive predictive value is counted from readers' verdicts.
"""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monai_ich.core.presence import Presence
from monai_ich.service.settings import Settings
from monai_ich.service.states import Reading, Sending, State
from monai_ich.service.summary import Summary
from monai_ich.service.tables import outbox, result, series

_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S
_LEAST_WEEK = 20  # results: fewer say nothing about drift
_CHART_K, _CHART_H = 0.5, 5.0  # CUSUM in standard deviations: half a shift of one, and its limit
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_SPACINGS_MM = (0.9, 1.6, 2.6, 3.6, 5.2)


@dataclass(frozen=True)
class AlertLoad:
    """How often readers are alarmed, and how often rightly.

    Args:
        results, alerts: of the last 30 days; an alert is found or possible.
        alerts_a_day: of the days since the first of them.
        expected_a_day: from prevalence, sensitivity and specificity of the settings; None where
            they are not set.
        expected_ppv: from the same; None likewise.
        confirmed, dismissed: alerts that readers judged; modified ones count as confirmed.
    """

    results: int
    alerts: int
    alerts_a_day: float
    expected_a_day: float | None
    expected_ppv: float | None
    confirmed: int
    dismissed: int

    @property
    def ppv(self) -> float | None:
        """Of judged alerts; None where there is none."""
        judged = self.confirmed + self.dismissed
        return self.confirmed / judged if judged else None


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


@dataclass(frozen=True)
class Operations:
    """One look at everything."""

    states: dict[str, int]
    oldest_wait_s: float
    results_day: int
    median_minutes: float | None
    failures: list[tuple[str, int]]
    outbox: dict[str, dict[str, int]]
    disk_free: int
    disk_total: int
    load: AlertLoad
    drift: list[Drift]
    cusum: float | None
    dismissed_share: float | None


def expected_alerts(
    count: float, prevalence: float, sensitivity: float, specificity: float
) -> float:
    """Alerts among `count` scans.

    >>> round(expected_alerts(1000, 0.027, 0.756, 0.921), 1)
    97.3
    """
    return count * ((1 - prevalence) * (1 - specificity) + prevalence * sensitivity)


def expected_ppv(prevalence: float, sensitivity: float, specificity: float) -> float | None:
    """Share of alerts that are right; None where no alert is expected.

    >>> expected_ppv(0.027, 0.756, 0.921)  # published figures give 21 %
    0.2098...
    """
    alerts = expected_alerts(1.0, prevalence, sensitivity, specificity)
    return prevalence * sensitivity / alerts if alerts > 0 else None


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


def read_operations(link: Connection, settings: Settings) -> Operations:
    """Everything the page of operations shows."""
    now = time.time()
    count = sa.func.count()
    states = {
        s: n for s, n in link.execute(sa.select(series.c.state, count).group_by(series.c.state))
    }
    waiting = (State.SETTLED, State.QUEUED, State.ANALYZING)
    oldest = link.execute(
        sa.select(sa.func.min(series.c.last_image_at)).where(series.c.state.in_(waiting))
    ).scalar()
    failed = sa.select(series.c.reason, count).where(
        series.c.state.in_((State.REFUSED, State.FAILED))
    )
    failures = [(c, n) for c, n in link.execute(failed.group_by(series.c.reason))]
    boxes: dict[str, dict[str, int]] = {}
    grouped = sa.select(outbox.c.destination, outbox.c.state, count)
    for place, state, n in link.execute(grouped.group_by(outbox.c.destination, outbox.c.state)):
        boxes.setdefault(place, dict.fromkeys(Sending, 0))[state] = n
    rows = list(
        link.execute(
            sa.select(
                result.c.finished_at, result.c.summary, series.c.reading, series.c.last_image_at
            )
            .join(series, series.c.id == result.c.series_id)
            .where(result.c.superseded_at.is_(None))
            .order_by(result.c.finished_at)
        )
    )
    found = [(r.finished_at, Summary.from_json(r.summary), r.reading) for r in rows]
    today = [r for r in rows if r.finished_at > now - _DAY_S]
    minutes = [(r.finished_at - r.last_image_at) / 60 for r in today]
    disk = shutil.disk_usage(settings.data)
    load = _alert_load([f for f in found if f[0] > now - 30 * _DAY_S], settings, now)
    return Operations(
        states=states,
        oldest_wait_s=max(0.0, now - oldest) if oldest else 0.0,
        results_day=len(today),
        median_minutes=float(np.median(minutes)) if minutes else None,
        failures=sorted(failures, key=lambda pair: -pair[1]),
        outbox=boxes,
        disk_free=disk.free,
        disk_total=disk.total,
        load=load,
        drift=_drift(found, now),
        cusum=_alert_cusum(found, now),
        dismissed_share=None if load.ppv is None else 1 - load.ppv,
    )


def _is_alert(one: Summary) -> bool:
    return one.presence != Presence.NOT_FOUND.value


def _alert_load(
    found: list[tuple[float, Summary, str]], settings: Settings, now: float
) -> AlertLoad:
    days = max(1.0, (now - found[0][0]) / _DAY_S) if found else 1.0
    alerts = [reading for _, summary, reading in found if _is_alert(summary)]
    rates = (settings.prevalence, settings.sensitivity, settings.specificity)
    told = all(rate > 0 for rate in rates)
    said = Counter(alerts)
    return AlertLoad(
        results=len(found),
        alerts=len(alerts),
        alerts_a_day=len(alerts) / days,
        expected_a_day=expected_alerts(len(found) / days, *rates) if told else None,
        expected_ppv=expected_ppv(*rates) if told else None,
        confirmed=said[Reading.CONFIRMED] + said[Reading.MODIFIED],
        dismissed=said[Reading.DISMISSED],
    )


def _drift(found: list[tuple[float, Summary, str]], now: float) -> list[Drift]:
    before = [s for at, s, _ in found if at <= now - _WEEK_S]
    week = [s for at, s, _ in found if at > now - _WEEK_S]
    if min(len(before), len(week)) < _LEAST_WEEK:
        return [Drift(name, None) for name in ("densities", "slice spacing", "probabilities")]

    def binned(of: list[float], edges: tuple[float, ...]) -> list[float]:
        return [float(n) for n in np.bincount(np.digitize(of, edges), minlength=len(edges) + 1)]

    def densities(of: list[Summary]) -> list[float]:
        """Mean share of each bin, so that a large head weighs no more than a small one."""
        counts = np.array([s.hu_counts for s in of if s.hu_counts and sum(s.hu_counts)], float)
        return [float(v) for v in (counts / counts.sum(axis=1, keepdims=True)).sum(axis=0)]

    return [
        Drift("densities", psi(densities(before), densities(week))),
        Drift(
            "slice spacing",
            psi(*(binned([s.spacing_mm[2] for s in of if s.spacing_mm], _SPACINGS_MM)
                  for of in (before, week))),
        ),
        Drift(
            "probabilities",
            psi(*(binned([s.probability for s in of if s.probability is not None], _SHARES)
                  for of in (before, week))),
        ),
    ]  # fmt: skip


def _alert_cusum(found: list[tuple[float, Summary, str]], now: float) -> float | None:
    before = [_is_alert(s) for at, s, _ in found if at <= now - _WEEK_S]
    week = [_is_alert(s) for at, s, _ in found if at > now - _WEEK_S]
    if len(before) < _LEAST_WEEK or not week:
        return None
    return cusum(week, sum(before) / len(before))
