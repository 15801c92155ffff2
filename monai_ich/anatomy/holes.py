"""What the cavity encloses belongs to it, however dense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, generate_binary_structure

from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import box_around

_SOFT_HU = (0.0, 150.0)  # brain and blood; no air, fat, calcification or bone


def fill_holes(
    anatomy: NDArray[np.uint8], hu: NDArray[np.float32], slice_axis: int
) -> NDArray[np.uint8]:
    """The labels with holes filled: soft tissue that the cavity encloses on a slice.

    The core of a dense clot can look like bone to a network, and blood outside of the cavity would
    be dropped. Holes that are mostly bone or air, as at the skull base, are left. A hole takes the
    label that most of its neighbors have.

    Args:
        anatomy: ``(I, J, K)`` values of `Anatomy`, 0 outside of the cavity.
        hu: ``(I, J, K)`` the CT.
        slice_axis: along which the slices lie.
    """
    box = box_around(anatomy > 0)
    if box is None:
        return anatomy
    inner = anatomy[box]
    in_plane = np.array(generate_binary_structure(3, 1))
    np.moveaxis(in_plane, slice_axis, 0)[[0, 2]] = False
    pieces, count = label_pieces(inner == 0, structure=in_plane)
    open_ends = np.zeros(count + 1, bool)
    open_ends[0] = True
    for axis in {0, 1, 2} - {slice_axis}:
        ends = np.moveaxis(pieces, axis, 0)
        open_ends[ends[0]] = open_ends[ends[-1]] = True
    soft = (hu[box] >= _SOFT_HU[0]) & (hu[box] <= _SOFT_HU[1])
    flesh = np.bincount(pieces[soft], minlength=count + 1) > 0.5 * np.bincount(
        pieces.ravel("K"), minlength=count + 1
    )
    holes, _ = label_pieces((flesh & ~open_ends)[pieces] & soft)
    out = anatomy.copy(order="K")
    for number, place in enumerate(find_objects(holes), start=1):
        around = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in place)
        hole = holes[around] == number
        neighbors = inner[around][binary_dilation(hole) & ~hole]
        out[box][around][hole] = np.bincount(
            neighbors[neighbors > 0], minlength=1
        ).argmax()  # 0 inside of bone
    return out
