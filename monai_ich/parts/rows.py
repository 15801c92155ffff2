"""What training asks of a row: its masks lie on the grid of its image, and a mask that only
augmentation wants may be missing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from scipy.spatial.distance import cdist

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import FloatArray, Geometry

_TOLERANCE_MM = 0.01


class EmptyMaskd(MapTransform):
    """Give a row an empty mask where it has none, as rows of other programs (MONAI Label) do.

    Args:
        keys: masks; one that is there stays.
        like: image or label map ``(1, I, J, K)`` whose grid an empty mask gets.
    """

    def __init__(self, keys: KeysCollection, like: str) -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.like = like

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        missing = {key: torch.zeros_like(data[self.like]) for key in self.keys if key not in data}
        return {**data, **missing}


class SameGridd(MapTransform):
    """Refuse a row with a mask of another grid than its image, before resampling hides it: training
    would pair voxels that do not belong together. Any order and direction of axes is one grid.

    Args:
        keys: masks ``(1, I, J, K)`` with an affine; one that is missing is passed over.
        like: image.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """

    def __init__(self, keys: KeysCollection, like: str) -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.like = like

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.like]
        for key in self.key_iterator(dict(data)):
            apart = cdist(_corners(data[key]), _corners(image))
            farthest = max(apart.min(0).max(), apart.min(1).max())
            if farthest > _TOLERANCE_MM or sorted(data[key].shape) != sorted(image.shape):
                said = f"{farthest:.2f} mm apart" if farthest > _TOLERANCE_MM else "other voxels"
                raise GeometryError(
                    "GRID_MISMATCH",
                    f"The {key} of a row does not lie on the grid of its image ({said}): "
                    "monai-ich manifest check says which, monai-ich resample MASK --like CT mends "
                    "it.",
                )
        return dict(data)


def _corners(image: MetaTensor) -> FloatArray:
    i, j, k = image.shape[1:]
    return Geometry((i, j, k), np.asarray(image.affine)).corners_mm()
