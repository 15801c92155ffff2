"""What a segmentation network's answer rests on."""

from __future__ import annotations

from copy import deepcopy

import torch
import torch.nn.functional as F

_CONVOLUTIONS = (torch.nn.Conv3d, torch.nn.ConvTranspose3d)


class RegionScore(torch.nn.Module):
    """A segmentation network seen as a classifier: for each class but background its log odds, mean
    over a region.

    Log odds (the logit less the log-sum-exp of all others) do not saturate as probabilities do, nor
    hold what all logits share. The mean is the sum over the region, by its size.

    Args:
        network: ``(N, channels, I, J, K)`` to logits ``(N, classes, I, J, K)``; copied, since
            explanations leave gradients and hooks in it.
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


def weigh_features(
    score: RegionScore, index: int, image: torch.Tensor, _inside: torch.Tensor
) -> torch.Tensor:
    """Grad-CAM of what the network's last convolution is given: each feature counts by how much it
    raises the score, mean over the image.

    MONAI's `GradCAM` asks for the name of a layer; this takes any network with a convolution.

    Args:
        score: of the network.
        index: which of its scores.
        image: ``(1, channels, I, J, K)``.

    Returns:
        ``(I, J, K)``, signed.

    References:
        Selvaraju 2017 doi:10.1109/ICCV.2017.74
    """
    last = [m for m in score.network.modules() if isinstance(m, _CONVOLUTIONS)][-1]
    given: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda _module, inputs: given.append(inputs[0]))
    try:
        answer = score(image.detach().requires_grad_())[0, index]
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(answer, given)
    weights = gradient.mean((2, 3, 4), keepdim=True)
    heat = (weights * given[0].detach()).sum(1, keepdim=True)
    return F.interpolate(heat, image.shape[2:], mode="trilinear")[0, 0]
