"""Calibrate the hemorrhage bundle on scans with masks: a study of them, then what its numbers were
worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monai_ich.agreement.overlap import shift_along_mm
from monai_ich.analysis import Pipeline
from monai_ich.bundle import find_bundle
from monai_ich.calibration.fit import Outcome, calibrate
from monai_ich.core.calibration import Calibration, Evidence
from monai_ich.core.errors import ManifestError
from monai_ich.core.json_text import read_json
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import sha256_of
from monai_ich.manifest.labels import read_any_labels
from monai_ich.manifest.manifest import Case, read_manifest
from monai_ich.parts.label_files import require_subtypes
from monai_ich.study.inputs import StudyCase
from monai_ich.study.run import Progress, run_study


def calibrate_on(
    manifest_path: Path,
    folder: Path,
    *,
    split: str,
    build: Callable[[], Pipeline],
    settings: str,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[Calibration, int]:
    """Analyze the scans of one split that have masks and learn from them; goes on where it stopped.

    Args:
        manifest_path: masks must name subtypes.
        folder: for the study.
        split: scans that training did not see.
        build, settings, workers, progress: as `run_study`.

    Returns:
        The calibration, and how many scans failed and were left out.

    Raises:
        ManifestError: ``NO_MASKS``, ``NO_SUBTYPE``; as `read_manifest`.
        InputError: ``TOO_FEW_SCANS``.
    """
    manifest = read_manifest(manifest_path)
    names = {
        value: name for value, name in manifest.label_mapping.items() if name in Subtype.__members__
    }
    require_subtypes(manifest.label_mapping.values())
    cases = [case for case in manifest.cases if case.split == split and case.label is not None]
    if not cases:
        raise ManifestError(
            "NO_MASKS", f"The manifest has no scan with a mask in its {split} split."
        )
    scans = [StudyCase(c.id, c.image, c.patient, c.site) for c in cases]
    done = run_study(
        scans, folder, build=build, settings=settings, workers=workers, progress=progress
    )
    failed = {failure.case_id for failure in done.failures}
    outcomes = [
        _outcome(case, folder / "cases" / case.id, names) for case in cases if case.id not in failed
    ]
    ich, anatomy = (
        sha256_of(find_bundle(name) / "models" / "model.pt")
        for name in ("ich_segmentation", "head_ct_anatomy")
    )
    data = f"{manifest.name}, {split} split, {len(outcomes)} scans"
    return calibrate(outcomes, weights_sha256=ich, anatomy_sha256=anatomy, data=data), len(failed)


def _outcome(case: Case, folder: Path, names: Mapping[int, str]) -> Outcome:
    assert case.label is not None
    labels = read_any_labels(case.label)
    true_ml = dict.fromkeys(Subtype.__members__, 0.0)
    for value, name in names.items():
        true_ml[name] += labels.volume_ml(value)
    measured = read_json(folder / "measurements.json")
    found_ml = {name: row["volume_ml"] for name, row in measured["subtypes"].items()}
    shift_error_mm = _shift_error_mm(case.midline_shift_mm, measured["midline_shift"])
    return Outcome(true_ml, found_ml, Evidence(**measured["evidence"]), shift_error_mm)


def _shift_error_mm(true_mm: float | None, measured: Mapping[str, Any]) -> float | None:
    if true_mm is None or "value_mm" not in measured:
        return None
    return shift_along_mm(true_mm, measured["toward"]) - float(measured["value_mm"])
