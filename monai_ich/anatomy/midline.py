"""The ideal and the displaced midline from anatomy labels.

The hemisphere labels meet at the displaced midline. Near the skull the falx holds the brain: there the interface lies
on the ideal midsagittal plane, whatever happens deeper, and that is where the plane is fitted (anterior, posterior and
vertex insertion of the falx), robustly. Everything is done in world millimeters, so orientation, tilt and slice
thickness do not enter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.midline import Midline
from monai_ich.core.volume import LabelMap

_RIM_MM = 10.0
_HELD_MM = 4.0  # the deeper a point lies, the less the falx holds it
_LEVEL_RADIUS_MM = 28.0
_MIN_POINTS = 60
_WORKING_MM = 0.9


def fit_midline(anatomy: LabelMap) -> Midline | str:
    """Fit the ideal plane and find the displaced midline.

    The level of septum pellucidum and third ventricle is what lies within 28 mm, along the ideal plane, of the
    center of the lateral and third ventricles (of the hemispheres where no ventricle is labeled).

    Args:
        anatomy: map of `Anatomy`.

    Returns:
        The midline, or the reason in words why it cannot be measured.
    """
    voxels, geometry = _thinned(anatomy)
    left = _largest(np.isin(voxels, (Anatomy.LEFT_HEMISPHERE, Anatomy.LEFT_VENTRICLE)))
    right = _largest(np.isin(voxels, (Anatomy.RIGHT_HEMISPHERE, Anatomy.RIGHT_VENTRICLE)))
    if not left.any() or not right.any():
        return "a hemisphere was not found"
    inside = np.pad(voxels > 0, 1)
    depth = distance_transform_edt(inside, sampling=geometry.spacing_mm)[1:-1, 1:-1, 1:-1]
    points, depths, slices = _interface(left, right, np.asarray(depth), geometry)
    rim = _uncut(points, depths, geometry) & (depths < _RIM_MM)
    if rim.sum() < _MIN_POINTS:
        return "the hemispheres do not meet near the skull"
    start = geometry.to_world(np.argwhere(right).mean(0)) - geometry.to_world(np.argwhere(left).mean(0))
    fitted = _fit_plane(points[rim], 1.0 / (1.0 + (depths[rim] / _HELD_MM) ** 2), start)
    if fitted is None:
        return "the midsagittal plane is ill-defined"
    point, normal = fitted
    ventricles = np.argwhere(np.isin(voxels, (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE)))
    enough = len(ventricles) * geometry.voxel_ml > 1.0
    center = geometry.to_world((ventricles if enough else np.argwhere(left | right)).mean(axis=0))
    offset = points - center
    along = offset - (offset @ normal)[:, None] * normal
    level = (np.linalg.norm(along, axis=1) < _LEVEL_RADIUS_MM) & (depths > _RIM_MM)
    return Midline(point, normal, points[level], slices[level])


def _thinned(anatomy: LabelMap) -> tuple[NDArray[np.uint8], Geometry]:
    """Every n-th voxel in plane where pixels are finer than needed, for speed."""
    steps = [max(1, int(_WORKING_MM / s + 0.2)) for s in anatomy.geometry.spacing_mm]
    voxels = anatomy.voxels[:: steps[0], :: steps[1], :: steps[2]]
    affine = anatomy.geometry.affine.copy()
    affine[:3, :3] *= steps
    return voxels, Geometry(voxels.shape, affine)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, count = label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(pieces == sizes.argmax())


def _interface(
    left: NDArray[np.bool_], right: NDArray[np.bool_], depth: FloatArray, geometry: Geometry
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """World midpoints between neighbors of different sides, their depth in the cavity (mm) and slice index."""
    points, depths, slices = [], [], []
    factor = geometry.shape[2]
    for axis in range(3):
        low: list[slice] = [slice(None)] * 3
        high: list[slice] = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(low), tuple(high)
        meets = np.argwhere((left[a] & right[b]) | (right[a] & left[b]))
        middle = meets.astype(np.float64)
        middle[:, axis] += 0.5
        points.append(geometry.to_world(middle))
        depths.append(depth[tuple(meets.T)])
        slices.append(np.minimum(np.rint(middle[:, 2]), factor - 1))
    return np.concatenate(points), np.concatenate(depths), np.concatenate(slices)


def _uncut(points: FloatArray, depths: FloatArray, geometry: Geometry) -> NDArray[np.bool_]:
    """Points whose nearest border is the skull, not the end of the field of view."""
    ijk = geometry.to_voxel(points)
    spacing = np.array(geometry.spacing_mm)
    to_edge = np.minimum(ijk + 1, np.array(geometry.shape) - ijk) * spacing
    return np.asarray(to_edge.min(axis=1) > depths + 0.5 * spacing.max())


def _fit_plane(points: FloatArray, trust: FloatArray, start: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Robust plane (iteratively reweighted, Tukey's biweight); None where the points do not span one."""
    weight = trust
    point, normal = points.mean(axis=0), start / np.linalg.norm(start)
    for _ in range(30):
        point = np.average(points, axis=0, weights=weight)
        centered = (points - point) * np.sqrt(weight)[:, None]
        spread, axes = np.linalg.eigh(centered.T @ centered / weight.sum())
        normal = axes[:, 0]
        if spread[1] < 15.0**2 or abs(normal @ start) < 0.7 * np.linalg.norm(start):
            return None
        residual = (points - point) @ normal
        scale = max(0.3, 1.4826 * float(np.median(np.abs(residual[weight > 0]))))
        weight = trust * np.clip(1.0 - (residual / (4.685 * scale)) ** 2, 0.0, None) ** 2
    if normal @ start < 0:
        normal = -normal
    return (point, normal) if normal[0] > 0.3 else None
