"""The average head that every synthetic head is bent from.

Gray and white matter come from the MNI152 maps that nilearn carries (no download); what they lack
is added as geometry, in MNI millimeters: the brain's hull, ventricles with temporal horns, third
and fourth ventricle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

SPACING_MM = 1.5
LOW_MM = (-111.0, -147.0, -111.0)
SHAPE = (149, 176, 150)  # voxels of 1.5 mm: to +111, +115.5, +112.5 mm


@dataclass(frozen=True)
class Atlas:
    """Maps on one grid of 1.5 mm (MNI mm, RAS), channels first.

    Args:
        tissue: ``(4, X, Y, Z)`` gray matter, white matter (0..1), signed distance (mm, negative
            inside) to the lateral and third ventricles, signed distance to the fourth ventricle.
        hull: ``(1, X, Y, Z)`` signed distance (mm) to the brain's hull, negative inside.
    """

    tissue: torch.Tensor
    hull: torch.Tensor


def sample(maps: torch.Tensor, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Maps ``(C, X, Y, Z)`` that span the atlas box, read linearly at MNI mm points of any shape
    ``S``: ``(C, *S)``.
    """
    grid = torch.stack(
        [
            (c - low) * (2.0 / ((n - 1) * SPACING_MM)) - 1.0
            for c, low, n in zip((z, y, x), LOW_MM[::-1], SHAPE[::-1], strict=True)
        ],
        dim=-1,
    )
    flat = grid.reshape(1, 1, 1, -1, 3)
    out = F.grid_sample(
        maps[None], flat, mode="bilinear", padding_mode="border", align_corners=True
    )
    return out.reshape(maps.shape[0], *x.shape)


def tentorium_mm(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Height of the tentorium, MNI mm, over (x, y): highest at the straight sinus, falling sideways
    and backward.
    """
    ridge = torch.where(y > -48.0, -2.0 - 0.35 * (y + 48.0).clamp(0, 30), -2.0 + 0.28 * (y + 48.0))
    return ridge - 21.0 * (1.0 - torch.exp(-x.abs() / 20.0)) - 0.06 * x.abs()


def in_posterior_fossa(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Whether a point (MNI mm) lies below the tentorium."""
    return (y < -9.0 - 0.55 * x.abs()) & (z < tentorium_mm(x, y))


def falx_reaches(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Whether the falx is at (y, z), MNI mm: all around the corpus callosum, above the skull
    base.
    """
    return ((((y + 20.0) / 56.0) ** 2 + ((z - 4.0) / 44.0) ** 2) > 1) & (z > -8.0)


def segment_mm(
    x: torch.Tensor,
    y: torch.Tensor,
    z: torch.Tensor,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
) -> torch.Tensor:
    """Distance (mm) of points from the straight line between two ends."""
    (ax, ay, az), (bx, by, bz) = start, end
    dx, dy, dz = bx - ax, by - ay, bz - az
    px, py, pz = x - ax, y - ay, z - az
    t = ((px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz)).clamp(0, 1)
    return ((px - t * dx) ** 2 + (py - t * dy) ** 2 + (pz - t * dz) ** 2).sqrt()


def _signed_distance_mm(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    from scipy.ndimage import distance_transform_edt

    outside: NDArray[np.float64] = distance_transform_edt(~mask, sampling=SPACING_MM)
    inside: NDArray[np.float64] = distance_transform_edt(mask, sampling=SPACING_MM)
    half = 0.5 * SPACING_MM
    return np.where(mask, half - inside, outside - half).astype(np.float32)


def _capsule(
    xyz: NDArray[np.float64], start: tuple[float, ...], end: tuple[float, ...], radius: float
) -> NDArray[np.bool_]:
    a, b = np.asarray(start), np.asarray(end)
    along = np.clip(((xyz - a) @ (b - a)) / ((b - a) @ (b - a)), 0.0, 1.0)
    return np.asarray(((xyz - a - along[..., None] * (b - a)) ** 2).sum(-1) < radius**2)


def _ventricles(
    tissue: NDArray[np.float32], xyz: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Lateral + third, and fourth ventricle: dark, central voxels of the maps, completed by
    geometry.
    """
    from scipy.ndimage import label

    x, y, z = np.abs(xyz[..., 0]), xyz[..., 1], xyz[..., 2]
    box = (x < 45) & (y > -62) & (y < 42) & (z > -4) & (z < 34) & ~((x < 14) & (y < -24) & (z < 13))
    parts, _ = label((tissue < 0.45) & box & (x > 1.2))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    lateral = np.isin(parts, np.flatnonzero(sizes > 400))
    for side in (-1.0, 1.0):
        lateral |= _capsule(xyz, (side * 28, -40, 0), (side * 32, -30, -10), 3.0)
        lateral |= _capsule(xyz, (side * 32, -30, -10), (side * 31, -10, -19), 2.4)
        lateral |= _capsule(xyz, (side * 25, -55, 6), (side * 22, -72, 6), 2.6)
    third = (x < 1.8) & (((y + 12) / 14) ** 2 + ((z + 1) / 9) ** 2 < 1)
    fourth = ((x / 7) ** 2 + ((y + 43) / 6) ** 2 + ((z + 32) / 10) ** 2) < 1
    return lateral | third, fourth


@cache
def load_atlas() -> Atlas:
    """Build the atlas (a few seconds, once a process)."""
    from nilearn import datasets
    from scipy.ndimage import (
        binary_fill_holes,
        distance_transform_edt,
        gaussian_filter,
        map_coordinates,
    )

    axes = [low + SPACING_MM * np.arange(n) for low, n in zip(LOW_MM, SHAPE, strict=True)]
    xyz = np.stack(np.meshgrid(*axes, indexing="ij"), -1)

    def read(image: Any) -> NDArray[np.float32]:
        affine = np.linalg.inv(image.affine)
        ijk = np.moveaxis(xyz @ affine[:3, :3].T + affine[:3, 3], -1, 0)
        data = np.asarray(image.dataobj, np.float32)
        return np.asarray(map_coordinates(data, ijk, order=1, mode="constant"), np.float32)

    gray = read(datasets.load_mni152_gm_template(resolution=1))
    white = read(datasets.load_mni152_wm_template(resolution=1))
    tissue = gray + white
    reach = distance_transform_edt(tissue < 0.3, sampling=SPACING_MM) <= 9.0
    closed = binary_fill_holes(distance_transform_edt(reach, sampling=SPACING_MM) > 9.0)
    closed |= closed[::-1]
    hull = gaussian_filter(_signed_distance_mm(closed), 2.0 / SPACING_MM)
    lateral, fourth = _ventricles(tissue, xyz)
    lateral |= lateral[::-1]
    smooth = [gaussian_filter(_signed_distance_mm(m), 0.8 / SPACING_MM) for m in (lateral, fourth)]
    maps = np.stack([gray, white, *smooth])
    return Atlas(
        torch.from_numpy(np.ascontiguousarray(maps)).float(),
        torch.from_numpy(hull[None].copy()).float(),
    )
