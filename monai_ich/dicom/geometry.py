"""Slice order, gaps, affine and tilt of a series, from the positions of its images and nothing
else.

No vendor, file name, InstanceNumber, SliceLocation or header tilt takes part (DICOM PS3.3
C.7.6.2.1.1).
"""

from __future__ import annotations

import math

import numpy as np

from monai_ich.core.errors import SeriesError
from monai_ich.core.geometry import FloatArray
from monai_ich.dicom.discovery import SAME_PLACE_MM, along_normal
from monai_ich.dicom.instance import Instance

_MAX_OFF_LINE_MM = 0.3
_WIDER = 1.2
_PLANNED = 0.75


def order_slices(instances: tuple[Instance, ...]) -> tuple[list[Instance], FloatArray]:
    """Images by Image Position (Patient) along the normal of Image Orientation (Patient), and those
    positions in mm. Copies of a file are kept.

    Raises:
        SeriesError: ``NON_ORTHOGONAL_IOP``; ``DUPLICATE_UID`` where one SOPInstanceUID stands on
            two positions.
    """
    row, column = _axes(instances[0])
    if (
        abs(float(row @ column)) > 1e-3
        or max(abs(np.linalg.norm(v) - 1) for v in (row, column)) > 1e-2
    ):
        raise SeriesError(
            "NON_ORTHOGONAL_IOP",
            "The image orientation is not made of two perpendicular unit vectors.",
        )
    along = along_normal(instances, instances[0])
    order = np.argsort(along, kind="stable")
    places: dict[tuple[str, int | None], float] = {}
    for n in order:
        place = places.setdefault((instances[n].sop_uid, instances[n].frame), float(along[n]))
        if along[n] - place > SAME_PLACE_MM:
            raise SeriesError(
                "DUPLICATE_UID",
                "Images at different positions have one SOPInstanceUID (0008,0018), or none: "
                "number them anew.",
            )
    return [instances[n] for n in order], along[order]


def count_missing(instances: list[Instance], along: FloatArray) -> list[int]:
    """Number of slices missing in each gap that is a whole multiple of the usual one, or where
    image numbers skip.

    A run of wide gaps whose images are as thick as the gap was planned so (2.5 mm at the base, 5 mm
    above): nothing is missing there. A single wide gap was not.

    Returns:
        one number for each gap, 0 where nothing is missing.
    """
    gaps = np.diff(along)
    median = float(np.median(gaps))
    missing = _count_skipped(instances, gaps)
    for n, gap in enumerate(gaps):
        times = round(gap / median)
        if times < 2 or abs(gap - times * median) > max(0.05, 0.02 * gap):
            continue
        thickness = max(instances[n].thickness_mm or 0.0, instances[n + 1].thickness_mm or 0.0)
        beside = [abs(gaps[m] - gap) <= 0.02 * gap for m in (n - 1, n + 1) if 0 <= m < len(gaps)]
        if not (thickness >= _PLANNED * gap and any(beside)):
            missing[n] = times - 1
    return missing


def _count_skipped(instances: list[Instance], gaps: FloatArray) -> list[int]:
    """One or two numbers skipped at one place, in a series that is numbered without a gap else,
    where slices are further apart than on one side: what is left when a slice is lost where spacing
    changes.
    """
    skipped = [0] * len(gaps)
    if any(i.number is None for i in instances):
        return skipped
    steps = np.diff([i.number or 0 for i in instances])
    odd = np.flatnonzero(np.abs(steps) != 1)
    if len(odd) == 1 and len(set(np.sign(steps))) == 1:
        n = int(odd[0])
        beside = [gaps[m] for m in (n - 1, n + 1) if 0 <= m < len(gaps)]
        if 2 <= abs(steps[n]) <= 3 and beside and gaps[n] > _WIDER * min(beside):
            skipped[n] = int(abs(steps[n])) - 1
    return skipped


def affine_lps(instances: list[Instance], along: FloatArray) -> FloatArray:
    """Voxel (column, row, slice) to LPS mm: the third column is the mean step, shear and all.

    Raises:
        SeriesError: ``NON_LINEAR_POSITIONS`` where the slices do not lie on one straight line.
    """
    first, last = np.array(instances[0].position), np.array(instances[-1].position)
    travel = (last - first) / (along[-1] - along[0])
    off = np.array([i.position for i in instances]) - first - (along - along[0])[:, None] * travel
    if np.abs(off).max() > _MAX_OFF_LINE_MM:
        raise SeriesError(
            "NON_LINEAR_POSITIONS", f"Slices stray {np.abs(off).max():.1f} mm from a straight line."
        )
    row, column = _axes(instances[0])
    between_rows, between_columns = instances[0].spacing
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * between_columns, column * between_rows
    affine[:3, 2] = travel * (along[-1] - along[0]) / (len(along) - 1)
    affine[:3, 3] = first
    return affine


def signed_tilt_deg(affine: FloatArray) -> float:
    """Angle between the slice normal and the step from slice to slice; positive where the step
    leans up the columns.

    >>> affine = np.array([[1, 0, 0, 0], [0, 1, -1, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    >>> round(signed_tilt_deg(affine), 6)
    45.0
    """
    row, column, step = affine[:3, 0], affine[:3, 1], affine[:3, 2]
    normal = np.cross(row, column)
    cosine = abs(float(normal @ step)) / float(np.linalg.norm(normal) * np.linalg.norm(step))
    upward = step if float(normal @ step) > 0 else -step
    return math.copysign(math.degrees(math.acos(min(1.0, cosine))), -float(upward @ column))


def _axes(instance: Instance) -> tuple[FloatArray, FloatArray]:
    return np.array(instance.orientation[:3]), np.array(instance.orientation[3:])
