"""How near the surfaces of two masks lie, in millimeters of the world: right on sheared and
anisotropic grids.

MONAI, SciPy's distance transform and DeepMind's ``surface-distance`` take a spacing, which is wrong
on the grid of a tilted gantry. Where axes are perpendicular, `hausdorff_95` is MONAI's (boundary
voxels), and `normalized_surface_dice` is DeepMind's (surface elements). DeepMind's own HD95
differs: it weights surface elements by area and does not interpolate the percentile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from monai_ich.agreement.overlap import require_one_grid
from monai_ich.core.geometry import FloatArray
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import Mask, box_around

NSD_TOLERANCE_MM = 2.0
_ROUNDING_MM = 1e-6
_METHOD = "95th percentile of the distances between boundary voxels, the larger of both directions"


@dataclass(frozen=True, eq=False)
class SurfaceElements:
    """The surface of a mask in small pieces, one between each eight voxels that are not all equal.

    Args:
        at_ras_mm: the corner that the eight voxels share ``(N, 3)``.
        area_mm2: of each piece ``(N,)``.
    """

    at_ras_mm: FloatArray
    area_mm2: FloatArray


def find_surface_elements(mask: Mask) -> SurfaceElements:
    """The surface as marching cubes draw it; a mask at the image's edge is closed there.

    A triangle's area comes from its normal, which the affine carries into the world, so that it is
    right under shear.

    References:
        Lorensen 1987, doi:10.1145/37402.37422; Nikolov 2021, doi:10.2196/26151 (table of normals)
    """
    box = box_around(mask.voxels)
    if box is None:
        return SurfaceElements(np.empty((0, 3)), np.empty(0))
    inside = np.pad(mask.voxels[box], 1).astype(np.uint8)
    corners = product((slice(None, -1), slice(1, None)), repeat=3)
    codes = sum(inside[corner] << (7 - n) for n, corner in enumerate(corners))
    codes = np.asarray(codes, np.uint8)
    mixed = (codes > 0) & (codes < 255)
    affine = mask.geometry.affine[:3, :3]
    to_world = np.linalg.det(affine) * np.linalg.inv(affine)  # of rows: normals are covectors
    area_mm2 = np.linalg.norm(_normals() @ to_world, axis=-1).sum(axis=-1)
    at_ras_mm = mask.geometry.crop(box).to_world(np.argwhere(mixed) - 0.5)
    return SurfaceElements(at_ras_mm, np.asarray(area_mm2[codes[mixed]], np.float64))


@cache
def _normals() -> FloatArray:
    """``(256, 4, 3)``: of each pattern of eight voxels up to four triangles, by their normals as
    long as the triangle is large; DeepMind's table, as MONAI holds it.
    """
    from monai.metrics.utils import _get_neighbour_code_to_normals_table

    return np.asarray(_get_neighbour_code_to_normals_table().numpy(), np.float64)


def normalized_surface_dice(
    prediction: Mask, reference: Mask, tolerance_mm: float = NSD_TOLERANCE_MM
) -> float:
    """Share of both surfaces' area that lies within the tolerance of the other, 0 to 1; two empty
    masks agree: 1, where DeepMind's and MONAI's have no value.

    Raises:
        GeometryError: ``GRID_MISMATCH``.

    References:
        Nikolov 2021, doi:10.2196/26151
    """
    require_one_grid(prediction, reference)
    ours, theirs = find_surface_elements(prediction), find_surface_elements(reference)
    near = whole = 0.0
    for one, other in ((ours, theirs), (theirs, ours)):
        distance_mm = _nearest_mm(one.at_ras_mm, other.at_ras_mm)
        near += float(one.area_mm2[distance_mm <= tolerance_mm + _ROUNDING_MM].sum())
        whole += float(one.area_mm2.sum())
    return near / whole if whole else 1.0


def hausdorff_95(prediction: Mask, reference: Mask, of: str = "mask") -> Measurement:
    """HD95 in mm between centers of boundary voxels: those with a face to the outside, or to the
    image's edge.

    Two empty masks agree: 0 mm. Where only one is empty there is no distance, but a reason.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    require_one_grid(prediction, reference)
    ours, theirs = _boundary_mm(prediction), _boundary_mm(reference)
    if len(ours) and len(theirs):
        ways = _nearest_mm(ours, theirs), _nearest_mm(theirs, ours)
        value = max(float(np.percentile(way, 95.0)) for way in ways)
        return Measurement("hd95", value, "mm", of, _METHOD)
    if len(ours) == len(theirs):
        return Measurement("hd95", 0.0, "mm", of, _METHOD)
    reason = "the reference is empty" if len(ours) else "the prediction is empty"
    return Measurement("hd95", None, "mm", of, _METHOD, reason=reason)


def _boundary_mm(mask: Mask) -> FloatArray:
    """World positions ``(N, 3)``."""
    box = box_around(mask.voxels)
    if box is None:
        return np.empty((0, 3))
    inside = mask.voxels[box]
    return mask.geometry.crop(box).to_world(np.argwhere(inside & ~binary_erosion(inside)))


def _nearest_mm(points: FloatArray, others: FloatArray) -> FloatArray:
    """From each point to the nearest of the others; infinite where there are none."""
    if not len(points) or not len(others):
        return np.full(len(points), np.inf)
    return np.asarray(KDTree(others).query(points)[0], np.float64)
