"""Segmentation from masks and, in the same network, from labels of slices and exams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from monai.inferers import Inferer
from torch.utils.data import Sampler

from monai_ich.core.labels import Subtype
from monai_ich.learn.losses import FindingLoss
from monai_ich.parts.data_list import require_shares
from monai_ich.parts.findings import pool_logits, require_pooling


def findings_of_voxels(scores: torch.Tensor, how: str = "lse") -> torch.Tensor:
    """Class scores of voxels ``(B, C, I, J, K)`` to logits of slices ``(B, 6, 1, 1, K)``.

    Each voxel's log odds of a subtype against all else, pooled over its slice; "none" is the
    opposite of any blood, pooled alike.
    """
    scores = scores.float().flatten(2, 3)
    blood = slice(1, 1 + len(Subtype))
    dry = torch.cat([scores[:, :1], scores[:, 1 + len(Subtype) :]], 1)
    odds = [torch.logsumexp(dry, 1) - torch.logsumexp(scores[:, blood], 1)]
    for c in range(1, 1 + len(Subtype)):
        others = torch.cat([scores[:, :c], scores[:, c + 1 :]], 1)
        odds.append(scores[:, c] - torch.logsumexp(others, 1))
    any_blood = pool_logits(-odds[0].transpose(1, 2), how=how)
    subtypes = pool_logits(torch.stack(odds[1:], 1).transpose(2, 3), how=how)
    return torch.cat([-any_blood[:, None], subtypes], 1)[:, :, None, None]


class WeakLoss(torch.nn.Module):
    """The loss that a row's label asks for: of a mask, or of slices and the exam.

    Args:
        masks: of scores and label values ``(B, 1, I, J, K)``.
        findings: of logits ``(B, 6, 1, 1, K)`` and targets ``(B, 6, K + 1)``.
        weight: of the latter.
        pooling: of voxels to slices: ``"lse"`` or ``"noisy_or"``.
    """

    def __init__(
        self,
        masks: torch.nn.Module,
        findings: FindingLoss,
        weight: float = 0.2,
        pooling: str = "lse",
    ) -> None:
        super().__init__()
        require_pooling(pooling)
        self.masks, self.findings, self.weight, self.pooling = masks, findings, weight, pooling

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores ``(B, C, I, J, K)`` and a batch of one kind of label, to a scalar."""
        if labels.ndim == scores.ndim:
            loss: torch.Tensor = self.masks(scores, labels)
            return loss
        found: torch.Tensor = self.findings(findings_of_voxels(scores, self.pooling), labels)
        return self.weight * found


class WindowStatistics(Inferer):
    """Another inferer, with batch norm that takes its statistics from windows alone.

    A whole head is a batch of one, half of it air: statistics that it takes part in fit neither
    heads nor windows (variances of up to 40 times those of windows). So it is normalized as it will
    be when the weights are used.

    Args:
        inferer: what to run.
        window: voxels of a window ``(I, J, K)``; what has another size is a whole head.
    """

    def __init__(self, inferer: Inferer, window: Sequence[int]) -> None:
        self.inferer, self.window = inferer, tuple(window)

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        assert isinstance(network, torch.nn.Module)
        is_head = tuple(inputs.shape[2:]) != self.window
        kind = torch.nn.modules.batchnorm._BatchNorm
        norms = [m for m in network.modules() if is_head and m.training and isinstance(m, kind)]
        for norm in norms:
            norm.eval()
        try:
            return self.inferer(inputs, network, *args, **kwargs)
        finally:
            for norm in norms:
                norm.train()


class KindBatches(Sampler[list[int]]):
    """Batches of one kind of row each, for a data set that is made of one set for each kind.

    Args:
        weights: for each kind, how often each of its rows is drawn.
        shares: of the batches that each kind gets.
        batch_sizes: of each kind.
        length: batches in an epoch.
    """

    def __init__(
        self,
        weights: Sequence[Sequence[float]],
        shares: Sequence[float],
        batch_sizes: Sequence[int],
        length: int,
    ) -> None:
        require_shares(shares)
        self.weights = [torch.tensor(w, dtype=torch.float64) for w in weights]
        self.starts = [sum(len(w) for w in weights[:n]) for n in range(len(weights))]
        self.shares = torch.tensor(shares, dtype=torch.float64)
        self.batch_sizes, self.length = tuple(batch_sizes), length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[list[int]]:
        for kind in torch.multinomial(self.shares, self.length, replacement=True).tolist():
            drawn = torch.multinomial(self.weights[kind], self.batch_sizes[kind], replacement=True)
            yield [self.starts[kind] + n for n in drawn.tolist()]
