"""What lies below the skull is no part of the cavity, however far down a scan reaches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import box_around

TALLEST_MM = 180.0  # from the vertex to the foramen magnum; heads of adults have 130 to 165
_BONE_HU = 200.0
_RIM_MM = 12.0
# of a slice's border, with bone near it: a skull's slices have 0.6 and more, a neck's 0.1 to 0.3
_ENCLOSED = 0.4
_GAP_MM = 20.0  # a skull is open no further than that, as at the orbits
_STEP_MM = 2.5
_CANAL_MM2 = 500.0  # of a slice; the canal below the skull has 200 to 400
_CANAL_MM = 15.0


def drop_neck(
    cavity: NDArray[np.bool_], hu: NDArray[np.float32], geometry: Geometry
) -> NDArray[np.bool_]:
    """The cavity without what a network found in neck and shoulders.

    Only a cavity that is taller than any head's is cut: below the lowest slice that bone encloses,
    and at `TALLEST_MM` from the highest one. One that no bone encloses (a stripped head) is left.

    Args:
        cavity: ``(I, J, K)``.
        hu: ``(I, J, K)`` the CT.
        geometry: their grid.
    """
    box = box_around(cavity)
    if box is None:
        return cavity
    axis, down, steps_mm = _downward(geometry)
    step_mm = float(steps_mm[axis])
    if (box[axis].stop - box[axis].start) * step_mm <= TALLEST_MM:
        return cavity
    upright, density = (np.moveaxis(x, axis, 0)[down] for x in (cavity, hu))  # views
    pixels_mm = np.delete(steps_mm, axis)
    enclosed = np.array(
        [_enclosed(*both, pixels_mm) for both in zip(upright, density, strict=True)]
    )
    skull = np.flatnonzero(enclosed >= _ENCLOSED)
    if not skull.size:
        return cavity
    ends = skull[:-1][np.diff(skull) * step_mm > _GAP_MM]
    last = min(ends[0] if ends.size else skull[-1], skull[0] + int(TALLEST_MM / step_mm))
    kept = cavity.copy(order="K")
    np.moveaxis(kept, axis, 0)[down][last + 1 :] = False
    return kept


def drop_canal(cavity: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.bool_]:
    """The cavity, one piece, without a tail at its lower end that is as narrow as the spinal canal,
    which bone encloses, too. One no longer than the bottom of a fossa that slices cut flatly stays.

    Args:
        cavity: ``(I, J, K)``.
        geometry: its grid.
    """
    axis, down, steps_mm = _downward(geometry)
    upright = np.moveaxis(cavity, axis, 0)[down]
    areas_mm2 = upright.sum((1, 2)) * np.delete(steps_mm, axis).prod()
    filled, wide = np.flatnonzero(areas_mm2), np.flatnonzero(areas_mm2 >= _CANAL_MM2)
    if not wide.size or (filled[-1] - wide[-1]) * steps_mm[axis] <= _CANAL_MM:
        return cavity
    kept = cavity.copy(order="K")
    np.moveaxis(kept, axis, 0)[down][wide[-1] + 1 :] = False
    return kept


def _downward(geometry: Geometry) -> tuple[int, slice, NDArray[np.float64]]:
    """The axis that runs most from head to feet, which way along it is down, and all steps in
    mm.
    """
    steps_mm = np.array(geometry.spacing_mm)
    rises = geometry.affine[2, :3] / steps_mm
    axis = int(np.abs(rises).argmax())
    return axis, slice(None, None, 1 if rises[axis] < 0 else -1), steps_mm


def _enclosed(
    inside: NDArray[np.bool_], hu: NDArray[np.float32], pixels_mm: NDArray[np.float64]
) -> float:
    """Share of the border of a slice that has bone near it."""
    few = tuple(slice(None, None, max(1, round(_STEP_MM / mm))) for mm in pixels_mm)
    inside, bone = inside[few], hu[few] > _BONE_HU
    border = inside & ~ndimage.binary_erosion(inside)
    if not border.any():
        return 0.0
    reach = max(1, round(_RIM_MM / _STEP_MM))
    near = ndimage.maximum_filter(bone.astype(np.uint8), size=2 * reach + 1) > 0
    return float(near[border].mean())
