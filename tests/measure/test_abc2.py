"""ABC/2 by subtype: lengths within a pixel, Gebel's width for a crescent, none for SAH and IVH."""

import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.lesion import Abc2
from monai_ich.core.measurement import NotMeasurable
from monai_ich.measure.abc2 import measure_abc2

SPACING = (1.0, 1.0, 2.0)
GRID = Geometry((170, 190, 80), np.diag([*SPACING, 1.0]))
X, Y, Z = np.moveaxis(
    np.stack(np.indices(GRID.shape), -1) * SPACING - [85, 95, 80], -1, 0
)  # mm from the middle


def _measured(mask: np.ndarray, subtype: Subtype) -> Abc2:
    found = measure_abc2(mask, GRID, subtype)
    assert isinstance(found, Abc2)
    return found


def test_the_lengths_of_an_ellipsoid_are_its_axes_within_a_pixel() -> None:
    found = _measured((X / 20.4) ** 2 + (Y / 30.4) ** 2 + (Z / 26) ** 2 < 1, Subtype.IPH)
    assert found.a_mm == pytest.approx(60.8, abs=1) and found.b_mm == pytest.approx(40.8, abs=1)
    assert found.c_all_mm == pytest.approx(52, abs=2)
    # areas above 75 % within 13.0 mm of the middle: 13 slices; from 25 to 75 % up to 22.5 mm: 10
    assert found.c_mm == pytest.approx(2 * (13 + 10 / 2), abs=0.01)
    assert found.method == "Kothari 1996"
    assert found.ml == pytest.approx(found.a_mm * found.b_mm * found.c_mm / 2000)
    assert found.unweighted_ml == pytest.approx(found.a_mm * found.b_mm * found.c_all_mm / 2000)


def test_a_crescent_is_as_wide_as_it_is_thick_not_as_it_bulges() -> None:
    inside = (X / 70) ** 2 + (Y / 88) ** 2 + (Z / 75) ** 2 < 1
    brain = ((X - 20) / 70) ** 2 + (Y / 88) ** 2 + (Z / 75) ** 2 < 1
    crescent = inside & ~brain & (X < 0)
    true_ml = crescent.sum() * GRID.voxel_ml
    gebel, kothari = (_measured(crescent, s) for s in (Subtype.SDH, Subtype.EDH))
    assert gebel.method == "Gebel 1998" and gebel.b_mm == pytest.approx(20, abs=1)
    assert gebel.a_mm == kothari.a_mm == pytest.approx(2 * 88 * np.sqrt(1 - 1 / 49), abs=3)
    assert gebel.c_mm == gebel.c_all_mm == pytest.approx(2 * 75 * np.sqrt(1 - 1 / 49), abs=4)
    assert gebel.ml == pytest.approx(true_ml, rel=0.4) and kothari.ml > 1.8 * true_ml, (
        gebel.ml,
        kothari.ml,
        true_ml,
    )


def test_one_voxel_has_the_lengths_of_a_voxel() -> None:
    mask = np.zeros(GRID.shape, bool)
    mask[5, 5, 5] = True
    a, b = _measured(mask, Subtype.SDH), _measured(mask, Subtype.IPH)
    assert (a.a_mm, a.c_mm, b.a_mm, b.b_mm, b.c_mm) == pytest.approx((1, 2, 1, 1, 2))
    assert a.b_mm == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("subtype", [Subtype.SAH, Subtype.IVH])
def test_blood_without_a_shape_of_its_own_has_a_reason(subtype: Subtype) -> None:
    found = measure_abc2(np.ones((3, 3, 3), bool), GRID, subtype)
    assert found == NotMeasurable(f"ABC/2 is not defined for {subtype.name}")
