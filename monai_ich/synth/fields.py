"""What is known at a point of a synthetic head; distances from sites on skull, falx, tentorium."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from monai_ich.synth.atlas import falx_reaches, tentorium_mm
from monai_ich.synth.case import HemorrhageCase, Point
from monai_ich.synth.noise import BLOB

CENTER_MM = (0.0, -18.0, 10.0)  # the middle of the head, MNI mm


@dataclass(frozen=True)
class Fields:
    """What is known at a set of points, each a tensor of the points' shape.

    Args:
        hx, hy, hz: undisturbed head, MNI mm.
        bx, by, bz: brain before the mass effect, MNI mm.
        depth: mm below the inner table (below the dura where surgery left no bone); negative in
            bone and outside.
        tissue: ``(4, *S)`` gray, white, distance to lateral + third ventricles, to the fourth (see
            `Atlas`).
        noise: ``(8, *S)`` smooth noise of unit variance (channels named in `noise`).
        clots: for each bleed on the skull, its thickness in mm at the point's place on the skull.
        defect_mm: tangential distance from the axis of the skull defect; 1 m where there is none.
    """

    hx: torch.Tensor
    hy: torch.Tensor
    hz: torch.Tensor
    bx: torch.Tensor
    by: torch.Tensor
    bz: torch.Tensor
    depth: torch.Tensor
    tissue: torch.Tensor
    noise: torch.Tensor
    clots: tuple[torch.Tensor, ...]
    defect_mm: torch.Tensor


def tangential_mm(site: Point, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Distance of head points from the ray through a site on the skull; 1 m for points deeper than
    45 mm.
    """
    axis = [s - c for s, c in zip(site, CENTER_MM, strict=True)]
    length = math.sqrt(sum(a * a for a in axis))
    dx, dy, dz = x - site[0], y - site[1], z - site[2]
    outward = (dx * axis[0] + dy * axis[1] + dz * axis[2]) / length
    square = dx * dx + dy * dy + dz * dz - outward * outward
    return torch.where(outward > -45.0, square.clamp_min(0).sqrt(), 1000.0)


def fold_score(bleed: HemorrhageCase, f: Fields) -> torch.Tensor:
    """Score of a subdural clot along the falx (beside it) or the tentorium (on top of it): a thin
    leaf.
    """
    cx, cy, cz = bleed.center_mm
    if bleed.place == "falx":
        above, there = bleed.side * f.bx - 0.6, falx_reaches(f.by, f.bz) & (f.depth > 1.0)
        square = (f.by - cy) ** 2 + (f.bz - cz) ** 2
    else:
        above, there = (
            f.bz - tentorium_mm(f.bx, f.by) - 0.6,
            (f.by < -38) & (bleed.side * f.bx > 2) & (f.depth > 1.0),
        )
        square = (f.bx - cx) ** 2 + (f.by - cy) ** 2
    leaf = (1.0 - square / bleed.extent_mm**2) * (1.0 + 0.8 * bleed.roughness * f.noise[BLOB])
    return torch.where(
        there & (above > 0) & (leaf > 0.05), above / leaf.clamp(0.05, 1.0), torch.inf
    )
