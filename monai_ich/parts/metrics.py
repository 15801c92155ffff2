"""Validation figures that pool voxels over the whole data set.

The mean of per-scan Dice swings with small lesions and is blind to false positives on healthy heads (Dice is undefined
there). Pooled counts are steady, and every false voxel counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from monai.handlers import from_engine


def _confusion(prediction: torch.Tensor, reference: torch.Tensor, classes: int) -> torch.Tensor:
    """Counts ``(classes, classes)``: rows reference, columns prediction."""
    pair = reference.long().flatten() * classes + prediction.long().flatten()
    counts = torch.bincount(torch.as_tensor(pair), minlength=classes * classes)
    return counts.reshape(classes, classes).double()


class PooledDice(Metric):
    """Mean over classes of the Dice of pooled voxels; background left out.

    A class that occurs in no reference of the data set is left out. With no class at all the result is 0.

    Args:
        class_names: names of the classes 1, 2, ... in order.
        keys: prediction and reference label maps ``(1, I, J, K)`` in the engine's output.
    """

    def __init__(self, class_names: Sequence[str], keys: Sequence[str] = ("pred", "label")) -> None:
        self.class_names = list(class_names)
        self._confusion: torch.Tensor
        super().__init__(output_transform=from_engine(list(keys)), device="cpu")

    @reinit__is_reduced
    def reset(self) -> None:
        classes = len(self.class_names) + 1
        self._confusion = torch.zeros(classes, classes, dtype=torch.double)

    @reinit__is_reduced
    def update(self, output: Any) -> None:
        for prediction, reference in zip(*output, strict=True):
            self._confusion += _confusion(prediction, reference, len(self.class_names) + 1).cpu()

    def _dice(self) -> dict[str, float]:
        hit, wanted, given = self._confusion.diagonal(), self._confusion.sum(1), self._confusion.sum(0)
        dice = 2 * hit / (wanted + given).clamp(min=1)
        return {name: float(dice[i]) for i, name in enumerate(self.class_names, 1) if wanted[i] > 0}

    @sync_all_reduce("_confusion")
    def compute(self) -> Any:
        dice = self._dice()
        return sum(dice.values()) / max(1, len(dice))


class PooledDiceByClass(PooledDice):
    """`PooledDice` of each class, as ``dice_<class>``."""

    @sync_all_reduce("_confusion")
    def compute(self) -> Any:
        return {f"dice_{name}": value for name, value in self._dice().items()}


class FalsePositiveMl(Metric):
    """Mean volume, in mL, that is labeled on scans whose reference is empty; 0 where there is no such scan.

    Args:
        voxel_ml: of the validation grid.
        keys: prediction and reference label maps in the engine's output.
    """

    def __init__(self, voxel_ml: float, keys: Sequence[str] = ("pred", "label")) -> None:
        self.voxel_ml = voxel_ml
        self._sums: torch.Tensor
        transform: Callable[..., Any] = from_engine(list(keys))
        super().__init__(output_transform=transform, device="cpu")

    @reinit__is_reduced
    def reset(self) -> None:
        self._sums = torch.zeros(2, dtype=torch.double)

    @reinit__is_reduced
    def update(self, output: Any) -> None:
        for prediction, reference in zip(*output, strict=True):
            if not bool((reference > 0).any()):
                self._sums += torch.tensor([float((prediction > 0).sum()) * self.voxel_ml, 1.0], dtype=torch.double)

    @sync_all_reduce("_sums")
    def compute(self) -> float:
        return float(self._sums[0] / self._sums[1].clamp(min=1))
