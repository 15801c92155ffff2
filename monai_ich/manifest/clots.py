"""Clots of one slice, put into another: each keeps its place between the middle of the cavity and
its border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_fill_holes,
    distance_transform_edt,
    gaussian_filter,
    label,
    map_coordinates,
)

from monai_ich.core.labels import EDEMA, EXTRA_AXIAL, Subtype

_ANGLES = 256
_STEP_MM = 0.25
_DENSITY_PIXELS, _EDGE_PIXELS, _GRAIN_PIXELS = 1.0, 0.8, 2.0  # of Gaussians
_SMALLEST_PIXELS = 12
_RIM_MM = 4.0  # EDH and SDH reach into it: the real falx is elsewhere than the donor's
_GRAIN_HU, _UNEVEN_HU = 15.0, 25.0  # at most
_BONE_HU = 150.0


@dataclass(frozen=True, eq=False)
class Section:
    """One slice of a head.

    Args:
        hu: ``(I, J)``, Hounsfield units.
        labels: ``(I, J)``, values of `Subtype` and `EDEMA`.
        cavity: ``(I, J)``.
        to_mm: a step along I and J in millimeters to the patient's right and front, ``(2, 2)``,
            steps in columns.
    """

    hu: NDArray[np.float32]
    labels: NDArray[np.uint8]
    cavity: NDArray[np.bool_]
    to_mm: NDArray[np.float64]


def put_clots(
    real: Section, ventricles: NDArray[np.bool_], donor: Section
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The clots of `donor`, and the edema around them, in `real`.

    In every direction from the middle of the cavity, distances are scaled so that one border comes
    to lie on the other: an SDH stays on the inner table. Shape and density are the donor's; edges
    are blurred as those of a scan, and noise stays the real slice's.

    Args:
        real: where clots are put; its labels are not looked at.
        ventricles: of `real`: IVH is put only there, everything else only elsewhere.
        donor: where clots come from.

    Returns:
        HU and labels of `real` with clots. Unchanged, and without labels, where a cavity is empty.
    """
    if not (real.cavity.any() and donor.cavity.any()):
        return real.hu, np.zeros_like(real.labels)
    there = _donor_pixels(real, donor)
    labels = map_coordinates(donor.labels, there, order=0)
    labels[~real.cavity] = 0
    labels[ventricles != (labels == Subtype.IVH)] = 0
    grain_hu = np.clip(
        real.hu - _smooth(real.hu, real.cavity, _GRAIN_PIXELS), -_GRAIN_HU, _GRAIN_HU
    )
    step_mm = np.linalg.norm(real.to_mm, axis=0)
    rim = distance_transform_edt(real.cavity, sampling=step_mm) < _RIM_MM
    hu = real.hu
    for value in (EDEMA, *Subtype):
        clot = _kept(labels == value, rim if value in EXTRA_AXIAL else real.cavity)
        labels[(labels == value) & ~clot] = 0
        if clot.any():
            share = gaussian_filter(clot.astype(np.float32), _EDGE_PIXELS)
            share[~real.cavity & (real.hu > _BONE_HU)] = 0
            hu = hu + share * (_density_hu(donor, value, there) + grain_hu - hu)
    return hu, labels


def _donor_pixels(real: Section, donor: Section) -> NDArray[np.float64]:
    """``(2, I, J)``: for each pixel of `real` the one of `donor` at the same place."""
    (center, radii_mm), (center_there, radii_there_mm) = _outline(real), _outline(donor)
    pixels = np.indices(real.hu.shape).reshape(2, -1) - center[:, None]
    right, front = xy_mm = real.to_mm @ pixels
    position = np.arctan2(front, right) / (2 * np.pi) * _ANGLES
    angles = np.arange(_ANGLES + 1)
    around = (
        np.interp(position % _ANGLES, angles, np.append(r, r[0]))
        for r in (radii_there_mm, radii_mm)
    )
    scale = np.divide(*around)
    there = center_there[:, None] + np.linalg.inv(donor.to_mm) @ (xy_mm * scale)
    found: NDArray[np.float64] = there.reshape(2, *real.hu.shape)
    return found


def _outline(section: Section) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middle of the cavity, in pixels, and how far its border is from there in `_ANGLES`
    directions, counterclockwise from the patient's right, in millimeters.
    """
    cavity = binary_fill_holes(section.cavity)
    center = np.argwhere(cavity).mean(0)
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    reach_mm = float(np.abs(section.to_mm).sum(0).max() * max(cavity.shape))
    distances_mm = np.arange(0.0, reach_mm, _STEP_MM)
    directions = np.linalg.inv(section.to_mm) @ np.stack([np.cos(angles), np.sin(angles)])
    rays = center[:, None, None] + directions[:, :, None] * distances_mm
    inside = map_coordinates(cavity.astype(np.float32), rays, order=1) > 0.5
    last = len(distances_mm) - 1 - np.argmax(inside[:, ::-1], axis=1)
    return center, np.maximum(distances_mm[last], 1.0) * inside.any(1) + ~inside.any(1)


def _kept(mask: NDArray[np.bool_], touched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pieces that reach what they must touch; those of less than `_SMALLEST_PIXELS` are slivers of
    the sampling.
    """
    pieces, count = label(mask)
    reach = np.bincount(pieces[touched], minlength=count + 1) > 0
    good = reach & (np.bincount(pieces.ravel()) >= _SMALLEST_PIXELS)
    good[0] = False
    kept: NDArray[np.bool_] = good[pieces]
    return kept


def _density_hu(donor: Section, value: int, there: NDArray[np.float64]) -> NDArray[np.float32]:
    """What the donor's clots of one value read at each pixel, without noise and what bone beside
    them adds.
    """
    clot = donor.labels == value
    middle = float(np.median(donor.hu[clot]))
    near = donor.hu.clip(middle - _UNEVEN_HU, middle + _UNEVEN_HU)
    smooth = _smooth(near, clot, _DENSITY_PIXELS)
    found: NDArray[np.float32] = map_coordinates(smooth, there, order=1, cval=middle)
    return found


def _smooth(hu: NDArray[np.float32], mask: NDArray[np.bool_], sigma: float) -> NDArray[np.float32]:
    """A Gaussian mean of what is in the mask; farther away, the mask's mean."""
    weight = gaussian_filter(mask.astype(np.float32), sigma)
    total = gaussian_filter(np.where(mask, hu, np.float32(0)), sigma)
    mean = hu[mask].mean()
    found: NDArray[np.float32] = np.where(
        weight > 0.05, total / np.maximum(weight, 0.05), mean
    ).astype(np.float32)
    return found
