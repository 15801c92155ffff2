"""Losses: rare classes that may all be absent; an interface whose place matters more than the volume around it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss


class HemorrhageLoss(torch.nn.Module):
    """Weighted cross-entropy, Dice of the subtypes that are there, and Dice of any blood.

    MONAI's `DiceCELoss` counts absent subtypes too: with smoothing it drives every foreground probability to zero
    within some hundred steps and never recovers (measured here: Dice 0 after 1,600 steps); without, they only add a
    constant. Here the Dice terms look at what is present, and a head without blood is learned by cross-entropy alone.

    Args:
        background_weight: of background voxels in the cross-entropy where there is blood; a head without blood
            counts in full, since the weighted mean is normalized.
    """

    def __init__(self, background_weight: float = 0.5) -> None:
        super().__init__()
        self.background_weight = background_weight

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores ``(B, C, I, J, K)`` and label values ``(B, 1, I, J, K)`` to a scalar."""
        scores, target = scores.float(), labels[:, 0].long()
        weight = torch.ones(scores.shape[1], device=scores.device)
        weight[0] = self.background_weight
        loss = F.cross_entropy(scores, target, weight=weight)
        share = torch.softmax(scores, dim=1)
        truth = F.one_hot(target, scores.shape[1]).movedim(-1, 1).to(share.dtype)
        present = truth[:, 1:].sum(dim=(0, 2, 3, 4)) > 0
        if present.any():
            axes = (0, 2, 3, 4)
            both = (share[:, 1:] * truth[:, 1:]).sum(axes)
            dice = 2.0 * both / (share[:, 1:].sum(axes) + truth[:, 1:].sum(axes)).clamp_min(1.0)
            blood, true_blood = 1.0 - share[:, 0], 1.0 - truth[:, 0]
            any_dice = 2.0 * (blood * true_blood).sum() / (blood.sum() + true_blood.sum())
            loss = loss + 0.5 * (1.0 - dice[present].mean()) + 0.5 * (1.0 - any_dice)
        return loss


class MidlineLoss(torch.nn.Module):
    """MONAI's Dice and cross-entropy, plus cross-entropy of what lies near the interface of the two sides.

    Where the midline is displaced by 8 mm, one voxel in a hundred of the cavity changes its side: Dice and the mean
    over all voxels hardly see it, and networks leave the midline in the middle.

    Args:
        left: label values of the left side.
        right: of the right side.
        reach: how far from the interface counts, in voxels in plane.
        weight: of the third part.
    """

    def __init__(
        self, left: Sequence[int] = (1, 3), right: Sequence[int] = (2, 4), reach: int = 5, weight: float = 1.0
    ) -> None:
        super().__init__()
        self.left, self.right, self.reach, self.weight = tuple(left), tuple(right), reach, weight
        self.whole = DiceCELoss(
            include_background=False, to_onehot_y=True, softmax=True, batch=True, smooth_nr=1.0, smooth_dr=1.0
        )

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores ``(B, C, I, J, K)`` and label values ``(B, 1, I, J, K)`` to a scalar."""
        scores = scores.float()
        near = self._around(labels, self.left) * self._around(labels, self.right)
        apart = F.cross_entropy(scores, labels[:, 0].long(), reduction="none")
        loss: torch.Tensor = self.whole(scores, labels)
        return loss + self.weight * (apart * near[:, 0]).sum() / near.sum().clamp_min(1.0)

    def _around(self, labels: torch.Tensor, values: Sequence[int]) -> torch.Tensor:
        side = torch.isin(labels, torch.tensor(values, device=labels.device, dtype=labels.dtype)).float()
        r = self.reach
        side = F.max_pool3d(side, (2 * r + 1, 1, 1), 1, (r, 0, 0))
        return F.max_pool3d(side, (1, 2 * r + 1, 1), 1, (0, r, 0))
