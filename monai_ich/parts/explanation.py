"""What a segmentation network's answer rests on, by MONAI's explanations of classifiers."""

from __future__ import annotations

from copy import deepcopy

import torch
from monai.visualize import VanillaGrad


class RegionScore(torch.nn.Module):
    """A segmentation network seen as a classifier: for each class but background its log odds, mean
    over a region.

    Log odds (the logit less the log-sum-exp of all others) do not saturate as probabilities do, nor
    hold what all logits share. The mean is the sum over the region, by its size.

    Args:
        network: ``(N, channels, I, J, K)`` to logits ``(N, classes, I, J, K)``; copied, since
            MONAI's explanations leave gradients and hooks in it.
        region: bool ``(I, J, K)``, at least one voxel of it true.
        most: only of so many voxels of the region, those of highest log odds; None: of all.
    """

    def __init__(
        self, network: torch.nn.Module, region: torch.Tensor, most: int | None = None
    ) -> None:
        super().__init__()
        self.network = deepcopy(network).requires_grad_(False)
        self.region, self.most = region, most

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``(N, channels, I, J, K)`` to ``(N, classes - 1)``."""
        logits: torch.Tensor = self.network(image)[:, :, self.region]
        classes = range(1, logits.shape[1])
        others = [
            torch.logsumexp(torch.cat([logits[:, :c], logits[:, c + 1 :]], 1), 1) for c in classes
        ]
        odds = logits[:, 1:] - torch.stack(others, 1)
        if self.most is not None:
            odds = odds.topk(min(self.most, odds.shape[-1])).values
        return odds.mean(-1)


def integrate_gradients(
    score: torch.nn.Module, index: int, image: torch.Tensor, start: torch.Tensor, steps: int = 4
) -> torch.Tensor:
    """What each voxel adds to a score on the straight way from one image to another.

    It is the mean gradient on the way (MONAI's `VanillaGrad` at the middle of each step) times the
    way, summed over channels. All voxels together give the difference of both scores, as far as the
    steps are fine enough.

    Args:
        score: images to one score a class.
        index: which score.
        image: ``(1, channels, I, J, K)``.
        start: the same without what is to be explained.
        steps: a pass forward and back each.

    Returns:
        ``(I, J, K)``, signed.

    References:
        Sundararajan 2017 doi:10.48550/arXiv.1703.01365
    """
    gradient, way = VanillaGrad(score), image - start
    mean = torch.zeros_like(image)
    for step in range(steps):
        mean += gradient((start + way * ((step + 0.5) / steps)).detach(), index) / steps
    return (mean * way)[0].sum(0)
