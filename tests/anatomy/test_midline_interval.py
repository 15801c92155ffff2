"""The interval of a midline shift: around the value, wider where the interface is rougher, empty of
promises else.
"""

import numpy as np
import pytest

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.labels import Anatomy
from monai_ich.core.midline import Midline
from monai_ich.measure.midline_shift import measure_midline_shift
from tests.heads import anatomy
from tests.phantom import grid

GRID = grid(pixels=128, pixel_mm=1.6, slice_mm=2.5, count=64)


@pytest.mark.parametrize("shift_mm", [0.0, 4.0, -9.0])
def test_the_interval_holds_value_and_truth_and_is_never_negative(shift_mm: float) -> None:
    found = measure_midline_shift(
        fit_midline(anatomy(GRID, shift_mm=shift_mm, turned=(5, 8, -10)))
    ).largest.measurement
    low, high = found.interval
    assert 0 <= low <= found.value <= high and low <= abs(shift_mm) <= high and high - low < 2.0


def _rough(spread_mm: float) -> tuple[float, float]:
    labels = anatomy(GRID, shift_mm=6)
    rng = np.random.default_rng(3)
    moved = (
        np.rint(rng.normal(0, spread_mm / 1.6, (16, 16))).astype(int).repeat(8, 0).repeat(4, 1)
    )  # blocks of 8 x 4
    voxels = labels.voxels.copy()
    for j in range(128):
        for k in range(64):
            voxels[:, j, k] = np.roll(labels.voxels[:, j, k], moved[j, k])
    labels.voxels[:] = np.where((labels.voxels > 0) & (voxels > 0), voxels, labels.voxels)
    low, high = measure_midline_shift(fit_midline(labels)).measurement.interval
    return low, high


def test_a_rougher_interface_gives_a_wider_interval() -> None:
    widths = [high - low for low, high in (_rough(0.0), _rough(2.5))]
    assert widths[1] > 1.2 * widths[0]


def test_the_place_of_the_plane_is_less_sure_far_from_its_center() -> None:
    midline = fit_midline(anatomy(GRID, shift_mm=0, turned=(3, 5, -7)))
    assert isinstance(midline, Midline)
    there = midline.point_mm + 100 * midline.front_and_top[0]
    assert 0 < midline.sd_mm(midline.point_mm) < midline.sd_mm(there) < 1.0


def test_a_known_plane_has_no_spread() -> None:
    none = np.zeros((0, 3))
    assert Midline(np.zeros(3), np.array([1.0, 0, 0]), none, none[:, 0]).sd_mm(np.ones(3)) == 0.0


def test_one_slice_has_a_reason() -> None:
    whole = anatomy(GRID, shift_mm=5)
    box = (slice(None), slice(None), slice(32, 33))
    one = type(whole)(whole.voxels[box], GRID.crop(box), Anatomy)
    found = measure_midline_shift(fit_midline(one)).measurement
    assert found.value is None and found.reason
