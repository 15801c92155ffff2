"""The basal cisterns and what adjoins them, as lines: where blood of a ruptured aneurysm lies as a star."""

from __future__ import annotations

import torch

# MNI mm, mirrored: start, end
_LINES = (
    ((0.0, 2.0, -20.0), (9.0, -4.0, -20.0)),  # suprasellar
    ((9.0, -2.0, -19.0), (28.0, 4.0, -17.0)),  # stem of the Sylvian fissure
    ((28.0, 4.0, -17.0), (42.0, 6.0, -2.0)),  # Sylvian fissure, in front
    ((42.0, 6.0, -2.0), (44.0, -24.0, 13.0)),  # and behind
    ((0.0, 4.0, -18.0), (0.0, 34.0, -10.0)),  # between the frontal lobes, below
    ((0.0, 34.0, -10.0), (0.0, 50.0, 12.0)),  # and in front
    ((10.0, -8.0, -18.0), (19.0, -24.0, -12.0)),  # ambient
    ((19.0, -24.0, -12.0), (6.0, -38.0, -2.0)),  # quadrigeminal
    ((3.0, -10.0, -22.0), (3.0, -14.0, -44.0)),  # before the pons
)


def cisterns_mm(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Distance (mm) of points (MNI mm, brain before the mass effect) from the nearest of these lines."""
    x, nearest = x.abs(), torch.full_like(x, torch.inf)
    for (ax, ay, az), (bx, by, bz) in _LINES:
        dx, dy, dz = bx - ax, by - ay, bz - az
        px, py, pz = x - ax, y - ay, z - az
        t = ((px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz)).clamp(0, 1)
        nearest = torch.minimum(nearest, (px - t * dx) ** 2 + (py - t * dy) ** 2 + (pz - t * dz) ** 2)
    return nearest.sqrt()
