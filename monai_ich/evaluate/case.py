"""One scan: its reference beside its prediction, as a row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.agreement.overlap import shift_along_mm, shift_error_mm
from monai_ich.core.geometry import Geometry
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import EXTRA_AXIAL
from monai_ich.core.volume import slices_last
from monai_ich.evaluate.masks import Row, compare_masks, values_of
from monai_ich.evaluate.prediction import (
    NO_RECORD,
    Prediction,
    read_prediction,
    slices_of,
    thickest_mm,
    what_was_said,
)
from monai_ich.manifest.labels import FINDINGS, label_exam, read_any_labels
from monai_ich.manifest.manifest import Case


def evaluate_case(
    case: Case, predictions: Path, mapping: Mapping[int, str], meaning: LabelMeaning | None = None
) -> tuple[Row, list[Row]]:
    """Compare a case with its prediction: the row of ``cases.csv`` and the rows of ``lesions.csv``.

    Masks are compared where the case has one; subtypes only where mapping and prediction name them
    and not also blood of unknown subtype. Exams are compared by the case's exam labels, else slice
    labels, else mask.

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
    names: Row = {"case_id": case.id, "patient": case.patient}
    row = names | {"site": case.site or None, "slice_thickness_mm": thickness_mm}
    lesions: list[Row] = []
    seen: dict[str, int] = {}
    if case.label is not None:
        reference = read_any_labels(case.label, **slices_of(case, case.label))
        masks, lesions, seen = compare_masks(prediction.labels, reference, mapping)
        row |= masks
    row |= _compare_exam(prediction, _known_labels(case, seen))
    row |= _compare_shift(prediction.record, case.midline_shift_mm)
    row |= _compare_thickness(prediction.record, case.thickness_mm or {})
    return row, [names | lesion for lesion in lesions]


def _plane_distance_mm(geometry: Geometry) -> float:
    """Distance of the slice planes along their normal."""
    i, j, k = geometry.affine[:3, :3].T
    normal = np.cross(i, j)
    return round(float(abs(normal @ k) / np.linalg.norm(normal)), 3)


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
    said, told = what_was_said(prediction), values_of(prediction.labels)
    for name in FINDINGS:
        row |= {f"{name}_reference": known.get(name), f"{name}_predicted": None}
        if name not in said:
            row |= {f"{name}_probability": None, f"{name}_volume_ml": None}
            continue
        volume_ml = sum(prediction.labels.volume_ml(value) for value in told[name])
        present, probability = said[name]
        row |= {f"{name}_predicted": int(present)}
        row |= {f"{name}_probability": probability, f"{name}_volume_ml": volume_ml}
    return row


def _compare_shift(record: Mapping[str, Any] | None, reference_mm: float | None) -> Row:
    shift = (record or {}).get("midline_shift", {"not_measurable": NO_RECORD})
    value, toward = shift.get("value_mm"), shift.get("toward")
    row: Row = {
        "reference_midline_shift_mm": reference_mm,
        "midline_shift_mm": value,
        "midline_shift_toward": toward,
        "midline_shift_reason": shift.get("not_measurable"),
        "reference_shift_along_mm": None,
        "midline_shift_error_mm": None,
    }
    if reference_mm is not None:
        row["reference_shift_along_mm"] = shift_along_mm(reference_mm, toward)
        if value is not None:
            row["midline_shift_error_mm"] = shift_error_mm(value, toward, reference_mm)
    return row


def _compare_thickness(record: Mapping[str, Any] | None, reference_mm: Mapping[str, float]) -> Row:
    row: Row = {}
    for subtype in EXTRA_AXIAL:
        found = thickest_mm(record, subtype)
        row |= {
            f"{subtype.name}_reference_thickness_mm": reference_mm.get(subtype.name),
            f"{subtype.name}_thickness_mm": found.value,
            f"{subtype.name}_thickness_reason": found.reason,
        }
    return row
