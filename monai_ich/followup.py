"""The story of several scans of one patient: what each was measured to hold, what changed since the
first, and all of them side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.anatomy.registration import Registration, register_rigid
from monai_ich.core.errors import InputError, LabelError
from monai_ich.core.followup import Comparison, TimePoint
from monai_ich.core.geometry import FloatArray
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.provenance import Notice
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.followup import read_time_point, write_followup_csv, write_followup_json
from monai_ich.io.nifti import read_nifti_ct
from monai_ich.io.output import output_folder
from monai_ich.io.read import read_labels
from monai_ich.measure.comparison import compare_scans
from monai_ich.report.side_by_side import render_side_by_side, render_volumes

FOLLOWUP_RESULTS = ("followup.json", "followup.csv", "followup.png", "volumes.png")
OTHER_HEAD_CORRELATION = 0.85
UNCERTAIN_CORRELATION = 0.92
_BONE_HU, _LEAST_BONE_ML = 300.0, 50.0

_Scan = tuple[CTVolume, LabelMap]


def follow_up(
    folders: Sequence[Path],
    output_dir: Path,
    *,
    hours: Sequence[float] | None = None,
    overwrite: bool = False,
) -> tuple[Comparison, ...]:
    """Compare output folders of `analyze` (or `measure`), each later scan against the first.

    Writes ``followup.json``, ``followup.csv`` (one row for each later scan), ``followup.png`` (the
    scans side by side) and, of more than two scans, ``volumes.png``. Volumes are those measured on
    each scan's own grid; the registration serves the picture, and tells another patient's head.
    Without CT in one of the folders (`measure` writes none) there is no picture, and
    ``followup.json`` says so.

    Args:
        folders: at least two, in the order of time; the first is the baseline.
        output_dir: where results go.
        hours: of each scan, since any moment; None where unknown.
        overwrite: replace earlier results.

    Returns:
        One comparison for each later scan.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_AN_ANALYSIS``, ``OTHER_SCHEMA``, ``SAME_SCAN``,
            ``BAD_HOURS``, ``OTHER_PATIENT``.
        OutputError: see `output_folder`.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise InputError("SAME_SCAN", "Two scans are one folder: give each scan's own.")
    times = _checked(hours, len(folders))
    points = _told_apart([read_time_point(f, hours=h) for f, h in zip(folders, times, strict=True)])
    with output_folder(output_dir, results=FOLLOWUP_RESULTS, overwrite=overwrite) as scratch:
        registrations, warnings = _bring_together(folders, points, scratch / "followup.png")
        found = tuple(
            compare_scans(points[0], later, said)
            for later, said in zip(points[1:], warnings, strict=True)
        )
        write_followup_json(scratch / "followup.json", found, registrations)
        write_followup_csv(scratch / "followup.csv", found, registrations)
        if len(points) > 2:
            render_volumes(scratch / "volumes.png", points)
    return found


def _checked(hours: Sequence[float] | None, count: int) -> Sequence[float | None]:
    if hours is None:
        return [None] * count
    if len(hours) != count or not all(math.isfinite(hour) for hour in hours):
        raise InputError("BAD_HOURS", f"{count} scans need {count} hours, as in 0 6 24.")
    if any(later <= earlier for earlier, later in pairwise(hours)):
        raise InputError("BAD_HOURS", "Hours must grow: give the scans in the order of time.")
    return list(hours)


def _told_apart(points: list[TimePoint]) -> list[TimePoint]:
    """The scans with names that differ: folders named ``out`` are many."""
    names = [point.case_id for point in points]
    if len(set(names)) == len(names):
        return points
    return [
        replace(point, case_id=f"{name}_scan_{number}")
        for number, (point, name) in enumerate(zip(points, names, strict=True), start=1)
    ]


def _bring_together(
    folders: Sequence[Path], points: list[TimePoint], picture: Path
) -> tuple[list[dict[str, Any]], list[tuple[Notice, ...]]]:
    """Of each later scan, how it was aligned with the first and what is to be said of that; the
    picture holds those that could be aligned.
    """
    base, *later = (_scan(folder) for folder in folders)
    records: list[dict[str, Any]] = []
    warnings: list[tuple[Notice, ...]] = []
    shown: list[tuple[_Scan, FloatArray, str]] = []
    for point, scan in zip(points[1:], later, strict=True):
        if isinstance(base, NotMeasurable) or isinstance(scan, NotMeasurable):
            reason = next(s.reason for s in (base, scan) if isinstance(s, NotMeasurable))
            records.append({"not_measurable": reason})
            warnings.append((Notice("NO_PICTURE", f"The picture lacks a scan: {reason}."),))
            continue
        found = register_rigid(base[0], scan[0])
        warnings.append(_doubts(found, whole=_has_bone(base[0]) and _has_bone(scan[0])))
        records.append(_record(found))
        shown.append((scan, found.affine, point.case_id))
    if shown and not isinstance(base, NotMeasurable):
        render_side_by_side(picture, ((base, np.eye(4), points[0].case_id), *shown))
    return records, warnings


def _doubts(found: Registration, *, whole: bool) -> tuple[Notice, ...]:
    """What a correlation says of whose heads these are.

    Of synthetic heads, 9 pairs of one head (other bleeds, other scanner) correlate by 0.95 to 0.98,
    40 pairs of two heads by 0.54 to 0.83. A tenth, of which one scan had come as pictures of a
    narrow window, by 0.67 only: where bone is cut off, nobody is refused.

    Args:
        found: the registration.
        whole: whether both scans show bone.

    Raises:
        InputError: ``OTHER_PATIENT``.
    """
    how = f"Aligned with the baseline, a scan correlates by {found.correlation:.2f} only"
    if whole and found.correlation < OTHER_HEAD_CORRELATION:
        raise InputError(
            "OTHER_PATIENT",
            f"{how}: it shows another patient's head, or too much has changed to compare.",
        )
    if found.correlation < UNCERTAIN_CORRELATION:
        text = f"{how}: the picture may show different planes, or two heads."
        return (Notice("REGISTRATION_UNCERTAIN", text),)
    return ()


def _has_bone(ct: CTVolume) -> bool:
    """False for an export of a narrow window: a skull holds hundreds of mL of bone."""
    return bool(np.count_nonzero(ct.hu >= _BONE_HU) * ct.geometry.voxel_ml >= _LEAST_BONE_ML)


def _record(found: Registration) -> dict[str, Any]:
    return {
        "rotation_deg": round(found.rotation_deg, 2),
        "correlation": round(found.correlation, 3),
        "followup_from_baseline_ras_mm": [
            [round(v, 6) for v in row] for row in found.affine.tolist()
        ],
    }


def _scan(folder: Path) -> _Scan | NotMeasurable:
    paths = folder / "ct.nii.gz", folder / "ich.nii.gz"
    if not all(path.is_file() for path in paths):
        return NotMeasurable("ct.nii.gz or ich.nii.gz is missing in one of the folders")
    try:
        return read_nifti_ct(paths[0]), read_labels(paths[1], Subtype)
    except LabelError:
        return NotMeasurable(
            "ich.nii.gz of one of the folders is not the mask that was measured, or was "
            "changed since"
        )
