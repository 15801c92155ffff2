"""Rows that lack what only augmentation wants."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform


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
