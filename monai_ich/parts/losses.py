"""Losses: rare classes that may all be absent; an interface whose place matters more than the volume around it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss


class HemorrhageLoss(torch.nn.Module):
    """Where is blood, and which subtype is it: two questions, each with a loss of its own.

    Where: cross-entropy and Dice of any blood, the sum of the subtypes' probabilities. Which: cross-entropy among the
    five subtypes at the voxels that are blood, the mean of the subtypes that are there; and the Dice of these.

    Blood is one voxel in a hundred, so that in a cross-entropy over all classes and voxels a wrong subtype costs next
    to nothing: such a network found SDH and called nine voxels of ten EDH, whatever their shape, after 10,000 steps
    (measured here). And MONAI's `DiceCELoss` counts absent subtypes: with smoothing it drives every foreground
    probability to zero within some hundred steps; without, they only add a constant.

    Args:
        background_weight: of background voxels in the cross-entropy of any blood, one of blood weighs 1; with less,
            a missed clot weighs more.
        subtype_weight: of the cross-entropy among subtypes. Spread over few voxels, it moves a network more than the
            rest does.
    """

    def __init__(self, background_weight: float = 0.5, subtype_weight: float = 1.0) -> None:
        super().__init__()
        self.background_weight, self.subtype_weight = background_weight, subtype_weight

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores ``(B, 6, I, J, K)`` and label values ``(B, 1, I, J, K)``, 0 for background, to a scalar."""
        scores, target = scores.float(), labels.as_subclass(torch.Tensor)[:, 0].long()
        blood = target > 0
        odds = torch.logsumexp(scores[:, 1:], dim=1) - scores[:, 0]
        weight = torch.where(blood, 1.0, self.background_weight)
        loss = F.binary_cross_entropy_with_logits(odds, blood.float(), weight, reduction="sum") / weight.sum()
        if not blood.any():
            return loss
        share = torch.softmax(scores, dim=1)[:, 1:]
        truth = F.one_hot(target, scores.shape[1]).movedim(-1, 1)[:, 1:].to(share.dtype)
        voxels = truth.sum((0, 2, 3, 4))
        present = voxels > 0
        dice = _dice(share, truth, (0, 2, 3, 4))[present].mean()
        any_dice = _dice(torch.sigmoid(odds), blood.float(), (0, 1, 2, 3))
        surprise = -(F.log_softmax(scores[:, 1:], dim=1) * truth).sum((0, 2, 3, 4))
        which = (surprise[present] / voxels[present]).mean()
        return loss + 0.5 * (1.0 - any_dice) + 0.5 * (1.0 - dice) + self.subtype_weight * which


def _dice(share: torch.Tensor, truth: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    return 2.0 * (share * truth).sum(axes) / (share.sum(axes) + truth.sum(axes)).clamp_min(1.0)


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
