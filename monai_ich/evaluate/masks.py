"""The masks of one scan: what is predicted beside what is true, finding by finding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monai_ich.agreement.overlap import (
    MatchedLesions,
    dice,
    match_lesions,
    relative_volume_difference,
)
from monai_ich.agreement.surface import hausdorff_95, normalized_surface_dice
from monai_ich.core.errors import GeometryError, LabelError
from monai_ich.core.labels import Hemorrhage, LabelSet, Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.relabel import place_labels
from monai_ich.core.volume import LabelMap, Mask, box_around, holds
from monai_ich.manifest.labels import values_in
from monai_ich.manifest.manifest import ANY, NOT_BLOOD

Row = dict[str, Any]  # a number, a word, or None where there is none
_VALUES: Mapping[LabelSet, Mapping[str, tuple[int, ...]]] = {
    Subtype: {s.name: (int(s),) for s in Subtype} | {ANY: tuple(map(int, Subtype))},
    Hemorrhage: {ANY: (int(Hemorrhage.ANY),)},
}


def values_of(prediction: LabelMap) -> Mapping[str, tuple[int, ...]]:
    """Each finding that a prediction tells, to its values in it."""
    return _VALUES[prediction.labels]


def compare_masks(
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
    seen, told = {}, values_of(prediction)
    for name, values in _meanings(mapping).items():
        true = _part(reference, box, values)
        seen[name] = int(true.voxels.any())
        if name not in told:
            continue
        predicted = _part(prediction, box, told[name])
        found, said = match_lesions(true, predicted), match_lesions(predicted, true)
        figures = _figures(predicted, true, found, said)
        row |= {f"{name}_{key}": value for key, value in figures.items()}
        lesions += _lesions(name, "reference", found) + _lesions(name, "prediction", said)
        if name == ANY:
            row["largest_lesion_ml"] = float(found.volume_ml.max(initial=0.0))
    return row, lesions, seen


def _figures(predicted: Mask, true: Mask, found: MatchedLesions, said: MatchedLesions) -> Row:
    """One finding: `found` are the reference's lesions, `said` the prediction's."""
    difference = relative_volume_difference(predicted.volume_ml, true.volume_ml)
    return {
        "reference_ml": true.volume_ml,
        "dice": dice(predicted, true),
        "surface_dice": normalized_surface_dice(predicted, true),
        **_value_or_reason("hd95_mm", hausdorff_95(predicted, true)),
        **_value_or_reason("volume_difference", difference),
        "lesions": len(found.touched),
        "lesions_found": int(found.touched.sum()),
        "predicted_lesions": len(said.touched),
        "true_lesions": int(said.touched.sum()),
        "false_lesions": int((~said.touched).sum()),
    }


def _lesions(name: str, kind: str, pieces: MatchedLesions) -> list[Row]:
    """Rows of ``lesions.csv``."""
    each = zip(pieces.volume_ml.tolist(), pieces.touched.tolist(), strict=True)
    return [
        {"finding": name, "in": kind, "volume_ml": round(ml, 4), "matched": int(touched)}
        for ml, touched in each
    ]


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
    return Mask(holds(labels.voxels[box], values), labels.geometry.crop((box[0], box[1], box[2])))


def _value_or_reason(key: str, measured: Measurement) -> Row:
    return {key: measured.value, f"{key}_reason": measured.reason}
