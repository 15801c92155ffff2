"""Pieces are the same whichever way an image lies in memory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import generate_binary_structure, label

from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import CONNECTED_26

_IN_PLANE = np.array(generate_binary_structure(3, 1))
_IN_PLANE[:, :, [0, 2]] = False


@pytest.mark.parametrize("structure", [None, CONNECTED_26, _IN_PLANE])
def test_order_of_memory_does_not_matter(structure: np.ndarray | None) -> None:
    mask = np.random.default_rng(1).random((12, 9, 7)) > 0.8
    for image in (mask, np.asfortranarray(mask), np.asfortranarray(mask)[2:, 1:]):
        (pieces, count), (wanted, wanted_count) = (
            f(image, structure) for f in (label_pieces, label)
        )
        pairs = np.unique(np.stack([pieces.ravel(), wanted.ravel()]), axis=1)
        assert count == wanted_count and pairs.shape[1] == count + 1  # one to one
