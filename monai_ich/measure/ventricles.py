"""Volume of the ventricles, their left-right ratio, Evans' index and width of the third one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.atlas import AtlasPose
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
THIRD_METHOD = "mean of the middle half of widths across the midsagittal plane, on the widest slice"
_NO_POSE = NotMeasurable("the head was not brought to the atlas")
_NO_HORNS = "the anatomy labels do not part the temporal horns from the rest of the ventricles"
_THIRD_MNI_MM = np.array([[-15.0, 15.0], [-22.0, -2.0], [-8.0, 4.0]])  # below the lateral ones
_SIDES = (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE)


def measure_ventricles(
    anatomy: LabelMap | None,
    midline: Midline | NotMeasurable,
    pose: AtlasPose | NotMeasurable = _NO_POSE,
) -> Ventricles:
    """Measure the lateral and third ventricles.

    Args:
        anatomy: map of `Anatomy`, slices along K; None where there is none.
        midline: says which way is left and right.
        pose: tells the third ventricle from the others.

    References:
        Evans 1942, doi:10.1001/archneurpsyc.1942.02290060069004; Relkin 2005,
        doi:10.1227/01.NEU.0000168185.29659.C5
    """
    if anatomy is None:
        reason = "no anatomy labels were given"
        volume, ratio, evans = _volume(None, reason), _ratio(None, reason), _evans(None, reason)
        return Ventricles(volume, ratio, evans, None, _third(None, reason), _horns(reason))
    left, right = (anatomy.volume_ml(side) for side in _SIDES)
    ratio = (
        _ratio(left / right)
        if left and right
        else _ratio(None, "a lateral ventricle was not found")
    )
    ijk = _ventricles(anatomy)
    found = _widest_slice(anatomy, ijk, midline)
    evans, k = (
        (_evans(None, found.reason), None)
        if isinstance(found, NotMeasurable)
        else (_evans(found[0]), found[1])
    )
    third = _third_mm(anatomy.geometry, ijk, midline, pose)
    width = _third(None, third.reason) if isinstance(third, NotMeasurable) else _third(third)
    return Ventricles(_volume(left + right), ratio, evans, k, width, _horns(_NO_HORNS))


def _third_mm(
    geometry: Geometry,
    ijk: NDArray[np.int64],
    midline: Midline | NotMeasurable,
    pose: AtlasPose | NotMeasurable,
) -> float | NotMeasurable:
    """Width in a line: of a bent ventricle the whole slice would be too wide. Voxels are counted,
    so that brain between two parts of the ventricles is no width.
    """
    for known in (midline, pose):
        if isinstance(known, NotMeasurable):
            return known
    assert isinstance(midline, Midline) and isinstance(pose, AtlasPose)
    low, high = _THIRD_MNI_MM.T
    mni = pose.to_mni(geometry.to_world(ijk))
    here = ijk[((mni > low) & (mni < high)).all(axis=1)]
    if not len(here):
        return NotMeasurable("the third ventricle was not found")
    along = int(np.abs(geometry.affine[:3, :2].T @ midline.normal).argmin())  # runs to the front
    lines, line = np.unique(here[:, [along, 2]], axis=0, return_inverse=True)
    pixel = float(np.abs(geometry.affine[:3, :2].T @ midline.normal).max())
    widths = pixel * np.bincount(line.reshape(-1))
    return max(_middle_mean(widths[lines[:, 1] == k]) for k in np.unique(lines[:, 1]))


def _middle_mean(values: FloatArray) -> float:
    """The mean of the middle half: as robust as the median, and finer than a pixel.

    >>> _middle_mean(np.array([1.0, 3.0, 4.0, 90.0]))
    3.5
    """
    ordered, cut = np.sort(values), len(values) // 4
    return float(ordered[cut : len(values) - cut].mean())


def _volume(value: float | None, reason: str | None = None) -> Measurement:
    return Measurement("ventricle_volume", value, "mL", "ventricles", METHOD, reason=reason)


def _ratio(value: float | None, reason: str | None = None) -> Measurement:
    return Measurement("left_right_ratio", value, "1", "ventricles", METHOD, reason=reason)


def _evans(value: float | None, reason: str | None = None) -> Measurement:
    return Measurement("evans_index", value, "1", "ventricles", EVANS_METHOD, reason=reason)


def _third(value: float | None, reason: str | None = None) -> Measurement:
    return Measurement("third_ventricle", value, "mm", "ventricles", THIRD_METHOD, reason=reason)


def _horns(reason: str) -> Measurement:
    return Measurement("temporal_horns", None, "mm", "ventricles", "width", reason=reason)


def _widest_slice(
    anatomy: LabelMap, ijk: NDArray[np.int64], midline: Midline | NotMeasurable
) -> tuple[float, int] | NotMeasurable:
    """Evans' index and the slice of the widest frontal horns, or why there is none.

    Frontal horns are what the ventricles have in front of the foramina of Monro, which lie 12 mm
    before the center of the ventricles, and above the third ventricle and the temporal horns.
    Widths run across the midsagittal plane.
    """
    if isinstance(midline, NotMeasurable):
        return midline
    geometry = anatomy.geometry
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
