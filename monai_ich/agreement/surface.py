"""Distances between the surfaces of two masks, in millimeters of the world: right on sheared and
anisotropic grids.
"""

from __future__ import annotations

from dataclasses import dataclass

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
class SurfaceDistances:
    """From each boundary voxel of one mask to the nearest of the other; infinite where the other is
    empty.

    Args:
        to_reference_mm: of each boundary voxel of the prediction ``(N,)``.
        to_prediction_mm: of each boundary voxel of the reference ``(M,)``.
    """

    to_reference_mm: FloatArray
    to_prediction_mm: FloatArray


def measure_surface_distances(prediction: Mask, reference: Mask) -> SurfaceDistances:
    """Distances between voxel centers, looked up in a tree of world positions.

    MONAI and SciPy's distance transform take a spacing, which is wrong on the grid of a tilted
    gantry; where axes are perpendicular the results are MONAI's. A boundary voxel is one with a
    face to the outside, or to the image's edge.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    require_one_grid(prediction, reference)
    ours, theirs = _boundary_mm(prediction), _boundary_mm(reference)
    return SurfaceDistances(_nearest_mm(ours, theirs), _nearest_mm(theirs, ours))


def normalized_surface_dice(
    distances: SurfaceDistances, tolerance_mm: float = NSD_TOLERANCE_MM
) -> float:
    """Share of both boundaries that lies within the tolerance of the other, 0 to 1; two empty masks
    agree: 1.

    >>> distances = SurfaceDistances(np.array([0.0, 3.0]), np.array([0.0, 1.0, 2.0, 9.0]))
    >>> round(normalized_surface_dice(distances), 3)  # 1 of 2 and 3 of 4
    0.667

    References:
        Nikolov 2018, arXiv:1809.04430
    """
    both = np.concatenate([distances.to_reference_mm, distances.to_prediction_mm])
    return float((both <= tolerance_mm + _ROUNDING_MM).mean()) if len(both) else 1.0


def hausdorff_95(distances: SurfaceDistances, of: str = "mask") -> Measurement:
    """HD95 in mm; two empty masks agree: 0 mm. Where only one is empty there is no distance, but a
    reason.

    >>> distances = SurfaceDistances(np.zeros(1), np.array([0.0, 10.0]))
    >>> hausdorff_95(distances).value  # 95 % of the way from 0 to 10
    9.5
    """
    ours, theirs = distances.to_reference_mm, distances.to_prediction_mm
    if len(ours) and len(theirs):
        value = max(float(np.percentile(d, 95.0)) for d in (ours, theirs))
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
    if not len(points) or not len(others):
        return np.full(len(points), np.inf)
    return np.asarray(KDTree(others).query(points)[0], np.float64)
