"""Surface and sphericity of a voxel mask on any grid."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import FloatArray, Geometry

_STEPS = np.array(
    [s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]
)  # 13 directions, one of each pair
_DIRECTIONS = 4000


def surface_mm2(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    """Surface by Crofton's formula: twice the mean, over all directions, of the area that lines
    cross the border on.

    Lines run along the 13 directions to neighbors in the world; each stands for the directions
    nearest to it, so that thick slices and shear do not bias the sum. Counting faces of voxels
    would find half too much on a ball.

    References:
        Legland 2007, doi:10.5566/ias.v26.p83-92
    """
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1, 1:-1]
    vectors = _STEPS @ geometry.affine[:3, :3].T
    lengths = np.linalg.norm(vectors, axis=1)
    shares = _shares((vectors / lengths[:, None]).tobytes())
    surface = 0.0
    for step, length, share in zip(_STEPS, lengths, shares, strict=True):
        there = padded[
            tuple(slice(1 + s, n - 1 + s) for s, n in zip(step, padded.shape, strict=True))
        ]
        crossings = 2 * int((inner & ~there).sum())  # as many ways in as out
        surface += 2.0 * share * crossings * geometry.voxel_ml * 1000.0 / float(length)
    return surface


def sphericity(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    """Surface of a ball of the same volume over the mask's surface: 1 for a ball, small for a thin
    layer.

    References:
        Wadell 1935, doi:10.1086/624298
    """
    volume_mm3 = int(mask.sum()) * geometry.voxel_ml * 1000.0
    return min(
        1.0, float(np.cbrt(np.pi) * (6.0 * volume_mm3) ** (2 / 3)) / surface_mm2(mask, geometry)
    )


@cache
def _shares(directions: bytes) -> FloatArray:
    """Share of all directions that is nearest to each of the 13 lines."""
    lines = np.frombuffer(directions).reshape(-1, 3)
    n = np.arange(_DIRECTIONS) + 0.5
    up, turn = 1.0 - 2.0 * n / _DIRECTIONS, np.pi * (1.0 + np.sqrt(5.0)) * n
    flat = np.sqrt(1.0 - up * up)
    nearest = np.abs(
        np.stack([flat * np.cos(turn), flat * np.sin(turn), up], axis=1) @ lines.T
    ).argmax(axis=1)
    return np.asarray(np.bincount(nearest, minlength=len(lines)) / _DIRECTIONS)
