"""Make a synthetic scan from its record: image, truth labels, truth numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.synth.case import HeadCase
from monai_ich.synth.head import Head
from monai_ich.synth.scanner import blur, expose, fine_offsets_mm, plane_points, scan_geometry
from monai_ich.synth.thickness import true_thickness_mm
from monai_ich.synth.tissue import AIR_HU, Painted, may_be_body, paint

_MAX_BONE_HU = 80.0  # where bone adds more than this to a voxel, blood cannot be seen
_COARSEST_PIXEL_MM = 1.0  # finer pixels than this are interpolated from a grid of this size


@dataclass(frozen=True)
class Truth:
    """What is exactly known about a synthetic scan.

    Args:
        volume_ml: by subtype, from partial-volume shares (not from the voxel labels), without the
            rim that bone outshines, where nobody could see blood.
        midline_shift_mm: at the foramina of Monro, positive to the patient's right.
        midline_shift_max_mm: the largest from there to the splenium and the genu.
        cavity_ml: intracranial cavity inside the field of view.
        thickness_mm: of each subtype with a clot on the skull (EDH, SDH), the largest in view, in
            mm of the world along the skull's normal, with the rim that bone outshines (see
            `true_thickness_mm`); empty where it was not asked for.
        edema_ml: around all clots; no blood.
    """

    volume_ml: dict[str, float]
    midline_shift_mm: float
    midline_shift_max_mm: float
    cavity_ml: float
    thickness_mm: dict[str, float]
    edema_ml: float = 0.0

    @property
    def total_ml(self) -> float:
        """All subtypes."""
        return sum(self.volume_ml.values())


@dataclass(frozen=True, eq=False)
class SyntheticScan:
    """A scan with its truth; all on one grid.

    Args:
        bone: share of bone in each voxel, 0..1.
    """

    case: HeadCase
    ct: CTVolume
    labels: LabelMap
    edema: Mask
    anatomy: LabelMap
    truth: Truth
    bone: NDArray[np.float32]


def synthesize(
    case: HeadCase, device: torch.device | str = "cpu", *, thickness: bool = True
) -> SyntheticScan:
    """Make the head of `case` and scan it.

    Truth follows the image: shares of each class are averaged over the slice as HU are. A part of
    the head is where its share is more than one half; a bleed is the voxels that hold most of it,
    as many as its volume. On one device the same case gives the same scan, bit for bit.

    Args:
        case: what to make.
        device: torch device.
        thickness: whether the truth holds thickness too, which takes a fifth of the time; training
            does not need it.
    """
    with torch.inference_mode():
        return _synthesize(case, torch.device(device), thickness)


def _synthesize(case: HeadCase, device: torch.device, thickness: bool) -> SyntheticScan:
    head = Head(case, device)
    geometry = scan_geometry(case.scanner)
    coarse = _coarser(geometry)
    slices = [_paint_slice(head, coarse, k, device) for k in range(geometry.shape[2])]
    hu, blood, edema, parts, bone = (
        torch.stack(maps, -1) for maps in zip(*map(_maps, slices), strict=True)
    )
    rim_hu = case.anatomy.bone_hu * blur(bone, case.scanner.blur_mm / coarse.spacing_mm[0])
    seen = blood * (rim_hu < _MAX_BONE_HU)
    truth = Truth(
        {
            s.name: round(float(v), 4)
            for s, v in zip(Subtype, seen.sum((1, 2, 3)) * coarse.voxel_ml, strict=True)
        },
        round(head.shift_at_monro_mm(), 3),
        round(head.shift_mm, 3),
        round(float(parts.sum() * coarse.voxel_ml), 2),
        {name: round(mm, 2) for name, mm in true_thickness_mm(head, geometry).items()}
        if thickness
        else {},
        round(float(edema.sum() * coarse.voxel_ml), 4),
    )
    size, ratio = geometry.shape[:2], coarse.voxel_ml / geometry.voxel_ml
    image = _resize(hu[None], size)[0]
    generator = torch.Generator().manual_seed(case.seed + 7)
    image = expose(image, case.scanner, geometry, generator)
    labels = _fullest(_resize(seen, size), seen.sum((1, 2, 3)) * ratio)
    wet = _resize(edema[None], size)[0].cpu().numpy() > 0.5
    return SyntheticScan(
        case,
        CTVolume(np.rint(image.cpu().numpy()).astype(np.float32), geometry),
        LabelMap(labels, geometry, Subtype),
        Mask(wet & (labels == 0), geometry),
        LabelMap(_winner(_resize(parts, size)), geometry, Anatomy),
        truth,
        _resize(bone[None], size)[0].cpu().numpy(),
    )


def _maps(p: Painted) -> tuple[torch.Tensor, ...]:
    return p.hu, p.blood, p.edema, p.anatomy, p.bone


def _paint_slice(head: Head, geometry: Geometry, k: int, device: torch.device) -> Painted:
    """The mean of the fine planes of slice `k`, ``(*, I, J)``; what is air for sure is not
    painted.
    """
    planes = [plane_points(geometry, k, o, device) for o in fine_offsets_mm(head.case.scanner)]
    size = geometry.shape[:2]
    near = _near_body(head, plane_points(geometry, k, 0.0, device), size)
    points = [
        torch.stack([torch.broadcast_to(p[d], size)[near] for p in planes], -1) for d in range(3)
    ]
    found = paint(head, head.fields(*points))

    def spread(values: torch.Tensor, outside: float = 0.0) -> torch.Tensor:
        full = torch.full((*values.shape[:-2], *size), outside, device=device)
        full[..., near] = values.mean(-1)
        return full

    hu, *shares = _maps(found)
    return Painted(spread(hu, AIR_HU), *map(spread, shares))


def _near_body(head: Head, plane: tuple[torch.Tensor, ...], size: tuple[int, int]) -> torch.Tensor:
    """Which pixels of a plane may be something other than air: looked up at every fourth, widened
    by as much.
    """
    few = [torch.broadcast_to(p, size)[2::4, 2::4] for p in plane]
    near = F.max_pool2d(may_be_body(head, *few).float()[None], 3, 1, 1)[0] > 0
    for axis in (0, 1):
        at = torch.arange(size[axis], device=near.device).div(4, rounding_mode="floor")
        near = near.index_select(axis, at.clamp_max(near.shape[axis] - 1))
    return near


def _coarser(geometry: Geometry) -> Geometry:
    """The same field of view with pixels of at least `_COARSEST_PIXEL_MM`."""
    pixel = geometry.spacing_mm[0]
    if pixel >= 0.9 * _COARSEST_PIXEL_MM:
        return geometry
    count = math.ceil(geometry.shape[0] * pixel / _COARSEST_PIXEL_MM)
    ratio = geometry.shape[0] / count
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_world([(ratio - 1) / 2, (ratio - 1) / 2, 0])
    affine[:3, :2] *= ratio
    return Geometry((count, count, geometry.shape[2]), affine)


def _resize(maps: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """``(C, I, J, K)`` to another in-plane size of the same field of view, linearly."""
    if tuple(maps.shape[1:3]) == tuple(size):
        return maps
    planes = maps.permute(0, 3, 1, 2)
    return F.interpolate(planes, size=tuple(size), mode="bilinear", align_corners=False).permute(
        0, 2, 3, 1
    )


def _winner(shares: torch.Tensor) -> NDArray[np.uint8]:
    """The class with the largest share where all together hold more than one half of the voxel."""
    label = (shares.max(0).indices + 1) * (shares.sum(0) > 0.5)
    return label.to(torch.uint8).cpu().numpy()


def _fullest(shares: torch.Tensor, voxels: torch.Tensor) -> NDArray[np.uint8]:
    """Each class in as many voxels as its volume fills, those that hold most of it.

    For a thick clot this is the half that is in it. Of a layer thinner than a voxel no voxel is
    half full: of blood in sulci on 5 mm slices, one half would lose a fifth, and whoever learns
    from such labels, too.

    Args:
        shares: of each class in each voxel, ``(C, I, J, K)``.
        voxels: volume of each class, in voxels, ``(C,)``.
    """
    first = shares.max(0).indices  # argmax takes five times as long
    label = torch.zeros(first.shape, dtype=torch.uint8, device=shares.device)
    for value, (share, count) in enumerate(
        zip(shares, voxels.round().long().tolist(), strict=True)
    ):
        at = ((first == value) & (share > 0)).nonzero(as_tuple=True)
        fullest = share[at].argsort(descending=True, stable=True)[:count]
        label[tuple(index[fullest] for index in at)] = value + 1
    return label.cpu().numpy()
