"""Whether what was measured can be a head at all: a calm number from a chest or from noise harms more than none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.core.geometry import Box
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import Warn
from monai_ich.core.volume import CTVolume, LabelMap, box_around

CAVITY_ML = (700.0, 2300.0)
BRAIN_HU = (18.0, 50.0)
MOST_BLOOD = 0.35  # of the cavity
_BONE_HU = 200.0
_LEAST_BONE = 0.3  # of the rim around the cavity
_RIM_MM = 12.0
_STEP_MM = 2.5  # how far apart voxels are that are looked at
_MAIN_PIECE = 0.95
_AROUND_MM = 20.0


def plausibility_warnings(labels: LabelMap, ct: CTVolume | None, anatomy: LabelMap | None) -> tuple[Warn, ...]:
    """What cannot be a head CT without contrast, measured on the cavity: its size, pieces, density, bone and blood.

    Args:
        labels: map of `Subtype`.
        ct: the scan; None: density and bone are not looked at.
        anatomy: map of `Anatomy`; None or empty: nothing is looked at.

    References:
        Ricard 2010, doi:10.1007/s00276-010-0661-0 (intracranial volume of adults); children of some months have 700 mL
        New 1976 (brain 25 to 40 HU), as `monai_ich.segment.cleanup`
    """
    if anatomy is None or not anatomy.voxels.any():
        return ()
    return tuple(_warnings(labels, ct, anatomy))


def _warnings(labels: LabelMap, ct: CTVolume | None, anatomy: LabelMap) -> Iterator[Warn]:
    cavity_ml = anatomy.mask().volume_ml
    if not CAVITY_ML[0] <= cavity_ml <= CAVITY_ML[1]:
        yield Warn(
            "IMPLAUSIBLE_CAVITY",
            f"The intracranial cavity found measures {cavity_ml:.0f} mL, heads have {CAVITY_ML[0]:.0f} to "
            f"{CAVITY_ML[1]:.0f} mL: this may be no head, or part of one; look at the masks before any number.",
        )
    share = labels.mask(*Subtype).volume_ml / cavity_ml
    if share > MOST_BLOOD:
        yield Warn("MUCH_BLOOD", f"{100 * share:.0f} % of the cavity is labeled blood: look at the masks.")
    few, pixel_mm = _few(anatomy)
    inside = anatomy.voxels[few] > 0
    pieces, count = ndimage.label(inside, np.ones((3, 3, 3)))
    if count > 1 and np.bincount(pieces[inside])[1:].max() < _MAIN_PIECE * inside.sum():
        yield Warn("CAVITY_IN_PIECES", "The intracranial cavity found is not one piece: look at the masks.")
    if ct is None:
        return
    hu = ct.hu[few]
    brain = hu[inside & (labels.voxels[few] == 0)]
    level = float(np.median(brain)) if brain.size else BRAIN_HU[0]
    if not BRAIN_HU[0] <= level <= BRAIN_HU[1]:
        yield Warn(
            "BRAIN_DENSITY",
            f"The brain's median density is {level:.0f} HU, without contrast it is {BRAIN_HU[0]:.0f} to "
            f"{BRAIN_HU[1]:.0f} HU: with contrast, at another energy or on another scale blood cannot be told.",
        )
    bone = _bone_share(hu, inside, pixel_mm)
    if bone < _LEAST_BONE:
        text = "the skull was removed from the images, or this is no head."
        yield Warn("NO_SKULL", f"Bone surrounds {100 * bone:.0f} % of the cavity: {text}")


def _few(anatomy: LabelMap) -> tuple[Box, float]:
    """Every so many-th voxel of the cavity's surroundings, some `_STEP_MM` apart; and how far apart rows are, mm."""
    box = box_around(anatomy.voxels > 0)
    assert box is not None
    spacing = anatomy.geometry.spacing_mm
    steps = [max(1, round(_STEP_MM / mm)) for mm in spacing]
    i, j, k = (
        slice(max(0, side.start - round(_AROUND_MM / mm)), side.stop + round(_AROUND_MM / mm), step)
        for side, mm, step in zip(box, spacing, steps, strict=True)
    )
    return (i, j, k), steps[0] * spacing[0]


def _bone_share(hu: NDArray[np.float32], inside: NDArray[np.bool_], pixel_mm: float) -> float:
    """Share of the cavity's border that has bone near it in its slice plane."""
    border = inside & ~ndimage.binary_erosion(inside, border_value=1)
    reach = max(1, round(_RIM_MM / pixel_mm))
    disk = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach + 0.5
    near = ndimage.binary_dilation(hu > _BONE_HU, disk[:, :, None])
    return float(near[border].mean()) if border.any() else 0.0
