"""What lies below the skull is no part of the cavity, however far down a scan reaches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.core.geometry import Geometry

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

    A tail at its lower end that is as narrow as the spinal canal, and longer than the bottom of a
    fossa that a slice cuts flatly, is cut. A cavity that is then still taller than any head's ends
    at the lowest slice that bone encloses, and at `TALLEST_MM` from the highest one; one that no
    bone encloses (a stripped head) is left.

    Args:
        cavity: ``(I, J, K)``.
        hu: ``(I, J, K)`` the CT.
        geometry: their grid.
    """
    if not cavity.any():
        return cavity
    steps_mm = np.array(geometry.spacing_mm)
    rises = geometry.affine[2, :3] / steps_mm
    axis = int(np.abs(rises).argmax())
    step_mm, pixels_mm = float(steps_mm[axis]), np.delete(steps_mm, axis)
    down = slice(None, None, 1 if rises[axis] < 0 else -1)
    upright, density = (np.moveaxis(x, axis, 0)[down] for x in (cavity, hu))  # the vertex first
    areas_mm2 = upright.sum((1, 2)) * pixels_mm.prod()
    filled, wide = np.flatnonzero(areas_mm2), np.flatnonzero(areas_mm2 >= _CANAL_MM2)
    last = filled[-1]
    if wide.size and (last - wide[-1]) * step_mm > _CANAL_MM:
        last = wide[-1]
    if (last + 1 - filled[0]) * step_mm > TALLEST_MM:
        pairs = zip(upright[: last + 1], density[: last + 1], strict=True)
        skull = np.flatnonzero([_enclosed(*both, pixels_mm) >= _ENCLOSED for both in pairs])
        if skull.size:
            ends = skull[:-1][np.diff(skull) * step_mm > _GAP_MM]
            last = min(ends[0] if ends.size else skull[-1], skull[0] + int(TALLEST_MM / step_mm))
    if last == filled[-1]:
        return cavity
    kept = cavity.copy(order="K")
    np.moveaxis(kept, axis, 0)[down][last + 1 :] = False
    return kept


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
