"""A segmentation network seen as a classifier, so that MONAI's explanations of classifiers apply to it."""

from __future__ import annotations

import torch


class RegionScore(torch.nn.Module):
    """For each class but background its log odds, as their mean over a region.

    Log odds (the logit less the log-sum-exp of all others) do not saturate as probabilities do, nor hold what all
    logits share.

    Args:
        network: ``(N, channels, I, J, K)`` to logits ``(N, classes, I, J, K)``.
        region: bool ``(I, J, K)``, at least one voxel of it true.
        most: only of so many voxels in it, those of the highest log odds; None: of all.
    """

    def __init__(self, network: torch.nn.Module, region: torch.Tensor, most: int | None = None) -> None:
        super().__init__()
        self.network, self.region, self.most = network, region, most

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``(N, channels, I, J, K)`` to ``(N, classes - 1)``."""
        logits = self.network(torch.as_tensor(image))[:, :, self.region]
        classes = range(1, logits.shape[1])
        others = [torch.logsumexp(torch.cat([logits[:, :c], logits[:, c + 1 :]], 1), 1) for c in classes]
        odds = logits[:, 1:] - torch.stack(others, 1)
        if self.most is not None:
            odds = odds.topk(min(self.most, odds.shape[-1])).values
        return odds.mean(-1)
