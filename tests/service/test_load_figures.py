"""Drift and alert load are arithmetic that can be done on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_ich.service.drift import cusum_of, drift_of, psi
from monai_ich.service.figures import read_operations
from monai_ich.service.summary import Summary
from monai_ich.service.tables import result, series
from tests.service.service import Service, head

_DAY_S = 86_400.0
_NOW = 100 * _DAY_S


def _result(presence: str, **values: object) -> Summary:
    return Summary(presence, "", 2, 1.0, **values)  # type: ignore[arg-type]


def test_psi_of_a_half_that_became_three_quarters() -> None:
    # shares of 50.5 : 50.5 and 75.5 : 25.5 of 101: 0.2475 (ln 1.4950 - ln 0.5050)
    assert psi([50, 50], [75, 25]) == pytest.approx(0.2475 * (0.4021 + 0.6833), abs=2e-4)


def test_drift_is_seen_where_it_is_and_needs_twenty_results() -> None:
    old = [(_NOW - 30 * _DAY_S, _result("found", spacing_mm=(0.5, 0.5, 5.0), probability=0.5,
                                        hu_counts=(10, 0)))] * 20  # fmt: skip
    thin = _result("found", spacing_mm=(0.5, 0.5, 1.0), probability=0.5, hu_counts=(1000, 0))
    week = [(_NOW, thin)] * 20
    assert [d.words for d in drift_of([*old, *week], _NOW)] == ["stable", "changed", "stable"]
    assert {d.words for d in drift_of([*old, *week[:19]], _NOW)} == {"too few results"}
    bare = [(at, _result("found")) for at, _ in (*old, *week)]
    assert {d.psi for d in drift_of(bare, _NOW)} == {None}, "no values are no stability"


def test_the_chart_of_alerts_rises_with_a_run_of_them() -> None:
    half = [(0.0, _result("found")), (0.0, _result("not found"))] * 10
    assert cusum_of([*half, *[(_NOW, _result("found"))] * 12], _NOW) == pytest.approx(12 * 0.5)
    assert cusum_of([*half[:10], (_NOW, _result("found"))], _NOW) is None


@pytest.mark.slow
def test_measured_ppv_counts_verdicts_on_alerts_only(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    for number in range(4):
        service.admit(head(tmp_path / str(number), count=8))
    service.work()
    negative = _result("not found").to_json()
    with service.db.write() as link:
        link.execute(series.update().values(reading="confirmed"))
        link.execute(series.update().where(series.c.id == 1).values(reading="dismissed"))
        link.execute(result.update().where(result.c.series_id == 4).values(summary=negative))
    with service.db.read() as link:
        load = read_operations(link, service.settings).load
    assert (load.results, load.alerts, load.confirmed, load.dismissed) == (4, 3, 2, 1)
    assert load.ppv == pytest.approx(2 / 3) and load.expected_a_day is None
