"""Whether what was measured can be a head at all: a calm number from a chest or from noise harms
more than none.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.core.errors import InputError
from monai_ich.core.geometry import Box
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import Notice
from monai_ich.core.volume import CTVolume, LabelMap, box_around

CAVITY_ML = (700.0, 2300.0)
POSSIBLE_ML = (100.0, 3500.0)
BRAIN_HU = (18.0, 50.0)
MOST_BLOOD = 0.35  # of the cavity
_BONE_HU = 200.0
_LEAST_BONE = 0.3  # of the border of the cavity
_MOST_OPEN = 0.035  # of it: scalp over a wide craniectomy is thin enough to leave half of that
_WIDE_OPEN = 0.25
_SMALL_ML = 600.0
_SOME_BONE = 0.001  # of all voxels
_RIM_MM = 12.0
_BARE_MM = 4.0
_AIR_HU = -500.0
_STEP_MM = 2.5  # how far apart voxels are that are looked at
_MAIN_PIECE = 0.95
_AROUND_MM = 20.0


def plausibility_warnings(
    labels: LabelMap, ct: CTVolume | None, anatomy: LabelMap | None
) -> tuple[Notice, ...]:
    """What cannot be a head CT without contrast, measured on the cavity: its size, pieces, density,
    bone and blood.

    Args:
        labels: map of `Subtype`.
        ct: the scan; None: density and bone are not looked at.
        anatomy: map of `Anatomy`; None or empty: nothing is looked at.

    References:
        Ricard 2010, doi:10.1007/s00276-010-0661-0 (intracranial volume of adults); children of some
        months have 700 mL New 1976 (brain 25 to 40 HU), as `monai_ich.segment.cleanup`
    """
    if anatomy is None or not anatomy.voxels.any():
        return ()
    return tuple(_warnings(labels, ct, anatomy))


def require_head(ct: CTVolume, anatomy: LabelMap) -> None:
    """Refuse what the anatomy network found in a scan that shows no head.

    No cavity at all, one of a size that no head has, and one that no skull encloses or that is as
    small as no head's, where its size or density is not a brain's either. A single sign is a
    warning: heads are stripped, defaced, cut and scanned at other energies. Without bone anywhere
    size can refuse, and in HU (there is air) density.

    Args:
        ct: the scan.
        anatomy: map of `Anatomy`.

    Raises:
        InputError: ``NO_HEAD``.
    """
    cavity_ml = anatomy.mask().volume_ml
    if not cavity_ml:
        raise InputError(
            "NO_HEAD", "No intracranial cavity was found: the input must be a head CT."
        )
    found = f"What looks most like an intracranial cavity measures {cavity_ml:.0f} mL"
    if not POSSIBLE_ML[0] <= cavity_ml <= POSSIBLE_ML[1]:
        raise InputError("NO_HEAD", f"{found}, which no head has: the input must be a head CT.")
    few, pixel_mm = _few(anatomy)
    hu, inside = ct.hu[few], anatomy.voxels[few] > 0
    level = float(np.median(hu[inside])) if inside.any() else BRAIN_HU[0]
    bone, bare = _skull_shares(hu, inside, pixel_mm)
    of_another_size = not CAVITY_ML[0] <= cavity_ml <= CAVITY_ML[1]
    of_another_density = not BRAIN_HU[0] <= level <= BRAIN_HU[1]
    in_a_skull = bone >= _LEAST_BONE and bare <= _WIDE_OPEN
    if not _shows_bone(ct):
        refused = of_another_density and bool(ct.hu.min() < _AIR_HU)
    elif of_another_size or of_another_density:
        refused = not in_a_skull or (cavity_ml < _SMALL_ML and of_another_density)
    else:
        refused = False
    if refused:
        raise InputError(
            "NO_HEAD",
            f"{found} at {level:.0f} HU, with bone along {100 * bone:.0f} % of its border: the "
            "input must be a head CT.",
        )


def _shows_bone(ct: CTVolume) -> bool:
    """Whether there is bone anywhere: not after skull stripping, nor in a picture of a window."""
    return float((ct.hu[::2, ::2] > _BONE_HU).mean()) > _SOME_BONE


def _warnings(labels: LabelMap, ct: CTVolume | None, anatomy: LabelMap) -> Iterator[Notice]:
    cavity_ml = anatomy.mask().volume_ml
    if not CAVITY_ML[0] <= cavity_ml <= CAVITY_ML[1]:
        yield Notice(
            "IMPLAUSIBLE_CAVITY",
            f"The intracranial cavity found measures {cavity_ml:.0f} mL, heads have "
            f"{CAVITY_ML[0]:.0f} to "
            f"{CAVITY_ML[1]:.0f} mL: this may be no head, or part of one; look at the masks "
            "before any number.",
        )
    share = labels.mask(*Subtype).volume_ml / cavity_ml
    if share > MOST_BLOOD:
        yield Notice(
            "MUCH_BLOOD", f"{100 * share:.0f} % of the cavity is labeled blood: look at the masks."
        )
    few, pixel_mm = _few(anatomy)
    inside = anatomy.voxels[few] > 0
    pieces, count = ndimage.label(inside, np.ones((3, 3, 3)))
    if count > 1 and np.bincount(pieces[inside])[1:].max() < _MAIN_PIECE * inside.sum():
        yield Notice(
            "CAVITY_IN_PIECES", "The intracranial cavity found is not one piece: look at the masks."
        )
    if ct is None:
        return
    hu = ct.hu[few]
    brain = hu[inside & (labels.voxels[few] == 0)]
    level = float(np.median(brain)) if brain.size else BRAIN_HU[0]
    if not BRAIN_HU[0] <= level <= BRAIN_HU[1]:
        yield Notice(
            "BRAIN_DENSITY",
            f"The brain's median density is {level:.0f} HU, without contrast it is "
            f"{BRAIN_HU[0]:.0f} to "
            f"{BRAIN_HU[1]:.0f} HU: with contrast, at another energy or on another scale blood "
            "cannot be told.",
        )
    bone, bare = _skull_shares(hu, inside, pixel_mm)
    if bone < _LEAST_BONE:
        yield Notice(
            "NO_SKULL",
            f"Bone surrounds {100 * bone:.0f} % of the cavity: the skull was stripped from the "
            "images, or this "
            "is no head; blood along the skull is missed: analyze the images as the scanner made "
            "them.",
        )
    elif bare > _MOST_OPEN:
        yield Notice(
            "SKULL_INCOMPLETE",
            f"Along {100 * bare:.0f} % of its border the cavity is bare of bone and scalp: the "
            "images were cut or "
            "defaced; what was cut off is not measured: analyze the images as the scanner made "
            "them.",
        )


def _few(anatomy: LabelMap) -> tuple[Box, float]:
    """Every so many-th voxel of the cavity's surroundings, some `_STEP_MM` apart; and how far apart
    rows are, mm.
    """
    box = box_around(anatomy.voxels > 0)
    assert box is not None
    spacing = anatomy.geometry.spacing_mm
    steps = [max(1, round(_STEP_MM / mm)) for mm in spacing]
    i, j, k = (
        slice(max(0, side.start - round(_AROUND_MM / mm)), side.stop + round(_AROUND_MM / mm), step)
        for side, mm, step in zip(box, spacing, steps, strict=True)
    )
    return (i, j, k), steps[0] * spacing[0]


def _skull_shares(
    hu: NDArray[np.float32], inside: NDArray[np.bool_], pixel_mm: float
) -> tuple[float, float]:
    """Shares of the cavity's border: with bone near it, and bare of bone and scalp. All in the
    slice plane.

    Bone counts beyond the first pixel: there a stripped head keeps what of the inner table lies in
    mixed voxels. Bare is where air, or what was painted over with one value, lies next to the
    border and no bone behind it. So a craniectomy, which scalp covers, and sinuses, which bone
    encloses, are not.
    """
    cross = ndimage.generate_binary_structure(3, 1)
    cross[:, :, [0, 2]] = False
    border = inside & ~ndimage.binary_erosion(inside, cross, border_value=1)
    if not border.any():
        return 0.0, 0.0
    beyond = ~ndimage.binary_dilation(inside, cross)
    bone = ndimage.binary_dilation((hu > _BONE_HU) & beyond, _disk(_RIM_MM / pixel_mm))
    bare = ndimage.binary_dilation(_is_empty(hu) & ~inside, _disk(_BARE_MM / pixel_mm)) & ~bone
    return float(bone[border].mean()), float(bare[border].mean())


def _is_empty(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Air, or the very value of both neighbors, as where something was painted over."""
    steps = np.abs(np.diff(hu, axis=0, append=hu[-1:])) + np.abs(
        np.diff(hu, axis=1, append=hu[:, -1:])
    )
    return np.asarray((hu < _AIR_HU) | (steps == 0))


def _disk(radius: float) -> NDArray[np.bool_]:
    """In the slice plane, of at least one pixel."""
    reach = max(1, round(radius))
    disk = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach + 0.5
    return np.asarray(disk[:, :, None])
