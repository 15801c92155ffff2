"""What is no head, or no CT without contrast, never gives a calm number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from monai_ich.core.errors import InputError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.plausibility import plausibility_warnings, require_head
from monai_ich.measure.summary import measure_exam
from tests.heads import anatomy

AFFINE = np.array([[2.0, 0, 0, -95], [0, 2.0, 0, -120], [0, 0, 5.0, -95], [0, 0, 0, 1]])
GRID = Geometry((96, 120, 38), AFFINE)  # an ellipsoid of 1,620 mL


def _codes(
    *, brain_hu: float = 33.0, scale: float = 1.0, skull: bool = True, blood_share: float = 0.0
) -> list[str]:
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
    assert [w.code for w in plausibility_warnings(nothing, None, LabelMap(two, GRID, Anatomy))] == [
        "CAVITY_IN_PIECES"
    ]
    speck = parts.voxels.copy()
    speck[1, 1, 1] = Anatomy.LEFT_HEMISPHERE
    assert plausibility_warnings(nothing, None, LabelMap(speck, GRID, Anatomy)) == ()


def test_a_skull_opened_by_surgery_is_still_a_skull() -> None:
    parts = anatomy(GRID, shift_mm=0)
    inside = parts.voxels > 0
    shell = ndimage.binary_dilation(inside, iterations=3) & ~inside
    scalp = ndimage.binary_dilation(shell | inside, iterations=3) & ~inside
    shell[60:] = False  # a third of the vault is gone, under the scalp
    hu = np.where(inside, 33.0, np.where(shell, 1000.0, np.where(scalp, 40.0, -1000.0))).astype(
        np.float32
    )
    hu += np.random.default_rng(0).normal(0, 3, hu.shape).astype(np.float32)
    labels = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Subtype)
    assert plausibility_warnings(labels, CTVolume(hu, GRID), parts) == ()


def _head() -> tuple[LabelMap, np.ndarray]:
    """The cavity, skull of 6 mm, scalp of 6 mm, noise; voxels at the inner table are half bone."""
    parts = anatomy(GRID, shift_mm=0)
    inside = parts.voxels > 0
    skull = ndimage.binary_dilation(inside, iterations=3) & ~inside
    scalp = ndimage.binary_dilation(inside, iterations=6) & ~inside & ~skull
    hu = np.select([inside, skull, scalp], [33.0, 1000.0, 40.0], -1000.0)
    hu[inside & ~ndimage.binary_erosion(inside)] = 400.0
    return parts, (hu + np.random.default_rng(0).normal(0, 5, hu.shape)).astype(np.float32)


def _told(hu: np.ndarray, parts: LabelMap) -> list[str]:
    labels = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Subtype)
    return [w.code for w in plausibility_warnings(labels, CTVolume(hu, GRID), parts)]


@pytest.mark.parametrize("fill_hu", [-1024.0, -1000.0, 0.0])
@pytest.mark.parametrize("kept", [0, 1])
def test_a_stripped_head_is_told_though_mixed_voxels_of_bone_remain(
    fill_hu: float, kept: int
) -> None:
    parts, hu = _head()
    assert _told(hu, parts) == []
    brain = ndimage.binary_dilation(parts.voxels > 0, iterations=kept) if kept else parts.voxels > 0
    told = _told(np.where(brain, hu, np.float32(fill_hu)), parts)
    assert told == ["SKULL_INCOMPLETE" if kept else "NO_SKULL"]


@pytest.mark.parametrize("fill_hu", [-1024.0, 0.0])
@pytest.mark.parametrize("from_mm", [60.0, 75.0])
def test_a_defaced_head_is_told_where_bone_is_missing(fill_hu: float, from_mm: float) -> None:
    parts, hu = _head()
    front_mm = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))[..., 1]
    assert _told(np.where(front_mm < from_mm, hu, np.float32(fill_hu)), parts) == [
        "SKULL_INCOMPLETE"
    ]
    whole = np.where(front_mm < 100.0, hu, np.float32(fill_hu))  # the scalp alone is gone
    assert _told(whole, parts) == []


def test_a_cavity_without_skull_or_brain_is_no_head_but_a_stripped_or_windowed_head_is() -> None:
    parts, hu = _head()
    brain = parts.voxels > 0
    require_head(CTVolume(hu, GRID), parts)
    elsewhere = np.where(brain, hu, -80.0).astype(np.float32)  # fat all around
    elsewhere[brain] += 25.0
    require_head(CTVolume(np.clip(elsewhere, -1024, 100), GRID), parts)  # a window hides bone
    elsewhere[5] = 900.0
    with pytest.raises(InputError, match="NO_HEAD"):
        require_head(CTVolume(elsewhere, GRID), parts)
    elsewhere[brain] -= 25.0
    require_head(CTVolume(elsewhere, GRID), parts)  # one sign is a warning


def test_water_without_bone_is_no_head_where_air_says_that_it_is_in_hu() -> None:
    parts, hu = _head()
    brain = parts.voxels > 0
    require_head(CTVolume(np.where(brain, hu, np.float32(-1000.0)).clip(-1000, 60), GRID), parts)
    water = np.where(brain, hu - 33.0, -1000.0).clip(-1000, 60).astype(np.float32)
    with pytest.raises(InputError, match="NO_HEAD"):
        require_head(CTVolume(water, GRID), parts)
    require_head(CTVolume(water.clip(-80, 60), GRID), parts)  # a window may be anywhere


@pytest.mark.parametrize("scale", [0.3, 1.5])
def test_a_cavity_of_a_size_that_no_head_has_is_refused(scale: float) -> None:
    parts, hu = _head()
    grid = Geometry(GRID.shape, np.diag([scale, scale, scale, 1.0]) @ AFFINE)
    with pytest.raises(InputError, match="NO_HEAD"):
        require_head(CTVolume(hu, grid), LabelMap(parts.voxels, grid, Anatomy))


def test_an_exam_holds_these_warnings() -> None:
    labels = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Subtype)
    small = Geometry(GRID.shape, AFFINE * 0.5 + np.diag([0, 0, 0, 0.5]))
    exam = measure_exam(
        LabelMap(labels.voxels, small, Subtype),
        anatomy=LabelMap(anatomy(GRID, shift_mm=0).voxels, small, Anatomy),
    )
    assert "IMPLAUSIBLE_CAVITY" in [w.code for w in exam.warnings]
