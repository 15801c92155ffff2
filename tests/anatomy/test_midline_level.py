"""A scan must show the level of the septum pellucidum: elsewhere the midline is shifted less."""

import numpy as np
import pytest

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.labels import Anatomy
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from tests.heads import anatomy
from tests.phantom import grid

GRID = grid(pixels=128, pixel_mm=1.6, slice_mm=1.6, count=100)  # ventricles on slices 41 to 58


def _shift_on(first: int, last: int) -> Measurement:
    whole = anatomy(GRID, shift_mm=7)
    part = LabelMap(
        whole.voxels[:, :, first:last],
        GRID.crop((slice(None), slice(None), slice(first, last))),
        Anatomy,
    )
    return measure_midline_shift(fit_midline(part)).largest.measurement


@pytest.mark.parametrize(("first", "last"), [(0, 30), (0, 45), (50, 100), (62, 100)])
def test_a_scan_that_misses_the_level_has_a_reason_not_a_smaller_shift(
    first: int, last: int
) -> None:
    found = _shift_on(first, last)
    assert (
        found.value is None
        and found.reason == "the image's edge cuts through the level of the septum pellucidum"
    )


def test_a_scan_that_only_misses_the_skull_base_is_measured() -> None:
    assert _shift_on(32, 100).value == pytest.approx(7, abs=0.5)


def test_without_ventricles_the_level_is_the_middle_of_a_whole_head() -> None:
    slit = np.array([0, 1, 2, 1, 2, 5], np.uint8)[anatomy(GRID, shift_mm=7).voxels]
    found = measure_midline_shift(fit_midline(LabelMap(slit, GRID, Anatomy))).largest
    assert found.measurement.value == pytest.approx(7, abs=1)
