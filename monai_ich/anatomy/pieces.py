"""Connected pieces of a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import box_around


def largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece (face neighbors); the mask itself where it is in one piece or
    empty.
    """
    box = box_around(mask)
    if box is None:
        return mask
    pieces, count = label_pieces(mask[box])
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel("K"))
    sizes[0] = 0
    out = np.zeros_like(mask)
    out[box] = pieces == sizes.argmax()
    return out
