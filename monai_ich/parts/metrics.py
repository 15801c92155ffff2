"""Metrics that MONAI does not have."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from monai.data import MetaTensor
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from monai_ich.core.labels import Subtype


class FalseBloodMetric(CumulativeIterationMetric):
    """Milliliters of hemorrhage found in heads that have none, averaged over those heads.

    Args:
        voxel_ml: volume of one voxel of the network's grid.
    """

    def __init__(self, voxel_ml: float) -> None:
        super().__init__()
        self.voxel_ml = voxel_ml

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """One-hot ``(B, C, I, J, K)`` prediction and reference, background first: mL ``(B, 1)``,
        NaN where blood is.
        """
        assert y is not None
        blood = slice(1, 1 + len(Subtype))
        bled = y[:, blood].flatten(1).sum(1) > 0
        found = y_pred[:, blood].flatten(1).sum(1).float() * self.voxel_ml
        return torch.where(bled, torch.nan, found)[:, None]

    def aggregate(self) -> Tensor:
        """Mean over bleed-free heads; 0 where there was none."""
        data = self.get_buffer()  # type: ignore[no-untyped-call]  # MONAI's
        return torch.nan_to_num(torch.nanmean(data), nan=0.0)


class FalseBlood(IgniteMetricHandler):
    """`FalseBloodMetric` for an evaluator.

    Args:
        voxel_ml: volume of one voxel of the network's grid.
        output_transform: gives ``(y_pred, y)`` from the engine's output.
    """

    def __init__(self, voxel_ml: float, output_transform: Any) -> None:
        super().__init__(
            metric_fn=FalseBloodMetric(voxel_ml),
            output_transform=output_transform,
            save_details=False,
        )


class InMillimeters(CumulativeIterationMetric):
    """A surface metric of MONAI (surface Dice, Hausdorff distance) that gets each scan's own
    spacing.

    Where a distance does not exist, since a mask is empty, the class does not count. A spacing
    cannot tell the shear of a tilted gantry: there ``monai-ich evaluate`` is exact.

    Args:
        metric: for example ``SurfaceDiceMetric``.
    """

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self.metric = metric

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """One-hot ``(1, C, I, J, K)`` with the scan's affine: value of each class ``(1, C - 1)``,
        NaN where none is.
        """
        assert isinstance(y, MetaTensor)
        with warnings.catch_warnings():  # said of each empty mask; such a class does not count
            warnings.filterwarnings("ignore", message=".*may result in nan/inf distance")
            found: Tensor = self.metric._compute_tensor(y_pred, y, spacing=y.pixdim.tolist())
        return torch.where(found.isfinite(), found, torch.nan)

    def aggregate(self) -> Tensor:
        """Mean over scans and classes that count."""
        data = self.get_buffer()  # type: ignore[no-untyped-call]  # MONAI's
        return torch.nanmean(data)


def one_class(index: int) -> Callable[[Any], tuple[list[Tensor], list[Tensor]]]:
    """An output transform that keeps one channel of one-hot prediction and reference, for a metric
    per class.
    """
    return _of_each(lambda one_hot: one_hot[index : index + 1])


def any_class() -> Callable[[Any], tuple[list[Tensor], list[Tensor]]]:
    """An output transform that makes one channel of the five subtypes, for a metric of any
    hemorrhage.
    """
    return _of_each(lambda one_hot: one_hot[1 : 1 + len(Subtype)].amax(0, keepdim=True))


def subtypes() -> Callable[[Any], tuple[list[Tensor], list[Tensor]]]:
    """An output transform that leaves edema out: background and the five subtypes."""
    return _of_each(lambda one_hot: one_hot[: 1 + len(Subtype)])


def _of_each(
    change: Callable[[Tensor], Tensor],
) -> Callable[[Any], tuple[list[Tensor], list[Tensor]]]:
    both = from_engine(["pred", "label"])

    def changed(output: Any) -> tuple[list[Tensor], list[Tensor]]:
        pred, label = both(output)
        return [change(p) for p in pred], [change(y) for y in label]

    return changed
