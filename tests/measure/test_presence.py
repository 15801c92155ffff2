"""What is said of a finding never contradicts the number beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monai_ich.core.calibration import Calibration, Calibrator, Evidence
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.presence import Presence
from monai_ich.core.volume import LabelMap
from monai_ich.measure.summary import measure_exam
from monai_ich.report.tables import measurement_table
from monai_ich.report.wording import headline, probability_words

NAMES = [s.name for s in Subtype]


def _labels(voxels: int) -> LabelMap:
    """So many voxels of 0.1 mL of IPH."""
    cube = np.zeros((20, 20, 20), np.uint8)
    cube.reshape(-1)[4000 : 4000 + voxels] = Subtype.IPH
    return LabelMap(cube, Geometry(cube.shape, np.diag([5.0, 5.0, 4.0, 1.0])), Subtype)


def _calibration(low: float, slope: float = 2.0) -> Calibration:
    """Operating point 2.8 mL, probability one half at even odds."""
    one = Calibrator(2.8, (0.0, slope), (low, 2.0), (0.0, 0.5), 200, 90)
    return Calibration("", "toy", {name: one for name in (*NAMES, "any")})


def _evidence(ml: float) -> Evidence:
    sums = {name: 0.0 for name in NAMES} | {"IPH": ml, "any": ml}
    log_odds = {name: math.log10(value + 0.01) for name, value in sums.items()}
    return Evidence(sums, {name: 0.1 for name in sums}, log_odds)


@pytest.mark.parametrize(
    ("voxels", "expected_ml", "low", "said"),
    [
        (27, 2.7, -1.0, Presence.POSSIBLE),  # below the operating point
        (28, 2.8, -1.0, Presence.FOUND),
        (28, 2.8, -99.0, Presence.POSSIBLE),  # its interval begins at 0
        (1, 0.05, -1.0, Presence.POSSIBLE),  # 0.1 mL: no more a trace
        (0, 0.05, -1.0, Presence.NOT_FOUND),
        (0, 3.0, -1.0, Presence.POSSIBLE),  # nothing is labeled, but probable
    ],
)
def test_between_found_and_not_found_lies_what_is_possible(
    voxels: int, expected_ml: float, low: float, said: Presence
) -> None:
    exam = measure_exam(
        _labels(voxels), evidence=_evidence(expected_ml), calibration=_calibration(low)
    )
    assert (exam.presence, exam.subtypes[1].presence) == (said, said)
    assert ("No hemorrhage" in headline(exam)) == (said is Presence.NOT_FOUND)
    assert ("possible" in headline(exam)) == (said is Presence.POSSIBLE)


def test_a_mask_that_was_drawn_is_true_from_its_first_voxel_on() -> None:
    exam = measure_exam(_labels(1))
    assert exam.presence is Presence.FOUND and exam.hemorrhage_present
    assert headline(exam).startswith("Hemorrhage found, 0.1 mL in all")
    limit = {name: 0.2 for name in NAMES}
    assert measure_exam(_labels(1), operating_points=limit).presence is Presence.POSSIBLE


def test_all_blood_is_no_less_than_one_subtype() -> None:
    calibration = _calibration(-1.0)
    loose = Calibrator(2.8, (-9.0, 0.0), (-99.0, 99.0), (0.0, 0.5), 200, 90)
    calibration = Calibration("", "toy", {**calibration.of, "any": loose})
    exam = measure_exam(_labels(50), evidence=_evidence(5.0), calibration=calibration)
    iph = exam.subtypes[1]
    assert iph.volume.interval is not None and exam.total_interval_ml is not None
    assert exam.total_interval_ml[0] == iph.volume.interval[0] > 0
    assert exam.total_interval_ml[1] >= iph.volume.interval[1]
    assert exam.probability == iph.probability
    assert exam.presence is Presence.FOUND


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.0, "< 1"), (0.0099, "< 1"), (0.01, "1"), (0.99, "99"), (0.9901, "> 99"), (1.0, "> 99")],
)
def test_no_probability_is_0_or_100_percent(probability: float, words: str) -> None:
    assert probability_words(probability) == [f"probability {words} %"]


def test_an_interval_of_zero_to_zero_says_how_often_some_is_missed_and_where_that_was_learned() -> (
    None
):
    one = Calibrator(2.8, (-9.0, 2.0), (-1.0, 2.0), (0.0, 0.0), 200, 90, none_found=150, missed=0)
    calibration = Calibration("", "toy heads", {name: one for name in (*NAMES, "any")})
    said = "of 150 calibration scans in which none was found, 0 held some: at most 2.0 %"
    nothing = measure_exam(_labels(0), evidence=_evidence(0.0), calibration=calibration)
    assert nothing.subtypes[1].volume.interval == (0.0, 0.0)
    table = measurement_table(nothing)
    assert table.count(said) == 6, "of each subtype and of all blood"
    assert "learned on toy heads: 90 of 200 (45 %) held hemorrhage" in table
    some = measure_exam(_labels(50), evidence=_evidence(5.0), calibration=calibration)
    assert some.misses is None and measurement_table(some).count(said) == 4
    assert "learned on" not in measurement_table(measure_exam(_labels(50)))
