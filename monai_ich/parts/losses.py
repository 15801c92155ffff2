"""Losses: rare classes that may all be absent; an interface whose place matters more than the
volume around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss

from monai_ich.core.labels import EDEMA, Subtype, may_be

_TINY = 1e-20


class HemorrhageLoss(torch.nn.Module):
    """Where is blood, which subtype is it, where is edema: three questions, each with a loss of its
    own.

    Where: cross-entropy and Dice of any blood, the sum of the subtypes' probabilities. Which:
    cross-entropy among the five subtypes at the voxels that are blood, the mean of the subtypes
    that are there; and the Dice of these. Edema: cross-entropy and Dice of what is not blood.

    Blood is one voxel in a hundred, so that in a cross-entropy over all classes and voxels a wrong
    subtype costs next to nothing: such a network found SDH and called nine voxels of ten EDH,
    whatever their shape, after 10,000 steps (measured here). And MONAI's `DiceCELoss` counts absent
    subtypes: with smoothing it drives every foreground probability to zero within some hundred
    steps; without, they only add a constant.

    A class that a scan's masks do not hold counts as background there, wherever nothing else is
    labeled: what it gets costs nothing. All terms come from one softmax over the voxels, which
    takes a third of the time of one each.

    Args:
        background_weight: of background voxels in the cross-entropy of any blood, one of blood
            weighs 1; with less, a missed clot weighs more.
        subtype_weight: of the cross-entropy among subtypes. Spread over few voxels, it moves a
            network more than the rest does.
        edema_weight: of all that concerns edema.
    """

    def __init__(
        self, background_weight: float = 0.5, subtype_weight: float = 1.0, edema_weight: float = 0.2
    ) -> None:
        super().__init__()
        self.background_weight, self.subtype_weight = background_weight, subtype_weight
        self.edema_weight = edema_weight

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores ``(B, C, I, J, K)`` and label values ``(B, 1, I, J, K)``, as
        `monai_ich.core.labels` has them.

        Seven classes with edema; of six, edema is background.

        Returns:
            A scalar.
        """
        count = scores.shape[1]
        share = torch.softmax(scores.float().flatten(2), 1)  # (B, C, N)
        values = labels.as_subclass(torch.Tensor)[:, 0].flatten(1).long()
        truth = torch.where(values >= count, 0, values)  # (B, N)
        known = torch.tensor(
            [[c not in may_be(top) for c in range(count)] for top in values.amax(1).tolist()]
        )
        counts = known.to(share.device)  # (B, C): classes that this scan's masks hold
        blood = (truth > 0) & (truth <= len(Subtype))
        subtypes = counts.float()
        subtypes[:, 0] = 0.0
        subtypes[:, EDEMA:] = 0.0
        any_blood = torch.einsum("bcn,bc->bn", share, subtypes)
        at_truth = share.gather(1, truth[:, None])[:, 0]
        loss = self._where(any_blood, blood)
        if bool(blood.any()):
            loss = loss + self._which(share, at_truth, any_blood, truth, blood)
        if self.edema_weight and bool(counts[:, EDEMA:].any()):
            loss = loss + self.edema_weight * self._edema(share, truth, counts)
        return loss

    def _where(self, any_blood: torch.Tensor, blood: torch.Tensor) -> torch.Tensor:
        right = torch.where(blood, any_blood, 1.0 - any_blood)
        weight = torch.where(blood, 1.0, self.background_weight)
        loss = -(right.clamp_min(_TINY).log() * weight).sum() / weight.sum()
        if not bool(blood.any()):
            return loss
        return loss + 0.5 * (1.0 - _dice((any_blood * blood).sum(), any_blood.sum(), blood.sum()))

    def _which(
        self,
        share: torch.Tensor,
        at_truth: torch.Tensor,
        any_blood: torch.Tensor,
        truth: torch.Tensor,
        blood: torch.Tensor,
    ) -> torch.Tensor:
        hit, kind = at_truth[blood], truth[blood]
        voxels = kind.new_zeros(share.shape[1], dtype=share.dtype)
        overlap, surprise = voxels.clone(), voxels.clone()
        voxels = voxels.index_add(0, kind, torch.ones_like(hit))
        overlap = overlap.index_add(0, kind, hit)
        missing = any_blood[blood].clamp_min(_TINY).log() - hit.clamp_min(_TINY).log()
        surprise = surprise.index_add(0, kind, missing)
        present = voxels > 0
        dice = _dice(overlap, share.sum((0, 2)), voxels)[present].mean()
        return (
            0.5 * (1.0 - dice) + self.subtype_weight * (surprise[present] / voxels[present]).mean()
        )

    def _edema(
        self, share: torch.Tensor, truth: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        labeled = counts[:, EDEMA]
        dry, wet, edema = share[labeled, 0], share[labeled, EDEMA], truth[labeled] == EDEMA
        outside = edema | (truth[labeled] == 0)
        wet_odds = wet / (dry + wet).clamp_min(_TINY)
        right = torch.where(edema, wet_odds, 1.0 - wet_odds)
        weight = torch.where(edema, 1.0, self.background_weight) * outside
        loss = -(right.clamp_min(1e-6).log() * weight).sum() / weight.sum().clamp_min(1.0)
        if not bool(edema.any()):
            return loss
        return loss + 0.5 * (1.0 - _dice((wet * edema).sum(), wet.sum(), edema.sum()))


def _dice(overlap: torch.Tensor, found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    return 2.0 * overlap / (found + true).clamp_min(1.0)


class MidlineLoss(torch.nn.Module):
    """MONAI's Dice and cross-entropy, plus cross-entropy of what lies near the interface of the two
    sides.

    Where the midline is displaced by 8 mm, one voxel in a hundred of the cavity changes its side:
    Dice and the mean over all voxels hardly see it, and networks leave the midline in the middle.

    Args:
        left: label values of the left side.
        right: of the right side.
        reach: how far from the interface counts, in voxels in plane.
        weight: of the third part.
    """

    def __init__(
        self,
        left: Sequence[int] = (1, 3),
        right: Sequence[int] = (2, 4),
        reach: int = 5,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.left, self.right, self.reach, self.weight = tuple(left), tuple(right), reach, weight
        self.whole = DiceCELoss(
            include_background=False,
            to_onehot_y=True,
            softmax=True,
            batch=True,
            smooth_nr=1.0,
            smooth_dr=1.0,
        )

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores ``(B, C, I, J, K)`` and label values ``(B, 1, I, J, K)`` to a scalar."""
        scores = scores.float()
        near = self._around(labels, self.left) * self._around(labels, self.right)
        apart = F.cross_entropy(scores, labels[:, 0].long(), reduction="none")
        loss: torch.Tensor = self.whole(scores, labels)
        return loss + self.weight * (apart * near[:, 0]).sum() / near.sum().clamp_min(1.0)

    def _around(self, labels: torch.Tensor, values: Sequence[int]) -> torch.Tensor:
        side = torch.isin(
            labels, torch.tensor(values, device=labels.device, dtype=labels.dtype)
        ).float()
        r = self.reach
        side = F.max_pool3d(side, (2 * r + 1, 1, 1), 1, (r, 0, 0))
        return F.max_pool3d(side, (1, 2 * r + 1, 1), 1, (0, r, 0))
