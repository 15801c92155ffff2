"""Drift and alert load are arithmetic that can be done on paper."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.second_reading import FINDINGS, SecondReading, Thresholds
from monai_ich.core.volume import LabelMap
from monai_ich.measure.second_reading import read_twice
from monai_ich.measure.summary import measure_exam
from monai_ich.service.drift import cusum, cusum_of, drift_of, psi
from monai_ich.service.figures import expected_alerts, expected_ppv, read_operations
from monai_ich.service.summary import NOT_FOUND, POSSIBLE, Summary, summarize
from monai_ich.service.tables import result, series
from tests.service.service import Service, head

_DAY_S = 86_400.0
_NOW = 100 * _DAY_S


def _result(presence: str, **values: object) -> Summary:
    urgency = NOT_FOUND if presence == "not found" else 2
    return Summary(presence, "", urgency, 1.0, **values)  # type: ignore[arg-type]


def test_psi_of_a_half_that_became_three_quarters() -> None:
    # shares of 50.5 : 50.5 and 75.5 : 25.5 of 101: 0.2475 (ln 1.4950 - ln 0.5050)
    assert psi([50, 50], [75, 25]) == pytest.approx(0.2475 * (0.4021 + 0.6833), abs=2e-4)


def test_drift_is_seen_where_it_is_and_needs_twenty_results() -> None:
    old = [(_NOW - 30 * _DAY_S, _result("found", spacing_mm=(0.5, 0.5, 5.0), probability=0.5,
                                        hu_counts=(10, 0)))] * 20  # fmt: skip
    thin = _result("found", spacing_mm=(0.5, 0.5, 1.0), probability=0.5, hu_counts=(1000, 0))
    week = [(_NOW, thin)] * 20
    changed = {d.name: d.words for d in drift_of([*old, *week], _NOW)}
    assert changed == {
        "densities": "stable",
        "slice spacing": "changed",
        "probabilities": "stable",
        "second reading against masks": "too few results",
    }
    assert {d.words for d in drift_of([*old, *week[:19]], _NOW)} == {"too few results"}
    bare = [(at, _result("found")) for at, _ in (*old, *week)]
    assert {d.psi for d in drift_of(bare, _NOW)} == {None}, "no values are no stability"


def test_readings_that_part_ways_are_a_drift() -> None:
    agree = _result("found", disagrees=())
    parted = replace(agree, disagrees=("SDH",))
    before = [(_NOW - 30 * _DAY_S, agree)] * 20
    calm, changed = (
        drift_of([*before, *week], _NOW)[-1]
        for week in ([(_NOW, agree)] * 20, [(_NOW, agree), (_NOW, parted)] * 10)
    )
    assert calm.words == "stable" and changed.words == "changed"
    # shares of 20.5 : 0.5 and 10.5 : 10.5 of 21
    assert changed.psi == pytest.approx(10 / 21 * (math.log(20.5 / 10.5) + math.log(10.5 / 0.5)))


def test_what_the_second_reading_alone_finds_is_never_called_negative() -> None:
    nothing = LabelMap(np.zeros((8, 8, 8), np.uint8), Geometry((8, 8, 8), np.eye(4)), Subtype)
    exam = measure_exam(nothing)
    assert summarize(exam).urgency == NOT_FOUND
    shares = dict.fromkeys(FINDINGS, 0.1)
    for share, urgency in ((0.1, NOT_FOUND), (0.5, NOT_FOUND), (0.9, POSSIBLE)):
        reading = SecondReading(shares | {"SAH": share}, {"SAH": Thresholds(0.2, 0.8)})
        assert summarize(read_twice(exam, reading)).urgency == urgency


def test_the_chart_of_alerts_rises_with_a_run_of_them() -> None:
    half = [(0.0, _result("found")), (0.0, _result("not found"))] * 10
    assert cusum_of([*half, *[(_NOW, _result("found"))] * 12], _NOW) == pytest.approx(12 * 0.5)
    assert cusum_of([*half[:10], (_NOW, _result("found"))], _NOW) is None
    calm = [(_NOW, _result("not found"))] * 8  # as far below: the chart has two sides
    assert cusum_of([*half, *calm], _NOW) == pytest.approx(8 * 0.5)
    fifth = [True, False, False]  # deviation 0.4: z of 2, then -0.5 twice, each less 0.5
    assert cusum(fifth, 0.2) == pytest.approx(max(0.0, 1.5 - 1.0 - 1.0))
    assert cusum([True], 0.2) == pytest.approx(1.5)
    assert cusum([True], 0.0) is None


def test_expected_alerts_and_their_share_that_is_right() -> None:
    # of 1,000 with 2.7 %: 27 x 0.756 = 20.412 true, 973 x 0.079 = 76.867 false
    assert expected_alerts(1000, 0.027, 0.756, 0.921) == pytest.approx(97.279)
    assert expected_ppv(0.027, 0.756, 0.921) == pytest.approx(20.412 / 97.279)
    assert expected_ppv(0.0, 0.5, 1.0) is None


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
    with service.db.write() as link:  # a reader who erased all blood was alarmed for nothing
        link.execute(series.update().where(series.c.id == 2).values(reading="modified", urgency=4))
        link.execute(series.update().where(series.c.id == 3).values(reading="modified", urgency=1))
    settings = replace(service.settings, prevalence=0.5, sensitivity=0.8, specificity=0.9)
    with service.db.read() as link:
        load = read_operations(link, settings).load
    assert (load.confirmed, load.dismissed) == (1, 2)
    # four results within a day: 4 (0.5 x 0.1 + 0.5 x 0.8) are to be expected, 0.4 / 0.45 right
    assert load.alerts_a_day == 3.0 and load.expected_a_day == pytest.approx(1.8)
    assert load.expected_ppv == pytest.approx(0.4 / 0.45)
