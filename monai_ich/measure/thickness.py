"""Thickness of a clot on the skull (EDH, SDH), perpendicular to the inner table.

A point of the clot's inner border is as deep as its distance to the inner table, and the way there
is the gradient of that distance. Both borders are contours of signed distances within the native
slices (so pixels are never resampled and a gantry tilt does no harm); between slices that are far
apart the table is interpolated by the same distances, so that an oblique skull is met at a right
angle and slice thickness does not enter.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from monai_ich.core.exam_slices import Point
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.machine import cores_here
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import box_around, voxels_of

METHOD = "largest distance of the clot's inner border from the inner table, on native slices"
AXIAL_METHOD = "the same, perpendicular to the inner table within the axial slice"
_RIM_MM = (
    3.0  # partial volume of bone hides what lies nearer to it; a reader measures from the bone
)
MARGIN_MM = 12.0  # what is looked at around a clot
_SUBSLICE_MM = 1.0
_AROUND_MM = 2.0  # not one point decides, but its neighbors
# a clot that is this much narrower than long lies along falx or tentorium, not on the skull
_LEAF = 0.5
_LEAST_SHARE = (
    0.03  # of a border: near half of it is the inner side of a layer, near nothing of a leaf
)
_FACING = 0.5  # cosine
_BONE_HU, _BONE_WITHIN_MM = 200.0, 12.0
_TOP = 400
_DEEPER_MM = 2.0  # than the thickness, for a voxel to be of another part of the clot
_SOME = 20_000  # voxels that stand for a clot
_MOST_OBLIQUE = 0.7  # cosine: 45 degrees, of slices to axial ones and of the skull to slices
_FAR_MM = 1e4  # between slices, so that none is nearer than the own
_ALONG = np.linspace(0.0, 1.0, 17)


@dataclass(frozen=True)
class Thickness:
    """How thick a clot is, or why that is not known.

    Args:
        measurement: perpendicular to the inner table.
        at_ras_mm: the point of the inner border where; None where it was not measured.
        axial: perpendicular to the inner table within the axial slice, as readers of axial images
            and trials measure it; never less than `measurement`.
        least_mm: axial thickness of what could be measured, where `axial` has a reason because
            another part may be thicker.
    """

    measurement: Measurement
    at_ras_mm: Point | None
    axial: Measurement
    least_mm: float | None = None


@dataclass(frozen=True, eq=False)
class _Border:
    """Points of a clot's border with their way to the inner table.

    Args:
        points_mm, feet_mm: ``(N, 3)``, and where the ways end.
        depths_mm: ``(N,)``.
        on_skull: ``(N,)`` which are inner border of a clot on the skull.
    """

    points_mm: FloatArray
    feet_mm: FloatArray
    depths_mm: FloatArray
    on_skull: NDArray[np.bool_]


def measure_thickness(
    mask: NDArray[np.bool_],
    geometry: Geometry,
    cavity: NDArray[np.bool_] | None,
    hu: NDArray[np.float32] | None = None,
    *,
    of: str = "clot",
    bone_hu: float | None = None,
) -> Thickness:
    """Thickness of one extra-axial clot in mm, with the rim between label and bone.

    Args:
        mask: ``(I, J, K)`` one clot, slices along K.
        geometry: of all three.
        cavity: ``(I, J, K)`` the intracranial cavity, whose border is the inner table; None where
            there is none.
        hu: ``(I, J, K)`` the CT; with it, a clot below a craniectomy is not measured from where
            bone is missing.
        of: name of what is measured.
        bone_hu: from which density a voxel of `hu` is bone; None: `least_bone_hu` of it.

    Returns:
        No value but a reason without a cavity, for a clot away from the skull (falx, tentorium),
        below a craniectomy, and where such a part of the clot is wider than the rest is thick. No
        axial value where slices are not axial, or cut the clot so flatly where it is thickest that
        the way within the slice is more than 1.4 times the shortest one.

    References:
        Bullock 2006, doi:10.1227/01.NEU.0000210364.29290.C9 (thickness as a criterion for SDH, on
        axial CT)
    """

    def none(reason: str, least_mm: float | None = None) -> Thickness:
        normal, axial = (
            Measurement(name, None, "mm", of, method, reason=reason)
            for name, method in (("thickness", METHOD), ("axial_thickness", AXIAL_METHOD))
        )
        return Thickness(normal, None, axial, least_mm)

    if cavity is None:
        return none("no intracranial cavity was given")
    if not cavity.any():
        return none("no intracranial cavity is around the clot")
    found = box_around(mask)
    if found is None:
        return none("the clot is empty")
    box = geometry.grow(found, MARGIN_MM)
    near = geometry.crop(box)
    clot = signed_distance_mm(mask[box], near)
    table = signed_distance_mm(cavity[box] | mask[box], near)
    skull, edge = _contour(table, near, _SUBSLICE_MM), _contour(clot, near)
    if not len(skull) or not len(edge):
        return none("the skull around the clot is not in view")
    bone = None if hu is None else (hu[box], least_bone_hu(hu) if bone_hu is None else bone_hu)
    border = _border(edge, skull, cKDTree(skull).query(edge)[1], clot, near)
    if border.on_skull.mean() < _LEAST_SHARE:
        return none("the clot does not lie on the skull (falx, tentorium)")
    best = _thickest(border, near, bone)
    if best is None:
        return none("no bone covers the clot")
    mm, at = best
    axial = _axial(mm, border, table, clot, near, bone)
    wide_mm = _width_elsewhere_mm(mask[box], clot, skull, near, mm)
    if wide_mm > mm:
        return none(
            f"a part of the clot that is up to {wide_mm:.1f} mm wide does not lie on the skull "
            f"(falx, tentorium) or below bone; the rest is {mm:.1f} mm thick",
            mm if isinstance(axial, str) else axial,
        )
    value, reason = (None, axial) if isinstance(axial, str) else (axial, None)
    return Thickness(
        Measurement("thickness", mm, "mm", of, METHOD),
        at,
        Measurement("axial_thickness", value, "mm", of, AXIAL_METHOD, reason=reason),
        mm if value is None else None,
    )


def _border(
    edge: FloatArray,
    skull: FloatArray,
    nearest: NDArray[np.int64],
    clot: FloatArray,
    geometry: Geometry,
) -> _Border:
    foot = skull[nearest]
    depth = np.linalg.norm(edge - foot, axis=1)
    return _Border(edge, foot, depth, _lies_on_skull(edge, foot, depth, clot, geometry))


def _thickest(
    border: _Border, geometry: Geometry, bone: tuple[NDArray[np.float32], float] | None
) -> tuple[float, Point] | None:
    """Largest depth of the inner border below bone, and where; not one point decides. None where no
    bone covers it.
    """
    kept = border.on_skull.copy()
    if bone is not None:
        kept &= _below_bone(border.points_mm, border.feet_mm, border.depths_mm, geometry, *bone)
    if not kept.any():
        return None
    edge, depth = border.points_mm[kept], border.depths_mm[kept]
    top = np.argsort(depth)[-_TOP:]
    around = cKDTree(edge).query_ball_point(edge[top], _AROUND_MM)
    smooth = np.array([np.percentile(depth[points], 75) for points in around])
    best = int(smooth.argmax())
    x, y, z = edge[top[best]].tolist()
    return float(smooth[best]), (x, y, z)


def _axial(
    normal_mm: float,
    border: _Border,
    table: FloatArray,
    clot: FloatArray,
    geometry: Geometry,
    bone: tuple[NDArray[np.float32], float] | None,
) -> float | str:
    """Largest thickness within a slice, or why there is none.

    Where slices cut the skull flatly (toward the vertex) a point does not count: a layer of any
    thickness looks wide there. Below a flat skull, 45 degrees are where the way within the slice is
    1.4 times the shortest one.
    """
    i, j = (geometry.affine[:3, n] / np.linalg.norm(geometry.affine[:3, n]) for n in (0, 1))
    if abs(np.cross(i, j)[2]) < _MOST_OBLIQUE:
        return "the slices are not axial"
    skull = _contour(table, geometry)

    def in_slices(points: FloatArray) -> FloatArray:
        k = np.rint(geometry.to_voxel(points)[:, 2])
        return np.column_stack([points @ i, points @ (j - (j @ i) * i), k * _FAR_MM])

    edge = border.points_mm
    apart, nearest = cKDTree(in_slices(skull)).query(in_slices(edge))
    steep = border.depths_mm > _MOST_OBLIQUE * apart  # never where the slice has no skull
    within = _border(edge[steep], skull, nearest[steep], clot, geometry)
    best = _thickest(within, geometry, bone)
    if best is None or best[0] < normal_mm - max(geometry.spacing_mm[:2]):
        return "axial slices cut the skull at a flat angle where the clot is thickest"
    return max(best[0], normal_mm)


def _width_elsewhere_mm(
    mask: NDArray[np.bool_],
    clot: FloatArray,
    skull: FloatArray,
    geometry: Geometry,
    thickness_mm: float,
) -> float:
    """How wide, on a slice, the clot is where it is deeper than it is thick: away from the skull,
    or below no bone. 0 where it is nowhere.
    """
    voxels = voxels_of(mask)
    voxels = voxels[:: len(voxels) // _SOME + 1]
    depth, _ = cKDTree(skull).query(geometry.to_world(voxels))
    deeper = voxels[depth > thickness_mm + _DEEPER_MM]
    return 2.0 * max(0.0, -float(clot[tuple(deeper.T)].min())) if len(deeper) else 0.0


def least_bone_hu(hu: NDArray[np.float32]) -> float:
    """From which density a voxel of a scan is bone: 200 HU, below its brightest where it is the
    export of a window.
    """
    return min(_BONE_HU, float(hu.max()) - 1.0)


def signed_distance_mm(mask: NDArray[np.bool_], geometry: Geometry) -> FloatArray:
    """In-plane distance to the mask's border on each slice, negative inside, smoothed by half a
    pixel.

    A slice without border takes the distance between slices: the border lies between it and its
    neighbors.
    """
    i_mm, j_mm, _ = geometry.spacing_mm
    gap = geometry.voxel_ml * 1000.0 / (i_mm * j_mm)
    half = 0.25 * (i_mm + j_mm)
    out = np.empty(mask.shape, order="F")

    def measure(k: int) -> None:
        plane = mask[:, :, k]
        if plane.all() or not plane.any():
            out[:, :, k] = -gap if plane.any() else gap
        else:
            outside = distance_transform_edt(~plane, sampling=(i_mm, j_mm))
            inside = distance_transform_edt(plane, sampling=(i_mm, j_mm))
            out[:, :, k] = gaussian_filter(np.where(plane, half - inside, outside - half), 0.5)

    with ThreadPoolExecutor(cores_here()) as pool:
        list(pool.map(measure, range(mask.shape[2])))
    return out


def _contour(distance: FloatArray, geometry: Geometry, step_mm: float | None = None) -> FloatArray:
    """World points ``(N, 3)`` where the distance changes sign between neighbors in a slice, and on
    slices between.
    """
    parts = 1 if step_mm is None else max(1, int(np.ceil(geometry.spacing_mm[2] / step_mm)))
    found = []
    for k in range(distance.shape[2]):
        for share in np.arange(parts) / parts if k + 1 < distance.shape[2] else [0.0]:
            plane = distance[:, :, k]
            if share:
                plane = (1 - share) * plane + share * distance[:, :, k + 1]
            for axis in (0, 1):
                a, b = (plane[:-1], plane[1:]) if axis == 0 else (plane[:, :-1], plane[:, 1:])
                ij = voxels_of((a < 0) != (b < 0)).astype(np.float64)
                low, high = (side[tuple(ij.astype(int).T)] for side in (a, b))
                ij[:, axis] += low / (low - high)
                found.append(np.column_stack([ij, np.full(len(ij), k + share)]))
    return geometry.to_world(np.concatenate(found))


def _lies_on_skull(
    edge: FloatArray, foot: FloatArray, depth: FloatArray, clot: FloatArray, geometry: Geometry
) -> NDArray[np.bool_]:
    """Which points of the border are inner border of a clot on the skull.

    The way to the skull stays in the clot up to the rim; the border there faces away from the skull
    (it does not run along a flank); and the clot is not much narrower than the way is long, as a
    leaf along falx or tentorium is.
    """
    way = edge[:, None] + _ALONG[None, :, None] * (foot - edge)[:, None]
    distance = map_coordinates(
        clot, np.moveaxis(geometry.to_voxel(way), -1, 0), order=1, mode="nearest"
    )
    pixel = max(geometry.spacing_mm[:2])
    hidden = depth[:, None] * (1.0 - _ALONG) < _RIM_MM
    filled = ((distance < 0.5 * pixel) | hidden).all(axis=1)
    outward = _gradient(clot, geometry, edge)
    inward = edge - foot
    faces = (outward * inward).sum(axis=1) > _FACING * np.linalg.norm(
        outward, axis=1
    ) * np.linalg.norm(inward, axis=1)
    wide = 2.0 * np.maximum(0.0, -distance.min(axis=1)) + pixel > _LEAF * (depth - _RIM_MM)
    return np.asarray(filled & faces & wide & (depth > 0.5 * pixel))


def _gradient(distance: FloatArray, geometry: Geometry, points_mm: FloatArray) -> FloatArray:
    """World gradient ``(N, 3)`` of the signed distance, out of the clot."""
    at, steps = geometry.to_voxel(points_mm).T, []
    for n, size in enumerate(distance.shape):
        before, behind = at.copy(), at.copy()
        before[n], behind[n] = np.maximum(at[n] - 1, 0), np.minimum(at[n] + 1, size - 1)
        low, high = (
            map_coordinates(distance, p, order=1, mode="nearest") for p in (before, behind)
        )
        steps.append((high - low) / np.maximum(behind[n] - before[n], 1e-9))
    return np.asarray(np.stack(steps, axis=1) @ np.linalg.inv(geometry.affine[:3, :3]))


def _below_bone(
    edge: FloatArray,
    foot: FloatArray,
    depth: FloatArray,
    geometry: Geometry,
    hu: NDArray[np.float32],
    bone_hu: float,
) -> NDArray[np.bool_]:
    """Whether bone lies behind the skull's border, on the way on from each point."""
    outward = (foot - edge) / np.maximum(depth, 1e-6)[:, None]
    behind = foot[:, None] + np.arange(0.0, _BONE_WITHIN_MM)[None, :, None] * outward[:, None]
    found = map_coordinates(
        hu, np.moveaxis(geometry.to_voxel(behind), -1, 0), order=1, mode="nearest"
    )
    return np.asarray(found.max(axis=1) >= bone_hu)
