"""Losses of findings: each counts where it is known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from monai_ich.parts.findings import pool_findings, require_pooling


def finding_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    pos_weight: torch.Tensor | None = None,
    gamma: float = 0.0,
) -> torch.Tensor:
    """Binary cross-entropy (or focal loss) over what is known; 0 where nothing is.

    Args:
        logits: any shape, the findings in the second axis.
        targets: as `logits`: 1, 0, NaN for not known.
        pos_weight: ``(6,)``, of presence; None: 1.
        gamma: of the focal loss; 0 is plain cross-entropy.

    References:
        Lin 2017, doi:10.1109/ICCV.2017.324
    """
    known = ~targets.isnan()
    truth = torch.where(known, targets, 0.0)
    weight = None
    if pos_weight is not None:
        shape = [1, -1] + [1] * (logits.ndim - 2)
        weight = pos_weight.to(logits.device).reshape(shape)
    loss = F.binary_cross_entropy_with_logits(logits, truth, pos_weight=weight, reduction="none")
    if gamma:
        share = torch.sigmoid(logits)
        loss = loss * (truth - share).abs().pow(gamma)
    return (loss * known).sum() / known.sum().clamp_min(1)


class FindingLoss(torch.nn.Module):
    """Of slices and, pooled from them, of the exam; each label where a row has it.

    Args:
        exam_weight: of the exam's part; slices have 1.
        pos_weight: of presence, one for each channel of `CHANNELS`; None: 1.
        gamma: of the focal loss; 0 for plain cross-entropy.
        pooling: ``"lse"`` or ``"noisy_or"``.
    """

    def __init__(
        self,
        exam_weight: float = 1.0,
        pos_weight: Sequence[float] | None = None,
        gamma: float = 0.0,
        pooling: str = "lse",
    ) -> None:
        super().__init__()
        require_pooling(pooling)
        self.exam_weight, self.gamma, self.pooling = exam_weight, gamma, pooling
        self.pos_weight = None if pos_weight is None else torch.tensor(pos_weight)

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Logits ``(B, 6, 1, 1, K)``, targets ``(B, 6, K + 1)`` (exam last) to a scalar."""
        slices, targets = logits.float()[:, :, 0, 0], targets.as_subclass(torch.Tensor)
        exam = pool_findings(slices, how=self.pooling)

        def loss(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            return finding_loss(scores, truth, pos_weight=self.pos_weight, gamma=self.gamma)

        return loss(slices, targets[..., :-1]) + self.exam_weight * loss(exam, targets[..., -1])


class CellLoss(torch.nn.Module):
    """Of findings and, where masks say where they are, of the cells of slices: that teaches what
    blood looks like long before labels of slices do.

    Args:
        slices: the loss of slices and exams.
        weight: of the cells' part, a mean over all cells, most of which have nothing.
    """

    def __init__(self, slices: FindingLoss, weight: float = 10.0) -> None:
        super().__init__()
        self.slices, self.weight = slices, weight

    def forward(
        self,
        scores: torch.Tensor | tuple[torch.Tensor, torch.Tensor],
        targets: tuple[torch.Tensor, torch.Tensor],
    ) -> torch.Tensor:
        """Of `CellReader` and `prepare_cells` to a scalar."""
        labels, of_cells = targets
        logits, cells = (scores, None) if isinstance(scores, torch.Tensor) else scores
        loss: torch.Tensor = self.slices(logits, labels)
        return loss if cells is None else loss + self.weight * finding_loss(cells, of_cells)
