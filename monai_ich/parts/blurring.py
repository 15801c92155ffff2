"""Gaussian blur as matrix products: several times as fast on a CPU as convolutions along each
axis.
"""

from __future__ import annotations

import math

import torch


def gauss_matrix(count: int, sigma: float) -> torch.Tensor:
    """The matrix ``(count, count)`` that blurs an axis; beyond its ends are more of the last
    voxels.

    Args:
        count: voxels along the axis.
        sigma: standard deviation in voxels, above 0.

    >>> gauss_matrix(3, 0.1).round().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    radius = max(1, math.ceil(2.5 * sigma))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    at = (torch.arange(count)[:, None] + torch.arange(-radius, radius + 1)).clamp(0, count - 1)
    return torch.zeros(count, count).scatter_add_(1, at, (taps / taps.sum()).expand(count, -1))


def blur_volume(image: torch.Tensor, sigmas: tuple[float, float, float]) -> torch.Tensor:
    """Blur the last three axes of an image ``(..., I, J, K)``; standard deviations in voxels."""
    i, j, k = (gauss_matrix(n, s).to(image) for n, s in zip(image.shape[-3:], sigmas, strict=True))
    return torch.einsum("ai,...ibk->...abk", i, torch.matmul(j, torch.matmul(image, k.T)))
