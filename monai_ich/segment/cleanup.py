"""What is taken away from a network's labels, and why; nothing else is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from monai_ich.core.volume import CONNECTED_26, Mask, box_around


def drop_outside(labels: NDArray[np.uint8], cavity: Mask) -> NDArray[np.uint8]:
    """Hemorrhage is intracranial: labels outside of the cavity become background.

    >>> from monai_ich.core.geometry import Geometry
    >>> inside = Mask(np.array([[[True, False]]]), Geometry((1, 1, 2), np.eye(4)))
    >>> drop_outside(np.array([[[5, 5]]], np.uint8), inside).tolist()
    [[[5, 0]]]
    """
    return np.where(cavity.voxels, labels, 0).astype(np.uint8)


def drop_small(labels: NDArray[np.uint8], voxel_ml: float, minimum_ml: float) -> NDArray[np.uint8]:
    """Pieces of blood (26-connected, all subtypes together) below `minimum_ml` become background."""
    box = box_around(labels > 0)
    if box is None:
        return labels
    inner = labels[box]
    pieces, _ = label(inner > 0, structure=CONNECTED_26)
    small = np.bincount(pieces.ravel()) * voxel_ml < minimum_ml
    small[0] = False
    out = labels.copy(order="K")
    out[box] = np.where(small[pieces], 0, inner)
    return out
