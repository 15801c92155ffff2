"""The shift at the foramina of Monro is not the largest shift: three midlines that are displaced
most elsewhere, on the ventricles of the MNI atlas.
"""

import numpy as np
import pytest
import torch

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.calibration import SHIFT, SHIFT_MAX, ShiftCalibrator
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.midline import Midline
from monai_ich.core.volume import LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.synth.atlas import load_atlas, sample
from monai_ich.synth.head import MONRO_MM
from tests.heads import rotation
from tests.phantom import grid

# largest shift, its place (y, z) in MNI mm, and the shift at the foramina of Monro, (-2, 5)
PARASAGITTAL = 5.6, (-5.0, 30.0), 1.8
POSTERIOR = 7.2, (-28.0, 10.0), 2.2
ANTERIOR = 6.9, (22.0, 8.0), 2.0
CUBIC = grid(pixels=88, pixel_mm=2.4, slice_mm=2.4, count=72)
TILTED = grid(pixels=132, pixel_mm=1.6, slice_mm=5.0, count=40, tilt_deg=18)


def _head(
    geometry: Geometry,
    peak: tuple[float, tuple[float, float], float],
    *,
    turned: tuple[float, float, float] = (0, 0, 0),
) -> LabelMap:
    """The atlas with its midline displaced by a bell that is held near the skull; the middle of the
    grid is (0, -18, 10) of the atlas.
    """
    mm, (y0, z0), at_monro = peak
    apart = (MONRO_MM[1] - y0) ** 2 + (MONRO_MM[2] - z0) ** 2
    width = apart / (2 * np.log(mm / at_monro))  # so that the bell has its two values
    ijk = np.moveaxis(np.indices(geometry.shape), 0, -1)
    ras = geometry.to_world(ijk) @ rotation(*turned) + [0, -18, 10]
    x, y, z = (torch.from_numpy(v).float() for v in np.moveaxis(ras, -1, 0))
    hull = sample(load_atlas().hull, x, y, z)[0]
    held = ((-hull - 10.0) / 10.0).clamp(0, 1)
    brain_x = x - mm * held * torch.exp(-((y - y0) ** 2 + (z - z0) ** 2) / (2 * width))
    side = (brain_x > 0).int()
    ventricle = sample(load_atlas().tissue, brain_x, y, z)[2] < 0
    parts = (hull < 0) * (1 + side + 2 * ventricle)
    return LabelMap(parts.numpy().astype(np.uint8), geometry, Anatomy)


@pytest.mark.slow
@pytest.mark.parametrize("geometry", [CUBIC, TILTED], ids=["2 mm cubes", "5 mm, tilted"])
@pytest.mark.parametrize(
    "peak", [PARASAGITTAL, POSTERIOR, ANTERIOR], ids=["parasagittal", "posterior", "anterior"]
)
def test_the_shift_at_the_foramina_is_right_within_half_a_millimeter(
    geometry: Geometry, peak: tuple[float, tuple[float, float], float]
) -> None:
    mm, (y, z), at_monro = peak
    found = measure_midline_shift(fit_midline(_head(geometry, peak)))
    assert found.measurement.value == pytest.approx(at_monro, abs=0.5)
    # a smooth surface cuts a narrow peak at the end of what is looked at
    assert at_monro + 2.5 < found.largest.measurement.value < mm + 0.5
    assert found.toward == found.largest.toward == "right"
    assert found.at_ras_mm == pytest.approx((at_monro, 16, -5), abs=4)
    assert found.largest.at_ras_mm == pytest.approx((mm, y + 18, z - 10), abs=11)
    assert max(value for _, value in found.profile_mm) == found.largest.measurement.value
    low, high = found.measurement.interval
    assert low <= at_monro <= high


@pytest.mark.slow
def test_a_nodding_head_has_its_foramina_in_the_same_place() -> None:
    turn = rotation(20, 5, -10)
    midline = fit_midline(_head(CUBIC, ANTERIOR, turned=(20, 5, -10)))
    assert isinstance(midline, Midline) and midline.monro_mm is not None
    assert midline.monro_mm @ turn == pytest.approx((0, 16, -5), abs=3)


def test_without_ventricles_the_place_is_less_sure_and_the_interval_wider() -> None:
    whole = _head(CUBIC, POSTERIOR)
    slit = LabelMap(np.array([0, 1, 2, 1, 2, 5], np.uint8)[whole.voxels], CUBIC, Anatomy)
    a, b = (measure_midline_shift(fit_midline(x)).measurement for x in (whole, slit))
    assert b.interval[1] - b.interval[0] > 1.3 * (a.interval[1] - a.interval[0])
    assert b.interval[0] <= 2.2 <= b.interval[1]


def test_where_the_midline_at_the_foramina_is_not_in_view_the_largest_still_is() -> None:
    seen = fit_midline(_head(CUBIC, POSTERIOR))
    assert isinstance(seen, Midline)
    keep = seen.displaced_mm[:, 1] < 6
    part = Midline(
        seen.point_mm,
        seen.normal,
        seen.displaced_mm[keep],
        seen.slices[keep],
        monro_mm=seen.monro_mm,
    )
    found = measure_midline_shift(part)
    assert found.measurement.value is None
    assert (
        found.measurement.reason == "too little of the midline at the foramina of Monro is in view"
    )
    assert found.largest.measurement.value == pytest.approx(7.2, abs=0.6)


def test_a_calibration_is_used_for_the_shift_that_it_was_made_for() -> None:
    midline = fit_midline(_head(CUBIC, ANTERIOR))
    for of in (SHIFT, SHIFT_MAX):
        found = measure_midline_shift(midline, ShiftCalibrator("", (-1.0, 9.0), 60, of))
        for m in (found.measurement, found.largest.measurement):
            expected = pytest.approx((m.value - 1, m.value + 9)) if m.name == of else None
            assert m.interval == expected, "the errors of one shift say nothing about the other"
