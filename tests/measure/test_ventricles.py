"""Evans' index of the ellipsoid head, whose widths are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.atlas import AtlasPose
from monai_ich.core.labels import Anatomy
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.volume import LabelMap, slices_last
from monai_ich.measure.ventricles import measure_ventricles
from tests.heads import anatomy
from tests.phantom import grid
from tests.strategies import reoriented

GRID = grid(pixels=200, pixel_mm=1.0, slice_mm=2.5, count=64)
# ventricles: |x| < 8 + 6 sqrt(1 - (y/30)^2 - (z/14)^2); in front of y = 12 and at z = 0 at most
# 13.5 each, skull 2 x 65
EVANS = 2 * (8 + 6 * np.sqrt(1 - (12 / 30) ** 2)) / 130


@pytest.mark.slow
@pytest.mark.parametrize("turned", [(0, 0, 0), (0, 0, 20), (10, 15, -10)], ids=str)
def test_evans_index_is_the_ratio_of_the_widths(turned: tuple[float, float, float]) -> None:
    labels = anatomy(GRID, shift_mm=0, turned=turned)
    found = measure_ventricles(labels, fit_midline(labels))
    assert found.evans_index.value == pytest.approx(EVANS, abs=0.015)
    assert found.left_right_ratio.value == pytest.approx(1.0, abs=0.02)
    assert found.evans_slice == pytest.approx(31.5, abs=3)


@pytest.mark.slow
def test_volume_and_ratio_are_counted() -> None:
    labels = anatomy(GRID, shift_mm=0)
    half = np.zeros_like(labels.voxels)
    half[:4, :5, :10], half[4:6, :5, :10] = Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE
    found = measure_ventricles(LabelMap(half, GRID, Anatomy), NotMeasurable("no plane"))
    assert (
        found.volume.value == pytest.approx(300 * 2.5 / 1000)
        and found.left_right_ratio.value == 2.0
    )
    assert found.evans_index.value is None and found.evans_index.reason == "no plane"


@pytest.mark.slow
def test_what_cannot_be_measured_has_a_reason() -> None:
    labels = anatomy(GRID, shift_mm=0)
    midline = fit_midline(labels)

    def reason(voxels: np.ndarray, grid=GRID) -> str | None:
        found = measure_ventricles(LabelMap(voxels.astype(np.uint8), grid, Anatomy), midline)
        assert found.evans_index.value is None and found.evans_slice is None
        return found.evans_index.reason

    assert (
        reason(np.where(labels.voxels >= 3, 1, labels.voxels))
        == "the ventricles are too small to be measured"
    )
    one = np.where(labels.voxels == 4, 2, labels.voxels)
    assert reason(one) == "the frontal horns were not found on both sides"
    cut = (slice(40, 160), slice(0, 200), slice(0, 64))
    assert reason(labels.voxels[cut], GRID.crop(cut)) == "the skull is cut by the field of view"
    assert (
        measure_ventricles(None, NotMeasurable("x")).volume.reason == "no anatomy labels were given"
    )


def test_coronal_slices_have_no_evans_index() -> None:
    coronal = reoriented(
        anatomy(grid(pixels=64, pixel_mm=2.5, slice_mm=2.5, count=64), shift_mm=0),
        (0, 2, 1),
        (0, 0, 0),
    )
    found = measure_ventricles(coronal, fit_midline(coronal))
    assert found.evans_index.reason == "the slices are not axial" and found.volume.value > 0


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
def test_the_order_of_axes_does_not_matter(order: list[int], flips: tuple[bool, ...]) -> None:
    labels = reoriented(anatomy(GRID, shift_mm=0), order, flips)
    found = measure_ventricles(slices_last(labels), fit_midline(labels))
    assert found.evans_index.value == pytest.approx(EVANS, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("width_mm", [3.2, 4.7, 6.0, 8.6])
def test_the_third_ventricle_is_as_wide_as_its_walls_are_apart(width_mm: float) -> None:
    """Turned by 8 degrees, so that walls cut pixels of 1 mm; a gap beside it is no width."""
    turn = np.deg2rad(8.0)
    normal = np.array([np.cos(turn), np.sin(turn), 0.0])
    world = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
    across, ahead = world @ normal, world @ np.array([-np.sin(turn), np.cos(turn), 0.0]) + 12
    third = (np.abs(across) < width_mm / 2) & (np.abs(ahead) < 10) & (np.abs(world[..., 2]) < 6)
    corner = (np.abs(across - 13) < 1.5) & (np.abs(ahead) < 2) & (np.abs(world[..., 2]) < 6)
    labels = np.where(third | corner, np.where(across > 0, 4, 3), 0).astype(np.uint8)
    midline = Midline(np.zeros(3), normal, np.empty((0, 3)), np.empty(0))
    found = measure_ventricles(LabelMap(labels, GRID, Anatomy), midline, AtlasPose(np.eye(4)))
    assert found.third_width.value == pytest.approx(width_mm, abs=0.25)


def test_the_third_ventricle_is_measured_across_even_where_it_is_bent() -> None:
    """6 mm wide, 5 mm off at its end; a lateral ventricle of 20 mm above is none of it."""
    labels = np.zeros(GRID.shape, np.uint8)
    x, y, z = np.moveaxis(GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1)), -1, 0)
    third = (np.abs(x - np.clip(y + 12, 0, 5)) < 3) & (np.abs(y + 12) < 10) & (np.abs(z + 2) < 6)
    wide = (np.abs(x) < 10) & (np.abs(y + 12) < 10) & (np.abs(z - 12) < 4)
    labels[third | wide] = Anatomy.LEFT_VENTRICLE
    labels[(third | wide) & (x > 0)] = Anatomy.RIGHT_VENTRICLE
    anatomy_labels = LabelMap(labels, GRID, Anatomy)
    midline = Midline(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.empty((0, 3)), np.empty(0))
    pose = AtlasPose(np.eye(4))
    found = measure_ventricles(anatomy_labels, midline, pose)
    assert found.third_width.value == pytest.approx(6.0, abs=0.01)
    assert found.temporal_horns.value is None and found.temporal_horns.reason
    labels[third] = Anatomy.LEFT_HEMISPHERE
    closed = measure_ventricles(LabelMap(labels, GRID, Anatomy), midline, pose)
    assert closed.third_width.reason == "the third ventricle was not found"
    lost = measure_ventricles(anatomy_labels, midline, NotMeasurable("no pose"))
    assert lost.third_width.reason == "no pose"
