"""The story of two scans of one patient: what each was measured to hold, what changed, and both
side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ich.anatomy.registration import register_rigid
from monai_ich.core.errors import InputError, LabelError
from monai_ich.core.followup import VolumeChange
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.followup import read_time_point, write_followup_json
from monai_ich.io.nifti import read_nifti_ct
from monai_ich.io.output import output_folder
from monai_ich.io.read import read_labels
from monai_ich.measure.expansion import compare_shifts, compare_volumes
from monai_ich.report.side_by_side import render_side_by_side

FOLLOWUP_RESULTS = ("followup.json", "followup.png")
_LEAST_CORRELATION = 0.8


@dataclass(frozen=True)
class FollowUp:
    """What changed: volumes (all blood first), midline shift in mm to the right, and what the
    reader must know.
    """

    volumes: tuple[VolumeChange, ...]
    shift: Measurement
    warnings: tuple[Notice, ...]


def follow_up(
    baseline: Path, followup: Path, output_dir: Path, *, overwrite: bool = False
) -> FollowUp:
    """Compare two output folders of `analyze` (or `measure`) and write ``followup.json`` and
    ``followup.png``.

    Volumes are those measured on each scan's own grid; the registration only serves the picture.
    Without CT in one of the folders (`measure` writes none) there is no picture, and
    ``followup.json`` says so.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_AN_ANALYSIS``, ``OTHER_SCHEMA``, ``SAME_SCAN``.
        OutputError: see `output_folder`.
    """
    if baseline.resolve() == followup.resolve():
        raise InputError("SAME_SCAN", "Baseline and follow-up are one folder: give two.")
    before, after = read_time_point(baseline), read_time_point(followup)
    volumes, shift = compare_volumes(before, after), compare_shifts(before, after)
    with output_folder(output_dir, results=FOLLOWUP_RESULTS, overwrite=overwrite) as scratch:
        registration, warnings = _picture(baseline, followup, scratch / "followup.png")
        write_followup_json(
            scratch / "followup.json",
            before,
            after,
            volumes,
            shift,
            registration=registration,
            warnings=warnings,
        )
    return FollowUp(volumes, shift, warnings)


def _picture(
    baseline: Path, followup: Path, path: Path
) -> tuple[dict[str, Any], tuple[Notice, ...]]:
    try:
        scans = _scan(baseline), _scan(followup)
    except LabelError:
        reason = (
            "ich.nii.gz of one of the folders is not the mask that was measured, or was "
            "changed since"
        )
        return {"not_measurable": reason}, (
            Notice("NO_PICTURE", f"There is no picture: {reason}."),
        )
    if scans[0] is None or scans[1] is None:
        return {"not_measurable": "ct.nii.gz or ich.nii.gz is missing in one of the folders"}, ()
    found = register_rigid(scans[0][0], scans[1][0])
    render_side_by_side(path, scans[0], scans[1], found.affine)
    record = {
        "rotation_deg": round(found.rotation_deg, 2),
        "correlation": round(found.correlation, 3),
        "followup_from_baseline_ras_mm": [
            [round(v, 6) for v in row] for row in found.affine.tolist()
        ],
    }
    if found.correlation >= _LEAST_CORRELATION:
        return record, ()
    text = (
        f"The scans correlate by {found.correlation:.2f} only: the picture may show different "
        "planes, or two heads."
    )
    return record, (Notice("REGISTRATION_UNCERTAIN", text),)


def _scan(folder: Path) -> tuple[CTVolume, LabelMap] | None:
    paths = folder / "ct.nii.gz", folder / "ich.nii.gz"
    if not all(path.is_file() for path in paths):
        return None
    return read_nifti_ct(paths[0]), read_labels(paths[1], Subtype)
