"""What is no head, or no CT without contrast, never gives a calm number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.plausibility import plausibility_warnings
from monai_ich.measure.summary import measure_exam
from tests.heads import anatomy

AFFINE = np.array([[2.0, 0, 0, -95], [0, 2.0, 0, -120], [0, 0, 5.0, -95], [0, 0, 0, 1]])
GRID = Geometry((96, 120, 38), AFFINE)  # an ellipsoid of 1,620 mL


def _codes(*, brain_hu: float = 33.0, scale: float = 1.0, skull: bool = True, blood_share: float = 0.0) -> list[str]:
    affine = AFFINE.copy()
    affine[:3] *= scale
    geometry = Geometry(GRID.shape, affine)
    parts = LabelMap(anatomy(GRID, shift_mm=0).voxels, geometry, Anatomy)
    inside = parts.voxels > 0
    shell = ndimage.binary_dilation(inside, iterations=3) & ~inside
    hu = np.where(inside, brain_hu, np.where(shell & skull, 1000.0, -1000.0)).astype(np.float32)
    blood = np.zeros(inside.shape, np.uint8)
    blood.ravel()[np.flatnonzero(inside)[: int(blood_share * inside.sum())]] = Subtype.IPH
    labels = LabelMap(blood, geometry, Subtype)
    return [w.code for w in plausibility_warnings(labels, CTVolume(hu, geometry), parts)]


def test_a_head_gives_no_warning() -> None:
    assert _codes() == [] == _codes(blood_share=0.1)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"scale": 0.7}, "IMPLAUSIBLE_CAVITY"),  # 560 mL
        ({"scale": 1.2}, "IMPLAUSIBLE_CAVITY"),  # 2,800 mL
        ({"brain_hu": 65.0}, "BRAIN_DENSITY"),
        ({"brain_hu": 5.0}, "BRAIN_DENSITY"),
        ({"skull": False}, "NO_SKULL"),
        ({"blood_share": 0.4}, "MUCH_BLOOD"),
    ],
)
def test_what_cannot_be_is_told(what: dict[str, float], code: str) -> None:
    assert _codes(**what) == [code]  # type: ignore[arg-type]


def test_a_cavity_in_two_pieces_is_told_and_a_speck_is_none() -> None:
    parts = anatomy(GRID, shift_mm=0)
    two = parts.voxels.copy()
    two[:, 60:62] = 0
    nothing = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Subtype)
    assert [w.code for w in plausibility_warnings(nothing, None, LabelMap(two, GRID, Anatomy))] == ["CAVITY_IN_PIECES"]
    speck = parts.voxels.copy()
    speck[1, 1, 1] = Anatomy.LEFT_HEMISPHERE
    assert plausibility_warnings(nothing, None, LabelMap(speck, GRID, Anatomy)) == ()


def test_a_skull_opened_by_surgery_is_still_a_skull() -> None:
    parts = anatomy(GRID, shift_mm=0)
    inside = parts.voxels > 0
    shell = ndimage.binary_dilation(inside, iterations=3) & ~inside
    shell[60:] = False  # a third of the vault is gone
    hu = np.where(inside, 33.0, np.where(shell, 1000.0, -1000.0)).astype(np.float32)
    labels = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Subtype)
    assert plausibility_warnings(labels, CTVolume(hu, GRID), parts) == ()


def test_an_exam_holds_these_warnings() -> None:
    labels = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Subtype)
    small = Geometry(GRID.shape, AFFINE * 0.5 + np.diag([0, 0, 0, 0.5]))
    exam = measure_exam(
        LabelMap(labels.voxels, small, Subtype), anatomy=LabelMap(anatomy(GRID, shift_mm=0).voxels, small, Anatomy)
    )
    assert "IMPLAUSIBLE_CAVITY" in [w.code for w in exam.warnings]
