"""Lesions: connected pieces of one subtype, each with what a reader asks of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, find_objects
from scipy.spatial import cKDTree

from monai_ich.core.geometry import Box, FloatArray
from monai_ich.core.labels import EXTRA_AXIAL, Anatomy, Hemorrhage, Subtype
from monai_ich.core.lesion import Lesion, Specks
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import (
    CONNECTED_26,
    CTVolume,
    LabelMap,
    box_around,
    box_inside,
    neighbors,
    voxels_of,
)
from monai_ich.measure.abc2 import measure_abc2
from monai_ich.measure.density import classify_density
from monai_ich.measure.shape import sphericity
from monai_ich.measure.thickness import MARGIN_MM, Thickness, least_bone_hu, measure_thickness
from monai_ich.measure.unnamed import open_lesion

_LEFT = (Anatomy.LEFT_HEMISPHERE, Anatomy.LEFT_VENTRICLE)
_RIGHT = (Anatomy.RIGHT_HEMISPHERE, Anatomy.RIGHT_VENTRICLE)
_CELL_MM = 4.0  # of the border, for the search of the nearest skull
_FIRST = 16  # one in so many of these cells is looked up without a bound
_NO_BRAIN = NotMeasurable("the brain's density was not measured")


def find_lesions(
    labels: LabelMap,
    *,
    ct: CTVolume | None = None,
    anatomy: LabelMap | None = None,
    midline: Midline | None = None,
    brain_hu: float | NotMeasurable = _NO_BRAIN,
) -> tuple[Lesion, ...]:
    """26-connected pieces of each subtype, largest first; empty where there is no blood.

    Args:
        labels: map of `Subtype` or `Hemorrhage`, slices along K; all lies on its grid.
        ct: for densities, and to see where bone is missing over an extra-axial clot.
        anatomy: map of `Anatomy`, for side, compartment, distance to the skull and thickness.
        midline: for the side of lesions in the posterior fossa, which has no sides of its own.
        brain_hu: what the density of an SDH is compared with.
    """
    boxes = labels.boxes()
    skull = _inner_skull(anatomy) if boxes and anatomy is not None else None
    bone_hu = least_bone_hu(ct.hu) if boxes and ct is not None else None
    lesions = []
    for value, outer in boxes.items():
        subtype = Subtype(value) if labels.labels is Subtype else Hemorrhage(value)
        pieces, _ = label_pieces(labels.voxels[outer] == value, structure=CONNECTED_26)
        for number, inner in enumerate(find_objects(pieces), start=1):
            box, mask = box_inside(outer, inner), pieces[inner] == number
            lesion = _describe(subtype, mask, box, labels, ct, anatomy, midline, skull)
            if isinstance(subtype, Hemorrhage):
                lesion = open_lesion(lesion)
            elif subtype in EXTRA_AXIAL:
                thick = _thickness(subtype, mask, box, labels, ct, anatomy, bone_hu)
                lesion = replace(
                    lesion,
                    thickness=thick.measurement,
                    thickest_at_ras_mm=thick.at_ras_mm,
                    axial_thickness=thick.axial,
                    thickness_least_mm=thick.least_mm,
                )
            if subtype is Subtype.SDH:
                grid, hu = labels.geometry.crop(box), ct.hu[box] if ct is not None else None
                lesion = replace(lesion, density=classify_density(hu, mask, grid, brain_hu))
            lesions.append(lesion)
    lesions.sort(key=lambda lesion: -lesion.volume_ml)
    return tuple(replace(lesion, id=n) for n, lesion in enumerate(lesions, start=1))


def split_lesions(pieces: tuple[Lesion, ...], floor_ml: float) -> tuple[tuple[Lesion, ...], Specks]:
    """Part what is large enough to be a lesion from the specks; the largest piece is first.

    >>> split_lesions((), 0.1)
    ((), Specks(count=0, volume_ml=0.0))
    """
    lesions = tuple(x for x in pieces if x.volume_ml >= floor_ml * (1.0 - 1e-9))
    rest = pieces[len(lesions) :]
    return lesions, Specks(len(rest), sum((x.volume_ml for x in rest), 0.0))


def _thickness(
    subtype: Subtype,
    mask: NDArray[np.bool_],
    box: Box,
    labels: LabelMap,
    ct: CTVolume | None,
    anatomy: LabelMap | None,
    bone_hu: float | None,
) -> Thickness:
    """Of the lesion `mask` in `box`, from what is around it."""
    near = labels.geometry.grow(box, MARGIN_MM)
    i, j, k = (slice(s.start - n.start, s.stop - n.start) for s, n in zip(box, near, strict=True))
    geometry = labels.geometry.crop(near)
    clot = np.zeros(geometry.shape, bool)
    clot[i, j, k] = mask
    cavity = anatomy.voxels[near] > 0 if anatomy is not None else None
    hu = ct.hu[near] if ct is not None else None
    return measure_thickness(clot, geometry, cavity, hu, of=subtype.name, bone_hu=bone_hu)


def _inner_skull(anatomy: LabelMap) -> cKDTree | None:
    """Where the cavity ends inside the image: the midpoints between its voxels and those outside,
    RAS mm.
    """
    found = box_around(anatomy.voxels > 0)
    if found is None:
        return None
    box = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in found)
    cavity, starts = anatomy.voxels[box] > 0, [s.start for s in box]
    ends = []
    for axis in range(3):
        a, b = neighbors(axis)
        between = voxels_of(cavity[a] != cavity[b]) + starts
        ends.append(between + 0.5 * np.eye(3)[axis])
    points = np.concatenate(ends)
    if not len(points):
        return None
    points_mm = anatomy.geometry.to_world(points)
    return cKDTree(points_mm, balanced_tree=False, compact_nodes=False)  # made in half the time


def _skull_mm(border_mm: FloatArray, skull: cKDTree | None, pixel_mm: float) -> float | None:
    """From the lesion's border (half a pixel outside of its outermost centers) to the skull; 0
    where they touch.

    One point of each cell is looked up first, then the rest of those cells that may hold the
    nearest point, the nearest cell first.
    """
    if skull is None:
        return None
    ijk = np.floor(border_mm / _CELL_MM).astype(np.int64)
    ijk -= ijk.min(axis=0)
    cells = np.ravel_multi_index(ijk.T, ijk.max(axis=0) + 1)
    _, first, cell = np.unique(cells, return_index=True, return_inverse=True)
    within_mm = _CELL_MM * 3**0.5
    bound = float(skull.query(border_mm[first[::_FIRST]])[0].min())
    far_mm = skull.query(border_mm[first], distance_upper_bound=bound + within_mm)[0]
    bound = min(bound, float(far_mm.min()))
    for n in np.argsort(far_mm):
        if bound <= 0.5 * pixel_mm or far_mm[n] - within_mm >= bound:
            break
        found = skull.query(border_mm[cell == n], distance_upper_bound=bound)[0]
        bound = min(bound, float(found.min()))  # infinite where none is nearer
    return max(0.0, bound - 0.5 * pixel_mm)


def _describe(
    subtype: Subtype | Hemorrhage,
    mask: NDArray[np.bool_],
    box: Box,
    labels: LabelMap,
    ct: CTVolume | None,
    anatomy: LabelMap | None,
    midline: Midline | None,
    skull: cKDTree | None,
) -> Lesion:
    geometry = labels.geometry.crop(box)
    points = geometry.to_world(voxels_of(mask))
    centroid = points.mean(axis=0)
    parts = (
        np.bincount(anatomy.voxels[box][mask], minlength=6)
        if anatomy is not None
        else np.zeros(6, np.int64)
    )
    density = ct.hu[box][mask] if ct is not None else None
    return Lesion(
        id=0,
        subtype=subtype,
        volume_ml=int(mask.sum()) * geometry.voxel_ml,
        abc2=measure_abc2(mask, geometry, subtype),
        centroid_ras_mm=(float(centroid[0]), float(centroid[1]), float(centroid[2])),
        side=_side(parts, centroid, midline),
        compartment=_compartment(parts),
        slices=(box[2].start, box[2].stop - 1),
        mean_hu=float(density.mean()) if density is not None else None,
        sd_hu=float(density.std()) if density is not None else None,
        max_hu=float(density.max()) if density is not None else None,
        sphericity=sphericity(mask, geometry),
        skull_mm=_skull_mm(geometry.to_world(_border(mask)), skull, geometry.spacing_mm[0]),
    )


def _border(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Voxels ``(N, 3)`` with a neighbor outside, over face, edge or corner."""
    return voxels_of(mask & ~binary_erosion(mask, structure=CONNECTED_26))


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
    return (
        "infratentorial" if int(parts[Anatomy.POSTERIOR_FOSSA]) * 2 > inside else "supratentorial"
    )
