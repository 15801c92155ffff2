"""Whether a NIfTI header places its voxels in the patient: one space, in millimeters, that nothing
in it contradicts.

The standard knows two transforms, each with a code: 1 is the scanner's space, 2 is aligned to
another image; 3 (Talairach), 4 (MNI 152) and 5 (another template) are spaces of templates, in which
heads are scaled to one size. The sform may be any affine and goes before the qform, which is a
rotation with voxel sizes ``pixdim`` and cannot hold the shear of a tilted gantry. Hence:

- A transform of a template's space is refused: volumes would be those of the template's head. -
Columns of the sform must be as long as ``pixdim`` says (within 0.5 %). On a sheared axis writers
also put the distance of planes there. - Where sform and qform are both in the patient's space, they
may differ by how the head was moved, never in which side is left, front or top. - Lengths are in
millimeters, by their unit or without one. - Voxels of 1 mm along the world's axes from the origin
on are what programs write that have lost the grid.

References:
    NIfTI-1 standard, nifti1.h, "3D IMAGE (VOLUME) ORIENTATION AND LOCATION IN SPACE" (methods 2 and
    3), "UNITS OF SPATIAL AND TEMPORAL DIMENSIONS" and NIFTI_XFORM codes;
    https://nifti.nimh.nih.gov/nifti-1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monai_ich.core.errors import InputError
from monai_ich.core.geometry import FloatArray

_PATIENT = (1, 2)
_OTHER_UNITS = {1: "meters", 3: "micrometers"}
_SAME_LENGTH = 0.005
_REACH_MM = 4000.0  # tables of scanners travel some 2 m
_REVERSED = -0.5  # cosine of an axis with itself


def require_patient_space(header: Any, affine: FloatArray) -> None:
    """Refuse a header whose transform is a template's, or that contradicts itself.

    Args:
        header: nibabel's, with sform, qform or both.
        affine: the one that is used: the sform where it has a code, else the qform.

    Raises:
        InputError: ``NOT_MILLIMETERS``, ``TEMPLATE_SPACE``, ``CONTRADICTORY_GRID``.
    """
    unit = _OTHER_UNITS.get(int(header["xyzt_units"]) & 7)
    if unit:
        raise InputError(
            "NOT_MILLIMETERS",
            f"Lengths must be in millimeters, the header says {unit}: write it anew.",
        )
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    if (sform or qform) not in _PATIENT:
        raise InputError(
            "TEMPLATE_SPACE",
            "The grid must be the patient's (sform or qform code 1 or 2), found code "
            f"{sform or qform}: a template's "
            "space scales heads; give the image on its own grid.",
        )
    if not sform or not np.isfinite(affine).all() or not np.linalg.det(affine[:3, :3]):
        return  # `Geometry` refuses what is no grid
    pixdim = np.asarray(header.get_zooms()[:3], np.float64)
    if not _as_long(affine[:3, :3], pixdim):
        lengths = " x ".join(f"{mm:.4g}" for mm in np.linalg.norm(affine[:3, :3], axis=0))
        raise InputError(
            "CONTRADICTORY_GRID",
            f"The sform says voxels of {lengths} mm, pixdim "
            f"{' x '.join(f'{mm:.4g}' for mm in pixdim)} mm: which is "
            "true is unknown; write the image anew with one grid.",
        )
    if qform in _PATIENT and _turned_over(affine[:3, :3], header):
        raise InputError(
            "CONTRADICTORY_GRID",
            "By the sform another side is left, front or top than by the qform: write the image "
            "anew with one grid.",
        )


def require_grid_kept(affine: FloatArray) -> None:
    """Refuse the grid of a program that knew none: 1 mm along the world's axes, from the origin on;
    and one where no scanner's table reaches.

    Raises:
        InputError: ``LOST_GRID``.
    """
    if np.array_equal(np.abs(affine), np.eye(4)):
        raise InputError(
            "LOST_GRID",
            "Voxels of 1 mm from the origin on are what remains where a program has lost the grid "
            "(identity affine): "
            "give the image the affine of the CT that it belongs to.",
        )
    away_mm = float(np.linalg.norm(affine[:3, 3]))
    if away_mm > _REACH_MM:
        raise InputError(
            "LOST_GRID",
            f"The image begins {away_mm / 1000:.1f} m from the scanner's origin, where no table "
            "reaches: give it the affine of the CT that it belongs to.",
        )


def _as_long(linear: FloatArray, pixdim: FloatArray) -> bool:
    """Whether each axis is as long as stated: its step, or on a sheared axis the distance of
    planes.
    """
    steps = np.linalg.norm(linear, axis=0)
    planes = 1.0 / np.linalg.norm(np.linalg.inv(linear), axis=1)
    near = [np.abs(pixdim - mm) <= _SAME_LENGTH * mm for mm in (steps, planes)]
    return bool(np.logical_or(*near).all())


def _turned_over(linear: FloatArray, header: Any) -> bool:
    try:
        rotation = np.asarray(header.get_qform()[:3, :3], np.float64)
    except ValueError:  # quaternions of no rotation: no qform to compare with
        return False
    rotation = rotation / np.linalg.norm(rotation, axis=0)
    between = linear / np.linalg.norm(linear, axis=0) @ rotation.T
    return bool(np.linalg.det(between) < 0 or np.diagonal(between).min() < _REVERSED)
