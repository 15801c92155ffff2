"""Masks and a second reading side by side."""

from __future__ import annotations

import numpy as np
import pytest

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.second_reading import FINDINGS, SecondReading, Thresholds
from monai_ich.core.volume import LabelMap
from monai_ich.measure.second_reading import read_twice
from monai_ich.measure.summary import measure_exam
from monai_ich.report.tables import measurement_table
from monai_ich.report.wording import headline


def _exam(subtype: str | None) -> ExamMeasurements:
    voxels = np.zeros((20, 20, 10), np.uint8)
    if subtype is not None:
        voxels[5:15, 5:15, 3:7] = Subtype[subtype]
    return measure_exam(LabelMap(voxels, Geometry(voxels.shape, np.diag([1, 1, 5, 1.0])), Subtype))


def _reading(**probabilities: float) -> SecondReading:
    shares = dict.fromkeys(FINDINGS, 0.5) | probabilities
    return SecondReading(shares, dict.fromkeys(FINDINGS, Thresholds(0.2, 0.8)))


@pytest.mark.parametrize(
    ("subtype", "second", "disagrees"),
    [
        ("IPH", {}, ()),  # it leaves all open
        ("IPH", {"IPH": 0.9, "any": 0.9}, ()),
        ("IPH", {"IPH": 0.1}, ("IPH",)),
        ("IPH", {"SDH": 0.8, "IPH": 0.3}, ("SDH",)),
        ("IPH", {"IPH": 0.1, "any": 0.19}, ("any", "IPH")),
        (None, {"any": 0.8}, ("any",)),
        (None, dict.fromkeys(FINDINGS, 0.1), ()),
    ],
)
def test_they_disagree_where_one_finds_what_the_other_rules_out(
    subtype: str | None, second: dict[str, float], disagrees: tuple[str, ...]
) -> None:
    before = _exam(subtype)
    exam = read_twice(before, _reading(**second))
    assert exam.disagreements == disagrees
    said = exam.warnings[len(before.warnings) :]
    assert [w.code for w in said] == ["SECOND_READING_DISAGREES"] * bool(disagrees)
    for name in disagrees:
        assert ("hemorrhage" if name == "any" else name) in said[0].message


def test_without_thresholds_nothing_is_ruled_out() -> None:
    reading = SecondReading(dict.fromkeys(FINDINGS, 0.001), {})
    assert read_twice(_exam("IPH"), reading).disagreements is None


def test_what_it_alone_finds_is_said_in_the_headline() -> None:
    assert headline(_exam(None)) == "No hemorrhage found."
    said = headline(read_twice(_exam(None), _reading(any=0.9, SDH=0.9)))
    assert said == (
        "The masks show no hemorrhage; a second reading does (hemorrhage and SDH): look at the "
        "slices."
    )


def test_a_scan_that_was_not_read_twice_says_why() -> None:
    exam = read_twice(_exam("IPH"), NotMeasurable("the scan is less than 30 mm high"))
    assert exam.disagreements is None and exam.warnings == _exam("IPH").warnings
    assert "less than 30 mm" in measurement_table(exam)


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        Thresholds(0.8, 0.2)
