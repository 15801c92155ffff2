"""Lesions: connected pieces of one subtype, each with what a reader asks of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, label
from scipy.spatial import cKDTree

from monai_ich.core.errors import GeometryError
from monai_ich.core.exam import Lesion
from monai_ich.core.geometry import FloatArray
from monai_ich.core.labels import EXTRA_AXIAL, Anatomy, Subtype
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CONNECTED_26, CTVolume, LabelMap
from monai_ich.measure.abc2 import measure_abc2
from monai_ich.measure.shape import sphericity
from monai_ich.measure.thickness import measure_thickness

_LEFT = (Anatomy.LEFT_HEMISPHERE, Anatomy.LEFT_VENTRICLE)
_RIGHT = (Anatomy.RIGHT_HEMISPHERE, Anatomy.RIGHT_VENTRICLE)


def find_lesions(
    labels: LabelMap, *, ct: CTVolume | None = None, anatomy: LabelMap | None = None, midline: Midline | None = None
) -> tuple[Lesion, ...]:
    """26-connected pieces of each subtype, largest first; empty where there is no blood.

    Args:
        labels: map of `Subtype`, slices along K (see `slices_last`).
        ct: for densities, and to see where bone is missing over an extra-axial clot.
        anatomy: map of `Anatomy`, for side, compartment, distance to the skull and thickness.
        midline: for the side of lesions in the posterior fossa, which has no sides of its own.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where CT or anatomy lie on another grid.
    """
    for other in (ct, anatomy):
        if other is not None and not other.geometry.same_grid(labels.geometry):
            raise GeometryError(
                "GRID_MISMATCH",
                "CT, anatomy and hemorrhage labels must lie on one grid: bring the mask there with monai-ich resample.",
            )
    cavity = anatomy.voxels > 0 if anatomy is not None else None
    skull = _inner_skull(cavity, labels)
    lesions = []
    for subtype in Subtype:
        found = find_objects((labels.voxels == int(subtype)).astype(np.uint8))
        if not found or found[0] is None:
            continue
        outer = found[0]
        pieces, _ = label(labels.voxels[outer] == int(subtype), structure=CONNECTED_26)
        for number, inner in enumerate(find_objects(pieces), start=1):
            box = tuple(slice(o.start + s.start, o.start + s.stop) for o, s in zip(outer, inner, strict=True))
            mask = pieces[inner] == number
            lesion = _describe(subtype, mask, box, labels, ct, anatomy, midline, skull)
            if subtype in EXTRA_AXIAL:
                whole = np.zeros(labels.voxels.shape, bool)
                whole[box] = mask
                hu = ct.hu if ct is not None else None
                thick = measure_thickness(whole, labels.geometry, cavity, hu, of=subtype.name)
                lesion = replace(lesion, thickness=thick.measurement, thickest_at_ras_mm=thick.at_ras_mm)
            lesions.append(lesion)
    lesions.sort(key=lambda lesion: -lesion.volume_ml)
    return tuple(replace(lesion, id=n) for n, lesion in enumerate(lesions, start=1))


def _inner_skull(cavity: NDArray[np.bool_] | None, labels: LabelMap) -> cKDTree | None:
    """Where the cavity ends inside the image: the midpoints between its voxels and those outside, RAS mm."""
    if cavity is None or cavity.all() or not cavity.any():
        return None
    ijk = np.argwhere(cavity & binary_dilation(~cavity))
    found = []
    for axis in range(3):
        for step in (-1, 1):
            there = ijk.copy()
            there[:, axis] += step
            inside = (there[:, axis] >= 0) & (there[:, axis] < cavity.shape[axis])
            ends = ijk[inside][~cavity[tuple(there[inside].T)]].astype(np.float64)
            ends[:, axis] += 0.5 * step
            found.append(ends)
    return cKDTree(labels.geometry.to_world(np.concatenate(found)))


def _skull_mm(points_mm: FloatArray, skull: cKDTree | None, pixel_mm: float) -> float | None:
    """From the lesion's border (half a pixel outside of its outermost centers) to the skull; 0 where they touch."""
    if skull is None:
        return None
    return max(0.0, float(skull.query(points_mm)[0].min()) - 0.5 * pixel_mm)


def _describe(
    subtype: Subtype,
    mask: NDArray[np.bool_],
    box: tuple[slice, ...],
    labels: LabelMap,
    ct: CTVolume | None,
    anatomy: LabelMap | None,
    midline: Midline | None,
    skull: cKDTree | None,
) -> Lesion:
    geometry = labels.geometry.crop((box[0], box[1], box[2]))
    points = geometry.to_world(np.argwhere(mask))
    centroid = points.mean(axis=0)
    parts = np.bincount(anatomy.voxels[box][mask], minlength=6) if anatomy is not None else np.zeros(6, np.int64)
    density = ct.hu[box][mask] if ct is not None else None
    return Lesion(
        id=0,
        subtype=subtype,
        volume_ml=int(mask.sum()) * geometry.voxel_ml,
        abc2_ml=measure_abc2(mask, geometry),
        centroid_ras_mm=(float(centroid[0]), float(centroid[1]), float(centroid[2])),
        side=_side(parts, centroid, midline),
        compartment=_compartment(parts),
        slices=(box[2].start, box[2].stop - 1),
        mean_hu=float(density.mean()) if density is not None else None,
        sd_hu=float(density.std()) if density is not None else None,
        max_hu=float(density.max()) if density is not None else None,
        sphericity=sphericity(mask, geometry),
        skull_mm=_skull_mm(points, skull, geometry.spacing_mm[0]),
    )


def _side(parts: NDArray[np.int64], centroid: NDArray[np.float64], midline: Midline | None) -> str:
    left, right = int(parts[list(_LEFT)].sum()), int(parts[list(_RIGHT)].sum())
    if left + right >= max(1, int(parts[Anatomy.POSTERIOR_FOSSA])):
        if max(left, right) < 0.8 * (left + right):
            return "both"
        return "left" if left > right else "right"
    if midline is not None and parts.sum() > 0:
        return "right" if float(midline.distance_mm(centroid[None])[0]) > 0 else "left"
    return "unknown"


def _compartment(parts: NDArray[np.int64]) -> str:
    inside = int(parts[1:].sum())
    if inside == 0:
        return "unknown"
    return "infratentorial" if int(parts[Anatomy.POSTERIOR_FOSSA]) * 2 > inside else "supratentorial"
