"""What a calibration says, on paper, and that it survives being written down."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from monai_ich.core.calibration import ANY, Calibration, Calibrator, ShiftCalibrator

FIRST = Calibrator(
    0.5,
    intercept=0.0,
    slope=3.0,
    where_found=(-2.0, 1.0),
    where_none=(0.0, 0.5),
    scans=99,
    present=40,
)


def test_probability_follows_the_expected_volume() -> None:
    assert FIRST.probability(0.99) == 0.5, "log10 of 1 is 0"
    assert FIRST.probability(9.99) == pytest.approx(1 / (1 + 2.718281828**-3), abs=1e-4)
    assert 0.0 <= FIRST.probability(0.0) < 0.01 < 0.99 < FIRST.probability(1000.0) <= 1.0


def test_interval_grows_with_doubt_and_holds_what_was_found() -> None:
    assert FIRST.interval_ml(10.0, 8.0, 0.5) == (8.0, 11.0), "0.5 + 5 % of 8 + 0.1 is 1"
    assert FIRST.interval_ml(1.0, 8.0, 0.5) == (0.0, 2.0), "no volume is negative"
    assert FIRST.interval_ml(0.0, 8.0, 0.5) == (0.0, 0.5)
    above = replace(FIRST, where_found=(0.5, 1.0))
    assert above.interval_ml(10.0, 8.0, 0.5) == (10.0, 11.0)
    assert replace(FIRST, where_found=None).interval_ml(10.0, 8.0, 0.5) is None


def test_it_is_read_as_it_was_written() -> None:
    shift = ShiftCalibrator("cafe", (-2.0, 3.0), 60)
    calibration = Calibration(
        "f00d", "99 heads", {"SDH": FIRST, ANY: replace(FIRST, where_none=None)}, shift
    )
    again = Calibration.from_dict(json.loads(json.dumps(calibration.as_dict())))
    assert again == calibration and again.operating_points_ml == {"SDH": 0.5}
    without = calibration.as_dict()
    del without["shift"]
    assert Calibration.from_dict(without) == replace(calibration, shift=None), (
        "files of version 0.3.0"
    )


def test_the_shift_has_an_interval_for_the_anatomy_weights_it_was_learned_with() -> None:
    shift = ShiftCalibrator("cafe", (-2.0, 3.0), 60)
    assert shift.interval_mm(5.0) == (3.0, 8.0) and shift.interval_mm(1.0) == (0.0, 4.0)
    assert replace(shift, errors_mm=(0.5, 3.0)).interval_mm(5.0) == (5.0, 8.0), (
        "what was measured lies inside"
    )
    calibration = Calibration("f00d", "99 heads", {}, shift)
    assert (
        calibration.with_anatomy("cafe") == calibration
        and calibration.with_anatomy("beef").shift is None
    )
