"""The skull is no part of the cavity, however a network drew the border between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import CONNECTED_26, box_around

# about what half a voxel of bone adds, so that voxels that are mostly bone go; blood is below 120
BONE_HU = 500.0


def drop_skull(cavity: NDArray[np.bool_], hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The cavity without bone that is one piece with bone outside of it; calcifications in the
    brain stay.

    Near the vertex the skull is cut obliquely, and a network that sees slices of 4 mm draws the
    border some millimeters too far out.

    Args:
        cavity: ``(I, J, K)``.
        hu: ``(I, J, K)`` the CT.
    """
    found = box_around(cavity)
    if found is None:
        return cavity
    box = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in found)
    inside, bone = cavity[box], hu[box] > BONE_HU
    pieces, count = label_pieces(inside & bone, structure=CONNECTED_26)
    beside = _with_neighbors(bone & ~inside)
    skull = np.zeros(count + 1, bool)
    skull[pieces[beside]] = True
    skull[0] = False
    out = cavity.copy(order="K")
    out[box] = inside & ~skull[pieces]
    return out


def _with_neighbors(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grown by a voxel in all 26 directions: axis by axis, since SciPy's dilation takes seconds on
    thin slices.
    """
    for axis in range(3):
        grown, along = mask.copy(order="K"), np.moveaxis(mask, axis, 0)
        ends = np.moveaxis(grown, axis, 0)
        ends[1:] |= along[:-1]
        ends[:-1] |= along[1:]
        mask = grown
    return mask
