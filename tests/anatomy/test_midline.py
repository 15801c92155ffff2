import numpy as np
import pytest

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.midline import Midline
from monai_ich.core.volume import LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from tests.heads import anatomy
from tests.phantom import grid

THIN = grid(pixels=128, pixel_mm=1.6, slice_mm=1.6, count=100)
THICK = grid(pixels=192, pixel_mm=1.0, slice_mm=5.0, count=34)


@pytest.mark.parametrize("shift_mm", [0, 3, -8, 15])
@pytest.mark.parametrize("turned", [(0, 0, 0), (12, -15, 18)])
@pytest.mark.parametrize("geometry", [THIN, THICK, grid(pixels=192, pixel_mm=1.0, count=36, tilt_deg=20)])
def test_shift_is_right_within_a_millimeter(shift_mm: float, turned: tuple[float, ...], geometry: Geometry) -> None:
    found = measure_midline_shift(fit_midline(anatomy(geometry, shift_mm=shift_mm, turned=turned)))  # type: ignore[arg-type]
    assert found.measurement.value == pytest.approx(abs(shift_mm), abs=1.0)
    assert found.toward == (None if shift_mm == 0 else "right" if shift_mm > 0 else "left")


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


def test_without_a_hemisphere_there_is_a_reason() -> None:
    labels = anatomy(THICK, shift_mm=0)
    only = LabelMap(np.where(labels.voxels == 1, 1, 0).astype(np.uint8), THICK, Anatomy)
    found = measure_midline_shift(fit_midline(only))
    assert found.measurement.value is None and found.measurement.reason == "a hemisphere was not found"
