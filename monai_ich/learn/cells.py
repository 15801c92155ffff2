"""Where in a slice a finding is: what masks teach a reader of slices while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from monai_ich.parts.findings import CHANNELS


class CellReader(torch.nn.Module):
    """A reader of slices that, while it is trained, also judges each cell of its last features.

    Args:
        reader: a backbone whose last part pools a slice's cells, and what reads the slices; any
            network without `features`.
        features: of a cell; None judges no cells.
        frozen: so many parts of the backbone came trained, and stay as they are.

    References:
        SMART-Net 2022, doi:10.1016/j.eswa.2022.116856 (slices and voxels learned together)
    """

    def __init__(self, reader: Any, features: int | None, frozen: int = 0) -> None:
        super().__init__()
        self.reader, self.frozen = reader, frozen
        self.head = None if features is None else torch.nn.Conv3d(features, len(CHANNELS), 1)
        if frozen:
            reader[0][:frozen].requires_grad_(False)
            self.train()

    def train(self, mode: bool = True) -> CellReader:
        """As of any module; what is frozen stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.reader[0][: self.frozen].eval()
        return self

    def forward(self, image: torch.Tensor) -> Any:
        """``(B, channels, I, J, K)`` to logits of slices ``(B, 6, 1, 1, K)``; in training also
        those of cells ``(B, 6, i, j, K)``.
        """
        if self.head is None or not self.training:
            return self.reader(image)
        backbone, context = self.reader
        cells = backbone[:-1](image)
        return context(backbone[-1](cells)), self.head(cells)


def prepare_cells(
    batch: Mapping[str, torch.Tensor],
    device: torch.device | str | None = None,
    non_blocking: bool = False,
    **_: Any,
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """The image, and labels of slices and of cells: ``prepare_batch`` of MONAI's trainer."""
    image, labels, cells = (
        batch[key].to(device, non_blocking=non_blocking) for key in ("image", "label", "cells")
    )
    return image, (labels, cells)
