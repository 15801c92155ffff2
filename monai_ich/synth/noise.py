"""Smooth noise over the atlas box: what makes a head uneven."""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F

from monai_ich.synth.atlas import SHAPE, SPACING_MM

_NOISE_SPACING_MM = (60.0, 60.0, 60.0, 50.0, 9.0, 16.0, 6.0, 12.0)
WARP, SKULL, FOLD, BLOB, FINE, FACE = slice(0, 3), 3, 4, 5, 6, 7  # channels


def noise_maps(seed: int) -> torch.Tensor:
    """Smooth noise ``(8, ...)`` over the atlas box; made on the CPU so that a seed means the same
    head everywhere.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = tuple(n // 2 for n in SHAPE)
    maps = []
    for spacing in _NOISE_SPACING_MM:
        coarse = [max(3, math.ceil(n * SPACING_MM / spacing) + 2) for n in SHAPE]
        noise = torch.randn(1, 1, *coarse, generator=generator)[0, 0]
        kernel = max(1, int(spacing / 12)) * 2 + 1
        for few, many in zip(coarse, shape, strict=True):
            noise = torch.tensordot(
                noise, _refined(few, many, kernel), dims=([0], [1])
            )  # axes come round in turn
        maps.append((noise / noise.std()).clamp(-2.2, 2.2))
    return torch.stack(maps)


@cache
def _refined(few: int, many: int, kernel: int) -> torch.Tensor:
    """The matrix ``(many, few)`` that interpolates an axis linearly, ends on ends, and takes the
    mean of `kernel`.
    """
    lines = F.interpolate(torch.eye(few)[None], size=many, mode="linear", align_corners=True)[0].T
    near = (torch.arange(many)[:, None] - torch.arange(many)[None, :]).abs() <= kernel // 2
    return (near.float() / near.sum(1, keepdim=True)) @ lines
