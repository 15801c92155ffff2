"""What a calibration says, on paper, and that it survives being written down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monai_ich.core.calibration import ANY, SHIFT, Calibration, Calibrator, ShiftCalibrator
from monai_ich.core.errors import BundleError
from monai_ich.core.labels import Subtype
from monai_ich.io.calibration import read_calibration

FIRST = Calibrator(
    0.5,
    surest=(0.0, 3.0),
    where_found=(-2.0, 1.0),
    where_none=(0.0, 0.5),
    scans=99,
    present=40,
)


def test_probability_follows_what_the_surest_exceeds() -> None:
    assert FIRST.probability(0.0) == 0.5
    assert FIRST.probability(1.0) == pytest.approx(1 / (1 + 2.718281828**-3), abs=1e-4)
    assert 0.0 <= FIRST.probability(-16.0) < 0.01 < 0.99 < FIRST.probability(16.0) <= 1.0


def test_interval_grows_with_doubt_and_holds_what_was_found() -> None:
    assert FIRST.interval_ml(10.0, 8.0, 0.5, 3.0) == (8.0, 11.0), "0.5 + 5 % of 8 + 0.1 is 1"
    assert FIRST.interval_ml(1.0, 8.0, 0.5, 3.0) == (0.0, 2.0), "no volume is negative"
    assert FIRST.interval_ml(0.0, 8.0, 0.5, 3.0) == (0.0, 0.5)
    above = replace(FIRST, where_found=(0.5, 1.0))
    assert above.interval_ml(10.0, 8.0, 0.5, 3.0) == (10.0, 11.0)
    assert replace(FIRST, where_found=None).interval_ml(10.0, 8.0, 0.5, 3.0) is None


def test_it_is_read_as_it_was_written() -> None:
    shift = ShiftCalibrator("cafe", (-2.0, 3.0), 60, SHIFT)
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
    shift = ShiftCalibrator("cafe", (-2.0, 3.0), 60, SHIFT)
    assert shift.interval_mm(5.0) == (3.0, 8.0) and shift.interval_mm(1.0) == (0.0, 4.0)
    assert replace(shift, errors_mm=(0.5, 3.0)).interval_mm(5.0) == (5.0, 8.0), (
        "what was measured lies inside"
    )
    calibration = Calibration("f00d", "99 heads", {}, shift)
    assert (
        calibration.with_anatomy("cafe") == calibration
        and calibration.with_anatomy("beef").shift is None
    )


def test_counts_of_misses_bound_what_an_interval_of_zero_leaves_open() -> None:
    assert FIRST.misses is None, "some was found in every scan"
    counted = replace(FIRST, none_found=60, missed=0)
    assert counted.misses is not None
    assert counted.misses.share_high == pytest.approx(3 / 60, abs=0.002), "the rule of three"
    assert replace(counted, missed=3).misses.share_high > 3 / 60  # type: ignore[union-attr]
    calibration = Calibration("f00d", "99 heads", {ANY: counted})
    again = Calibration.from_dict(json.loads(json.dumps(calibration.as_dict())))
    assert again == calibration and again.learned_on.with_blood == 40


@pytest.mark.parametrize(
    ("none_found", "missed"), [(60, None), (None, 3), (-1, 0), (60, 61), (100, 0), (True, 0)]
)
def test_counts_that_cannot_be_are_refused(
    tmp_path: Path, none_found: int | None, missed: int | None
) -> None:
    good = {name: replace(FIRST, none_found=60, missed=3) for name in (*Subtype.__members__, ANY)}
    path = tmp_path / "operating_points.json"
    path.write_text(json.dumps(Calibration("f00d", "99 heads", good).as_dict()))
    assert read_calibration(path).of["SDH"].missed == 3
    bad = good | {"SDH": replace(FIRST, none_found=none_found, missed=missed)}
    path.write_text(json.dumps(Calibration("f00d", "99 heads", bad).as_dict()))
    with pytest.raises(BundleError, match="BAD_CALIBRATION"):
        read_calibration(path)


def test_a_file_of_an_earlier_version_whose_probabilities_mean_another_thing_is_refused(
    tmp_path: Path,
) -> None:
    record = Calibration("f00d", "99 heads", {n: FIRST for n in (*Subtype.__members__, ANY)})
    earlier = record.as_dict()
    for row in earlier["of"].values():
        row["intercept"], row["slope"] = row.pop("surest")
    (tmp_path / "operating_points.json").write_text(json.dumps(earlier))
    with pytest.raises(BundleError, match="of an earlier version: remove"):
        read_calibration(tmp_path / "operating_points.json")
