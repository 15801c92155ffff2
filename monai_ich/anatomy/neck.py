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


def drop_neck(
    cavity: NDArray[np.bool_], hu: NDArray[np.float32], geometry: Geometry
) -> NDArray[np.bool_]:
    """The cavity without what a network found in neck and shoulders, which it never saw.

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
    steps_mm = np.array(geometry.spacing_mm)
    rises = geometry.affine[2, :3] / steps_mm
    axis = int(np.abs(rises).argmax())
    step_mm = float(steps_mm[axis])
    if (box[axis].stop - box[axis].start) * step_mm <= TALLEST_MM:
        return cavity
    upright = np.moveaxis(cavity, axis, 0)[
        :: 1 if rises[axis] < 0 else -1
    ]  # views, the vertex first
    density = np.moveaxis(hu, axis, 0)[:: 1 if rises[axis] < 0 else -1]
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
    np.moveaxis(kept, axis, 0)[:: 1 if rises[axis] < 0 else -1][last + 1 :] = False
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
