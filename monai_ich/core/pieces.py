"""Connected pieces of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label


def label_pieces(
    mask: NDArray[np.bool_], structure: NDArray[Any] | None = None
) -> tuple[NDArray[np.int32], int]:
    """`scipy.ndimage.label`, which takes ten times as long across memory as along: images lie there
    with their first axis fastest.

    Args:
        mask: any number of axes.
        structure: which neighbors are connected; those that share a face where it is None.

    Returns:
        The number of its piece for each element, 0 outside, and how many there are.

    >>> label_pieces(np.array([True, False, True]))
    (array([1, 0, 2], dtype=int32), 2)
    """
    if mask.strides[0] >= mask.strides[-1]:
        pieces, count = label(mask, structure)
        return pieces, count
    pieces, count = label(mask.T, None if structure is None else structure.T)
    return pieces.T, count
