"""One scan: its reference beside its prediction, as a row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.agreement.overlap import (
    dice,
    match_lesions,
    relative_volume_difference,
    shift_error_mm,
)
from monai_ich.agreement.surface import (
    hausdorff_95,
    measure_surface_distances,
    normalized_surface_dice,
)
from monai_ich.core.errors import GeometryError, InputError, LabelError
from monai_ich.core.geometry import Geometry
from monai_ich.core.json_text import finite, read_json
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.relabel import place_labels
from monai_ich.core.volume import LabelMap, Mask, box_around, slices_last
from monai_ich.io.output import settle
from monai_ich.io.read import is_nifti, read_ct, read_labels
from monai_ich.manifest.labels import FINDINGS, label_exam, read_any_labels, values_in
from monai_ich.manifest.manifest import ANY, NOT_BLOOD, Case
from monai_ich.measure.volume import measure_subtypes
from monai_ich.pacs.seg_read import is_dicom_labels

Row = dict[str, Any]  # a number, a word, or None where there is none
_VALUES: Mapping[str, tuple[int, ...]] = {s.name: (int(s),) for s in Subtype} | {
    ANY: tuple(map(int, Subtype))
}


@dataclass(frozen=True)
class Prediction:
    """What was predicted for a scan.

    Args:
        labels: map of `Subtype`.
        record: its ``measurements.json``; None where only a label map was given.
    """

    labels: LabelMap
    record: Mapping[str, Any] | None


def read_prediction(folder: Path, case: Case, meaning: LabelMeaning | None = None) -> Prediction:
    """Read ``ID/ich.nii.gz`` with its ``measurements.json`` (also below ``cases``), or the label
    map `ID`.

    That is ``ID.nii.gz``, ``ID.seg.nrrd``, ``ID.dcm`` or a folder ``ID`` with one DICOM SEG.

    Raises:
        InputError: ``MISSING_PREDICTION``; ``NOT_MEASUREMENTS``; those of `read_labels`.
        LabelError: ``UNKNOWN_LABEL``, ``UNKNOWN_MEANING``, ``CONTRADICTORY_LABEL``.
    """
    homes = (folder / case.id, folder / "cases" / case.id)
    for home in homes:
        settle(home)
        if (home / "ich.nii.gz").is_file():
            path = home / "measurements.json"
            record = _read_record(path) if path.is_file() else None
            return Prediction(read_labels(home / "ich.nii.gz", Subtype, meaning=meaning), record)
    for path in (
        *(folder / f"{case.id}{end}" for end in (".nii.gz", ".nii", ".seg.nrrd", ".dcm")),
        homes[0],
    ):
        if path.exists():
            return Prediction(
                read_labels(path, Subtype, meaning=meaning, **_slices_of(case, path)), None
            )
    message = (
        "The folder of predictions holds neither ID/ich.nii.gz nor ID.nii.gz, ID.seg.nrrd, "
        "ID.dcm for it."
    )
    raise InputError("MISSING_PREDICTION", message)


def _slices_of(case: Case, path: Path) -> dict[str, Any]:
    """For a mask in DICOM, the slices of its image, where that can be read as one."""
    if (
        is_nifti(path)
        or not is_dicom_labels(path)
        or len(case.image) != 1
        or not case.image[0].exists()
    ):
        return {}
    scan = read_ct(case.image[0])
    return {"grid": scan.volume.geometry, "source": scan.source}


def _read_record(path: Path) -> Mapping[str, Any]:
    try:
        record: Mapping[str, Any] = read_json(path)
        if record["schema"] != "monai-ich/measurements/1" or {s.name for s in Subtype} - set(
            record["subtypes"]
        ):
            raise KeyError("schema")
        _require_usable(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "NOT_MEASUREMENTS", "Its measurements.json is not one that monai-ich wrote."
        ) from error
    return record


def _require_usable(record: Mapping[str, Any]) -> None:
    """Numbers that are compared must be numbers."""
    for found in (record, *record["subtypes"].values()):
        if not isinstance(found["hemorrhage_present" if found is record else "present"], bool):
            raise TypeError("neither true nor false")
        if found.get("probability") is not None:
            finite(found["probability"])
    shift = record["midline_shift"]
    if "value_mm" in shift and (
        finite(shift["value_mm"]) < 0 or shift.get("toward") not in ("left", "right", None)
    ):
        raise ValueError("a shift to nowhere")


def evaluate_case(
    case: Case, predictions: Path, mapping: Mapping[int, str], meaning: LabelMeaning | None = None
) -> tuple[Row, list[Row]]:
    """Compare a case with its prediction: the row of ``cases.csv`` and the rows of ``lesions.csv``.

    Masks are compared where the case has one; subtypes only where the mapping names them and not
    also blood of unknown subtype. Exams are compared by the case's exam labels, else slice labels,
    else mask.

    Args:
        case: of the manifest.
        predictions: see `read_prediction`.
        mapping: of the manifest.
        meaning: of the values of a prediction that does not say it itself.

    Raises:
        IchError: as `read_prediction`; ``GRID_MISMATCH``; ``UNKNOWN_LABEL`` also for the reference.
    """
    prediction = read_prediction(predictions, case, meaning)
    thickness_mm = _plane_distance_mm(slices_last(prediction.labels).geometry)
    row: Row = {"case_id": case.id, "site": case.site or None, "slice_thickness_mm": thickness_mm}
    lesions: list[Row] = []
    seen: dict[str, int] = {}
    if case.label is not None:
        reference = read_any_labels(case.label, **_slices_of(case, case.label))
        masks, lesions, seen = _compare_masks(prediction.labels, reference, mapping)
        row |= masks
    row |= _compare_exam(prediction, _known_labels(case, seen))
    row |= _compare_shift(prediction.record, case.midline_shift_mm)
    return row, [{"case_id": case.id, **lesion} for lesion in lesions]


def _plane_distance_mm(geometry: Geometry) -> float:
    """Distance of the slice planes along their normal."""
    i, j, k = geometry.affine[:3, :3].T
    normal = np.cross(i, j)
    return round(float(abs(normal @ k) / np.linalg.norm(normal)), 3)


def _compare_masks(
    prediction: LabelMap, reference: LabelMap, mapping: Mapping[int, str]
) -> tuple[Row, list[Row], dict[str, int]]:
    """Columns, lesions, and which findings the reference holds."""
    unknown = sorted(set(values_in(reference)) - set(mapping))
    if unknown:
        raise LabelError(
            "UNKNOWN_LABEL",
            f"The reference holds {unknown[:5]}, of which the manifest says no meaning.",
        )
    prediction = place_labels(prediction, reference.geometry) or prediction
    if not prediction.geometry.same_grid(reference.geometry):
        message = (
            f"Prediction {prediction.geometry.shape} and reference "
            f"{reference.geometry.shape} must lie on one grid"
        )
        raise GeometryError(
            "GRID_MISMATCH", f"{message}: resample one of them (monai-ich resample)."
        )
    box = _box_around(prediction, reference)
    row: Row = {}
    lesions: list[Row] = []
    seen = {}
    for name, values in _meanings(mapping).items():
        predicted, true = _part(prediction, box, _VALUES[name]), _part(reference, box, values)
        found, missed = match_lesions(true, predicted), match_lesions(predicted, true)
        distances = measure_surface_distances(predicted, true)
        figures: Row = {
            "reference_ml": true.volume_ml,
            "dice": dice(predicted, true),
            "surface_dice": normalized_surface_dice(distances),
            **_value_or_reason("hd95_mm", hausdorff_95(distances, name)),
            **_value_or_reason(
                "volume_difference", relative_volume_difference(predicted.volume_ml, true.volume_ml)
            ),
            "lesions": len(found.touched),
            "lesions_found": int(found.touched.sum()),
            "false_lesions": int((~missed.touched).sum()),
        }
        row |= {f"{name}_{key}": value for key, value in figures.items()}
        for kind, pieces in (("reference", found), ("prediction", missed)):
            for ml, touched in zip(pieces.volume_ml.tolist(), pieces.touched.tolist(), strict=True):
                lesions.append(
                    {
                        "finding": name,
                        "in": kind,
                        "volume_ml": round(ml, 4),
                        "matched": int(touched),
                    }
                )
        seen[name] = int(true.voxels.any())
        if name == ANY:
            row["largest_lesion_ml"] = float(found.volume_ml.max(initial=0.0))
    return row, lesions, seen


def _meanings(mapping: Mapping[int, str]) -> dict[str, list[int]]:
    """Finding to its values in the reference; subtypes are left out where some blood is of unknown
    subtype.
    """
    blood = {value: name for value, name in mapping.items() if name not in NOT_BLOOD}
    names = [] if ANY in blood.values() else [s.name for s in Subtype if s.name in blood.values()]
    return {name: [v for v, n in blood.items() if n == name] for name in names} | {ANY: list(blood)}


def _box_around(*maps: LabelMap) -> tuple[slice, ...]:
    """What any of the maps labels; one voxel where none does."""
    labeled = np.any([m.voxels > 0 for m in maps], axis=0)
    return box_around(labeled) or (slice(0, 1),) * 3


def _part(labels: LabelMap, box: tuple[slice, ...], values: list[int] | tuple[int, ...]) -> Mask:
    return Mask(np.isin(labels.voxels[box], values), labels.geometry.crop((box[0], box[1], box[2])))


def _value_or_reason(key: str, measured: Measurement) -> Row:
    return {key: measured.value, f"{key}_reason": measured.reason}


def _known_labels(case: Case, seen: dict[str, int]) -> dict[str, int]:
    """Finding to 1 or 0, without what is not known."""
    known = dict(seen)
    if case.slice_labels is not None:
        present = {name for names in case.slice_labels if names for name in names}
        labels = label_exam(present)
        known |= {n: v for n, v in labels.items() if v} if None in case.slice_labels else labels
    return known | {name: int(v) for name, v in (case.exam_labels or {}).items() if v is not None}


def _compare_exam(prediction: Prediction, known: Mapping[str, int]) -> Row:
    row: Row = {}
    said = _said(prediction)
    for name in FINDINGS:
        volume_ml = sum(prediction.labels.volume_ml(value) for value in _VALUES[name])
        present, probability = said[name]
        row |= {f"{name}_reference": known.get(name), f"{name}_predicted": int(present)}
        row |= {f"{name}_probability": probability, f"{name}_volume_ml": volume_ml}
    return row


def _said(prediction: Prediction) -> dict[str, tuple[bool, float | None]]:
    """Finding to presence and probability."""
    if prediction.record is None:
        said: dict[str, tuple[bool, float | None]] = {
            f.subtype.name: (f.present, None) for f in measure_subtypes(prediction.labels)
        }
        return said | {ANY: (any(present for present, _ in said.values()), None)}
    subtypes = {s.name: prediction.record["subtypes"][s.name] for s in Subtype}
    said = {
        name: (bool(found["present"]), found.get("probability")) for name, found in subtypes.items()
    }
    return said | {
        ANY: (bool(prediction.record["hemorrhage_present"]), prediction.record.get("probability"))
    }


def _compare_shift(record: Mapping[str, Any] | None, reference_mm: float | None) -> Row:
    shift = (record or {}).get("midline_shift", {"not_measurable": "there is no measurements.json"})
    value, toward = shift.get("value_mm"), shift.get("toward")
    return {
        "reference_midline_shift_mm": reference_mm,
        "midline_shift_mm": value,
        "midline_shift_toward": toward,
        "midline_shift_reason": shift.get("not_measurable"),
        "midline_shift_error_mm": None
        if value is None or reference_mm is None
        else shift_error_mm(value, toward, reference_mm),
    }
