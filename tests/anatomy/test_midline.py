import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.volume import LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from tests.heads import anatomy
from tests.phantom import grid

THIN = grid(pixels=128, pixel_mm=1.6, slice_mm=1.6, count=100)
THICK = grid(pixels=384, pixel_mm=0.5, slice_mm=5.0, count=36)
TILTED = grid(pixels=384, pixel_mm=0.5, slice_mm=5.0, count=38, tilt_deg=25)
COARSE = grid(pixels=96, pixel_mm=2.0, slice_mm=2.5, count=64)
CUBIC = grid(pixels=180, pixel_mm=1.0, slice_mm=1.0, count=160)


@pytest.mark.slow
@pytest.mark.parametrize("shift_mm", [0, 3, -8, 15])
@pytest.mark.parametrize("turned", [(0, 0, 0), (20, 20, -20)], ids=str)
@pytest.mark.parametrize(
    "geometry", [THICK, TILTED, CUBIC], ids=["5 mm slices", "tilted 25 deg", "1 mm cubes"]
)
def test_shift_is_right_within_half_a_millimeter(
    shift_mm: float, turned: tuple[float, float, float], geometry: Geometry
) -> None:
    found = measure_midline_shift(
        fit_midline(anatomy(geometry, shift_mm=shift_mm, turned=turned))
    ).largest
    assert found.measurement.value == pytest.approx(abs(shift_mm), abs=0.5)
    assert found.toward == (None if shift_mm == 0 else "right" if shift_mm > 0 else "left")


@pytest.mark.slow
def test_the_point_lies_where_the_bump_is_and_on_its_slice() -> None:
    found = measure_midline_shift(fit_midline(anatomy(TILTED, shift_mm=10))).largest
    assert found.at_ras_mm is not None
    assert (
        np.abs(np.array(found.at_ras_mm) - [10, 0, 0]).max() < 8
    )  # the bell is flat on top: 9.5 mm at 11 mm off
    assert found.slice_index == round(float(TILTED.to_voxel(found.at_ras_mm)[2]))


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
def test_shift_does_not_depend_on_the_order_of_axes(
    order: list[int], flips: tuple[bool, ...]
) -> None:
    labels = anatomy(COARSE, shift_mm=7, turned=(5, 10, -5))
    voxels, affine = labels.voxels.transpose(order), COARSE.affine[:, [*order, 3]].copy()
    for axis in np.flatnonzero(flips):
        voxels = np.flip(voxels, axis)
        affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
        affine[:3, axis] *= -1
    turned = LabelMap(np.ascontiguousarray(voxels), Geometry(voxels.shape, affine), Anatomy)
    a, b = (measure_midline_shift(fit_midline(x)) for x in (labels, turned))
    assert (
        a.measurement.value == pytest.approx(b.measurement.value, abs=1e-6)
        and a.toward == b.toward == "right"
    )


def test_the_ideal_plane_stays_where_the_falx_is_fixed() -> None:
    midline = fit_midline(anatomy(THIN, shift_mm=15))
    assert isinstance(midline, Midline)
    assert np.allclose(midline.normal, [1, 0, 0], atol=0.02) and abs(midline.point_mm[0]) < 0.5


def test_mirroring_the_head_mirrors_the_side_and_nothing_else() -> None:
    labels = anatomy(THIN, shift_mm=7)
    swap = np.array([0, 2, 1, 4, 3, 5], np.uint8)
    mirrored = LabelMap(swap[np.flip(labels.voxels, 0)].copy(), THIN, Anatomy)
    a, b = (measure_midline_shift(fit_midline(x)) for x in (labels, mirrored))
    assert a.measurement.value == pytest.approx(b.measurement.value, abs=0.1)
    assert (a.toward, b.toward) == ("right", "left")


def test_speckle_does_not_count() -> None:
    labels = anatomy(THIN, shift_mm=0)
    rng = np.random.default_rng(0)
    spots = tuple(rng.integers(20, 100, (3, 300)))
    labels.voxels[spots] = np.where(labels.voxels[spots] > 0, rng.integers(1, 3, 300), 0)
    assert measure_midline_shift(fit_midline(labels)).measurement.value == pytest.approx(0, abs=1.0)


@pytest.mark.slow
def test_without_a_hemisphere_there_is_a_reason() -> None:
    labels = anatomy(THICK, shift_mm=0)
    only = LabelMap(np.where(labels.voxels == 1, 1, 0).astype(np.uint8), THICK, Anatomy)
    found = measure_midline_shift(fit_midline(only))
    assert (
        found.measurement.value is None and found.measurement.reason == "a hemisphere was not found"
    )


@pytest.mark.slow
def test_a_hole_in_the_skull_does_not_move_the_plane() -> None:
    labels = anatomy(CUBIC, shift_mm=5)
    x, y, z = np.moveaxis(CUBIC.to_world(np.moveaxis(np.indices(CUBIC.shape), 0, -1)), -1, 0)
    bulge = ((x - 45) / 40) ** 2 + ((y - 30) / 45) ** 2 + (
        (z - 20) / 45
    ) ** 2 < 1  # brain through a right craniectomy
    voxels = np.where(
        bulge & (labels.voxels == 0) & (x > 0), Anatomy.RIGHT_HEMISPHERE, labels.voxels
    )
    found = measure_midline_shift(
        fit_midline(LabelMap(voxels.astype(np.uint8), CUBIC, Anatomy))
    ).largest
    assert found.measurement.value == pytest.approx(5, abs=0.5) and found.toward == "right"


def test_a_scan_that_ends_below_the_septum_has_a_reason() -> None:
    whole = anatomy(THICK, shift_mm=5)
    low = LabelMap(whole.voxels[:, :, :7], Geometry((384, 384, 7), THICK.affine), Anatomy)
    found = measure_midline_shift(fit_midline(low))
    assert found.measurement.value is None and found.measurement.reason


def test_labels_on_the_wrong_sides_have_a_reason() -> None:
    labels = anatomy(THICK, shift_mm=0)
    swapped = LabelMap(np.array([0, 2, 1, 4, 3, 5], np.uint8)[labels.voxels], THICK, Anatomy)
    assert fit_midline(swapped) == NotMeasurable(
        "the left and right labels do not lie to the patient's left and right"
    )
