"""The exact thickness of the clots on a synthetic skull: rays into the continuous head, no
voxels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.synth.fields import CENTER_MM, Fields
from monai_ich.synth.head import Head
from monai_ich.synth.tissue import base_mm

_Look: TypeAlias = Callable[[torch.Tensor], Fields]

_RAYS = 20_000  # over the whole skull: 2 mm apart
_REACH_MM = (40.0, 130.0)  # from the center of the head, the skull is between
_DEEPEST_MM = 45.0
_STEP_MM = 0.25
_BASE_MM = 15.0  # how far the skull base rises into the hull
_ON_SKULL_MM = 1.0  # a clot that begins deeper lies below another one


def true_thickness_mm(head: Head, geometry: Geometry) -> dict[str, float]:
    """Largest thickness of each subtype that has a clot on the skull, world mm, by subtype name.

    From each point of the inner table (of the dura where no bone was ever drawn over it, as below a
    bone flap) a ray follows the normal of that surface inward until it leaves the clot; thickness
    is how far from the inner table that is (of a bumpy one another point may be nearer than the
    ray's own). The rim that bone outshines counts: clot is there, and a reader measures from the
    bone. Rays from where a craniectomy took the bone, and rays that leave the field of view, do not
    count.

    Args:
        head: ready to be looked at.
        geometry: the scan's grid, for its field of view.

    Returns:
        Nothing for a subtype without such a clot in view.
    """
    if not any(b.on_skull for b in head.case.hemorrhages):
        return {}
    scale = torch.tensor(head.case.anatomy.scale, device=head.device)

    def look(points: torch.Tensor) -> Fields:
        """Points ``(..., 3)`` in the head's own directions, mm of the world."""
        return head.fields_of_head(*(points / scale).unbind(-1))

    skull = _skull_points(head, look, scale)
    covered = _blood(head, look(skull + 0.8 * _inward(look, skull)))
    start = skull[torch.stack(list(covered.values())).any(0)]
    normal = _inward(look, start)
    along = torch.arange(0.5 * _STEP_MM, _DEEPEST_MM, _STEP_MM, device=head.device)
    points = start[:, None] + along[:, None] * normal[:, None]
    seen = _in_view(head, scale, geometry, points)
    found = {}
    for name, inside in _blood(head, look(points)).items():
        run = (inside | (along <= _ON_SKULL_MM)).int().cumprod(1) > 0  # not what lies beyond a gap
        ends = (along * (run & inside)).amax(1) + 0.5 * _STEP_MM
        whole = (seen | (along > ends[:, None])).all(1) & (run & inside).any(1)
        if whole.any():
            left = start[whole] + ends[whole, None] * normal[whole]
            found[name] = float(torch.cdist(left, skull).amin(1).max())
    return found


def _skull_points(head: Head, look: _Look, scale: torch.Tensor) -> torch.Tensor:
    """Where rays from the center of the head meet the inner table ``(N, 3)``, without what a
    craniectomy took.
    """
    n = torch.arange(_RAYS, device=head.device) + 0.5
    up, turn = 1.0 - 2.0 * n / _RAYS, math.pi * (1.0 + math.sqrt(5.0)) * n
    flat = (1.0 - up * up).sqrt()
    ray = torch.stack([flat * turn.cos(), flat * turn.sin(), up], -1)
    center = torch.tensor(CENTER_MM, device=head.device) * scale
    low, high = (torch.full((_RAYS, 1), r, device=head.device) for r in _REACH_MM)
    for _ in range(12):
        middle = (low + high) / 2.0
        inside = look(center + middle * ray).depth[:, None] > 0
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    points, defect = _out_of_bone(look, center + low * ray), head.case.anatomy.defect
    if defect is None or defect.kind != "craniectomy":
        return points
    return points[look(points).defect_mm > defect.radius_mm]


def _out_of_bone(look: _Look, points: torch.Tensor) -> torch.Tensor:
    """Points moved inward to where the bones of the skull base end."""
    normal = _inward(look, points)
    along = torch.arange(0.0, _BASE_MM, _STEP_MM, device=points.device)
    bone = base_mm(look(points[:, None] + along[:, None] * normal[:, None])) < 0
    ends = _STEP_MM * bone.int().cumprod(1).sum(1)
    return points + ends[:, None] * normal


def _inward(look: _Look, points: torch.Tensor) -> torch.Tensor:
    """Unit normals ``(N, 3)``: the gradient of the depth, over 2 mm to either side."""
    steps = 2.0 * torch.eye(3, device=points.device)
    gradient = torch.stack([look(points + s).depth - look(points - s).depth for s in steps], -1)
    normal: torch.Tensor = gradient / gradient.norm(dim=-1, keepdim=True)
    return normal


def _blood(head: Head, f: Fields) -> dict[str, torch.Tensor]:
    """By subtype: which points lie in one of its clots on the skull."""
    found: dict[str, torch.Tensor] = {}
    for bleed, size, score in zip(head.case.hemorrhages, head.sizes, head.scores(f), strict=True):
        if bleed.on_skull and size:
            name = Subtype(bleed.subtype).name
            found[name] = found.get(name, torch.zeros_like(f.depth, dtype=torch.bool)) | (
                score <= size
            )
    return found


def _in_view(
    head: Head, scale: torch.Tensor, geometry: Geometry, points: torch.Tensor
) -> torch.Tensor:
    center = torch.tensor(CENTER_MM, device=head.device) * scale
    world = (points - center) @ head.rotation.T + center
    world[..., :2] += torch.tensor(head.case.scanner.offset_mm, device=head.device)
    ijk = geometry.to_voxel(world.cpu().numpy())
    inside = ((ijk >= -0.5) & (ijk <= np.array(geometry.shape) - 0.5)).all(-1)
    return torch.from_numpy(inside).to(head.device)
