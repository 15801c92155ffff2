"""How the service does: throughput, alert load, drift. All from the tables; no identity.

Alerts that must be expected are N [(1 - prevalence)(1 - specificity) + prevalence sensitivity]; the
positive predictive value is counted from readers' verdicts.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monai_ich.service.drift import Drift, cusum_of, drift_of, is_alert
from monai_ich.service.settings import Settings
from monai_ich.service.states import Reading, Sending, State
from monai_ich.service.summary import NOT_FOUND, Summary
from monai_ich.service.tables import outbox, result, series

_DAY_S, _LOAD_DAYS = 86_400.0, 30
DRIFT_DAYS = 180


@dataclass(frozen=True)
class AlertLoad:
    """How often readers are alarmed, and how often rightly.

    Args:
        results, alerts: of the last 30 days; an alert is found or possible.
        alerts_a_day: of the days since the first of them.
        expected_a_day: from prevalence, sensitivity and specificity of the settings; None where
            they are not set.
        expected_ppv: from the same; None likewise.
        confirmed, dismissed: alerts that readers judged; one whose masks they modified is confirmed
            where blood was left.
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
class Flow:
    """What comes, waits and goes; `results_day` and `alerts_day` of the last 24 hours."""

    states: dict[str, int]
    oldest_wait_s: float
    results_day: int
    alerts_day: int
    median_minutes: float | None
    failures: list[tuple[str, int]]
    outbox: dict[str, dict[str, int]]
    disk_free: int
    disk_total: int


@dataclass(frozen=True)
class Operations:
    """One look at everything; drift against `DRIFT_DAYS`."""

    flow: Flow
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

    >>> round(expected_ppv(0.027, 0.756, 0.921), 2)  # published figures: 21 %
    0.21
    """
    alerts = expected_alerts(1.0, prevalence, sensitivity, specificity)
    return prevalence * sensitivity / alerts if alerts > 0 else None


def read_flow(link: Connection, settings: Settings) -> Flow:
    """What monitors ask again and again."""
    now = time.time()
    return _flow(link, settings, _results(link, now - _DAY_S), now)


def _flow(link: Connection, settings: Settings, today: list[_Found], now: float) -> Flow:
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
    minutes = [(one.at - one.last_image_at) / 60 for one in today]
    disk = shutil.disk_usage(settings.data)
    return Flow(
        states=states,
        oldest_wait_s=max(0.0, now - oldest) if oldest else 0.0,
        results_day=len(today),
        alerts_day=sum(is_alert(one.summary) for one in today),
        median_minutes=float(np.median(minutes)) if minutes else None,
        failures=sorted(failures, key=lambda pair: -pair[1]),
        outbox=boxes,
        disk_free=disk.free,
        disk_total=disk.total,
    )


def read_operations(link: Connection, settings: Settings) -> Operations:
    """Everything the page of operations shows."""
    now = time.time()
    found = _results(link, now - DRIFT_DAYS * _DAY_S)
    today, lately = (
        [one for one in found if one.at > now - days * _DAY_S] for days in (1, _LOAD_DAYS)
    )
    load = _alert_load(lately, settings, now)
    dated = [(one.at, one.summary) for one in found]
    return Operations(
        flow=_flow(link, settings, today, now),
        load=load,
        drift=drift_of(dated, now),
        cusum=cusum_of(dated, now),
        dismissed_share=None if load.ppv is None else 1 - load.ppv,
    )


@dataclass(frozen=True)
class _Found:
    """A result that holds, and what the reader made of it; `at` is when it was finished."""

    at: float
    last_image_at: float
    summary: Summary
    reading: str
    has_blood: bool


def _results(link: Connection, since: float) -> list[_Found]:
    query = (
        sa.select(
            *(result.c.finished_at, series.c.last_image_at, result.c.summary),
            *(series.c.reading, series.c.urgency),
        )
        .join(series, series.c.id == result.c.series_id)
        .where(result.c.superseded_at.is_(None), result.c.finished_at > since)
        .order_by(result.c.finished_at)
    )
    return [
        _Found(at, came, Summary.from_json(text), reading, urgency != NOT_FOUND)
        for at, came, text, reading, urgency in link.execute(query)
    ]


def _judgment(one: _Found) -> str:
    if one.reading == Reading.MODIFIED:
        return Reading.CONFIRMED if one.has_blood else Reading.DISMISSED
    return one.reading


def _alert_load(found: list[_Found], settings: Settings, now: float) -> AlertLoad:
    days = max(1.0, (now - found[0].at) / _DAY_S) if found else 1.0
    alerts = [_judgment(one) for one in found if is_alert(one.summary)]
    rates = (settings.prevalence, settings.sensitivity, settings.specificity)
    told = all(rate > 0 for rate in rates)
    said = Counter(alerts)
    return AlertLoad(
        results=len(found),
        alerts=len(alerts),
        alerts_a_day=len(alerts) / days,
        expected_a_day=expected_alerts(len(found) / days, *rates) if told else None,
        expected_ppv=expected_ppv(*rates) if told else None,
        confirmed=said[Reading.CONFIRMED],
        dismissed=said[Reading.DISMISSED],
    )
