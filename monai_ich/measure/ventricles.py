"""Volume of the ventricles, their left-right ratio and Evans' index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.exam import Ventricles
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.measurement import Measurement, NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.volume import LabelMap
from monai_ich.measure.volume import METHOD

EVANS_METHOD = (
    "largest width of the frontal horns over the largest inner skull width on the same slice"
)
# in front of the ventricles' center: the foramina of Monro; what lies before them is frontal horn
_AHEAD_MM = 12.0
_BELOW_MM = 15.0  # further below the center: third ventricle and temporal horns
_LEAST_ML = 1.0
_MOST_OBLIQUE = 0.7  # 45 degrees
_SIDES = (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE)


def measure_ventricles(anatomy: LabelMap | None, midline: Midline | NotMeasurable) -> Ventricles:
    """Measure the lateral and third ventricles.

    Args:
        anatomy: map of `Anatomy`, slices along K; None where there is none.
        midline: says which way is left and right.

    References:
        Evans 1942, doi:10.1001/archneurpsyc.1942.02290060069004; Relkin 2005,
        doi:10.1227/01.NEU.0000168185.29659.C5
    """
    if anatomy is None:
        reason = "no anatomy labels were given"
        return Ventricles(_volume(None, reason), _ratio(None, reason), _evans(None, reason))
    left, right = (anatomy.volume_ml(side) for side in _SIDES)
    ratio = (
        _ratio(left / right)
        if left and right
        else _ratio(None, "a lateral ventricle was not found")
    )
    found = _widest_slice(anatomy, midline)
    if isinstance(found, NotMeasurable):
        return Ventricles(_volume(left + right), ratio, _evans(None, found.reason))
    return Ventricles(_volume(left + right), ratio, _evans(found[0]), found[1])


def _volume(value: float | None, reason: str | None = None) -> Measurement:
    return Measurement("ventricle_volume", value, "mL", "ventricles", METHOD, reason=reason)


def _ratio(value: float | None, reason: str | None = None) -> Measurement:
    return Measurement("left_right_ratio", value, "1", "ventricles", METHOD, reason=reason)


def _evans(value: float | None, reason: str | None = None) -> Measurement:
    return Measurement("evans_index", value, "1", "ventricles", EVANS_METHOD, reason=reason)


def _widest_slice(
    anatomy: LabelMap, midline: Midline | NotMeasurable
) -> tuple[float, int] | NotMeasurable:
    """Evans' index and the slice of the widest frontal horns, or why there is none.

    Frontal horns are what the ventricles have in front of the foramina of Monro, which lie 12 mm
    before the center of the ventricles, and above the third ventricle and the temporal horns.
    Widths run across the midsagittal plane.
    """
    if isinstance(midline, NotMeasurable):
        return midline
    geometry, ijk = anatomy.geometry, _ventricles(anatomy)
    if len(ijk) * geometry.voxel_ml < _LEAST_ML:
        return NotMeasurable("the ventricles are too small to be measured")
    i, j = geometry.affine[:3, 0], geometry.affine[:3, 1]
    across = np.cross(i, j) / np.linalg.norm(np.cross(i, j))
    if abs(across[2]) < _MOST_OBLIQUE:
        return NotMeasurable("the slices are not axial")
    ahead = np.array([0.0, 1.0, 0.0]) - midline.normal[1] * midline.normal
    ahead /= np.linalg.norm(ahead)
    up = np.cross(midline.normal, ahead)
    world = geometry.to_world(ijk)
    offset = world - world.mean(axis=0)
    horn = ijk[(offset @ ahead > _AHEAD_MM) & (offset @ up > -_BELOW_MM)]
    slices = {int(k): horn[horn[:, 2] == k] for k in np.unique(horn[:, 2])}
    width = {
        k: _width(here, midline, geometry) for k, here in slices.items() if _both(here, anatomy)
    }
    if not width:
        return NotMeasurable("the frontal horns were not found on both sides")
    k = max(width, key=lambda slice_index: width[slice_index])
    inside = anatomy.voxels[:, :, k] > 0
    if any(end.any() for end in (inside[0], inside[-1], inside[:, 0], inside[:, -1])):
        return NotMeasurable("the skull is cut by the field of view")
    rows = np.argwhere(inside)
    return width[k] / _width(np.column_stack([rows, np.full(len(rows), k)]), midline, geometry), k


def _ventricles(anatomy: LabelMap) -> NDArray[np.int64]:
    """Their voxels ``(N, 3)``."""
    boxes = anatomy.boxes()
    found = [
        np.argwhere(anatomy.voxels[boxes[v]] == v) + [s.start for s in boxes[v]]
        for v in _SIDES
        if v in boxes
    ]
    return np.concatenate(found) if found else np.empty((0, 3), np.int64)


def _both(ijk: NDArray[np.int64], anatomy: LabelMap) -> bool:
    return set(_SIDES) <= set(anatomy.voxels[tuple(ijk.T)].tolist())


def _width(ijk: NDArray[np.int64], midline: Midline, geometry: Geometry) -> float:
    """Extent across the midsagittal plane, from edge to edge of the voxels, mm."""
    distance: FloatArray = midline.distance_mm(geometry.to_world(ijk))
    pixel = float(np.abs(geometry.affine[:3, :2].T @ midline.normal).max())
    return float(np.ptp(distance)) + pixel
