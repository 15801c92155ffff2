"""The numbers as files: strict JSON, and tidy CSV with one row per scan, lesion or slice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_ich.core.calibration import Evidence
from monai_ich.core.exam import (
    NO_SUBTYPES,
    Edema,
    ExamMeasurements,
    MidlineShift,
    Score,
    ShiftAt,
    SubtypeFinding,
    Ventricles,
)
from monai_ich.core.labels import EXTRA_AXIAL, Subtype
from monai_ich.core.measurement import Measurement, NotMeasurable
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.core.second_reading import FINDINGS
from monai_ich.io.columns import (
    calibration_cells,
    calibration_record,
    cell_of,
    key_cells,
    length_cells,
    point_of,
    word_cells,
    write_csv,
)
from monai_ich.io.identity import Identity
from monai_ich.io.lesion_table import lesion_record
from monai_ich.measure.criteria import CRITERION_COLUMNS
from monai_ich.measure.signs import SOURCES

SCHEMA = "monai-ich/measurements/1"
_OF_SUBTYPES = (
    *("state", "present", "volume_ml", "volume_low_ml", "volume_high_ml", "probability"),
    *("miss_share_high", "certain"),
)


def _value(measurement: Measurement, key: str, digits: int) -> dict[str, Any]:
    if measurement.value is None:
        return {"not_measurable": measurement.reason}
    return {key: round(measurement.value, digits)}


def _member(measurement: Measurement, key: str, digits: int) -> dict[str, Any]:
    """A value among others; where there is none, its reason stands beside it."""
    if measurement.value is None:
        return {key: None, f"{key}_not_measurable": measurement.reason}
    return {key: round(measurement.value, digits)}


def _ends(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(end, 3) for end in interval]


def _known(record: dict[str, Any]) -> dict[str, Any]:
    """Without what was not found out."""
    return {key: value for key, value in record.items() if value is not None}


def _evidence(evidence: Evidence | None) -> dict[str, dict[str, float]] | None:
    if evidence is None:
        return None
    sums = {
        "expected_ml": evidence.expected_ml,
        "doubt_ml": evidence.doubt_ml,
        "log_odds": evidence.log_odds,
    }
    return {key: {k: round(ml, 5) for k, ml in values.items()} for key, values in sums.items()}


def _subtypes(exam: ExamMeasurements) -> dict[str, dict[str, Any]]:
    if exam.unnamed is not None:
        return {s.name: {"not_measurable": NO_SUBTYPES} for s in Subtype}
    return {f.subtype.name: _subtype(f) for f in exam.subtypes}


def _subtype(finding: SubtypeFinding) -> dict[str, Any]:
    record = {
        "state": finding.presence.value,
        "present": finding.present,
        "certain": finding.certain,
        **_value(finding.volume, "volume_ml", 3),
    }
    return record | _known(
        {
            "interval_ml": _ends(finding.volume.interval),
            "probability": finding.probability,
            "miss_share_high": finding.misses and finding.misses.share_high,
        }
    )


def _shift(shift: ShiftAt) -> dict[str, Any]:
    found = _value(shift.measurement, "value_mm", 2)
    if "not_measurable" in found:
        return found
    found |= {
        "toward": shift.toward,
        "at_ras_mm": point_of(shift.at_ras_mm),
        "slice": shift.slice_index,
    }
    if shift.measurement.interval is not None:
        found["interval_mm"] = [round(end, 2) for end in shift.measurement.interval]
    return found | {"method": shift.measurement.method}


def _profile(shift: MidlineShift) -> list[dict[str, Any]]:
    return [{"slice": k, "offset_right_mm": round(mm, 2)} for k, mm in shift.profile_mm]


def _ventricles(found: Ventricles) -> dict[str, Any]:
    record = _value(found.volume, "volume_ml", 2)
    if "not_measurable" in record:
        return record
    record |= _member(found.left_right_ratio, "left_right_ratio", 3) | _member(
        found.evans_index, "evans_index", 3
    )
    record |= {"evans_slice": found.evans_slice}
    record |= _member(found.third_width, "third_ventricle_mm", 1)
    return record | _member(found.temporal_horns, "temporal_horns_mm", 1)


def _edema(found: Edema) -> dict[str, Any]:
    record = _value(found.volume, "volume_ml", 2)
    return record if "not_measurable" in record else record | _member(found.ratio, "iph_ratio", 3)


def _second_reading(exam: ExamMeasurements) -> dict[str, Any]:
    second = exam.second_reading
    if isinstance(second, NotMeasurable):
        return {"not_measurable": second.reason}
    words = {True: "present", False: "absent", None: "open"}
    record: dict[str, Any] = {
        name: {
            "probability": round(share, 4),
            "says": words[second.says(name)] if name in second.thresholds else None,
        }
        for name, share in second.probabilities.items()
    }
    return record | {"disagrees": exam.disagreements}


def _second_reading_cells(exam: ExamMeasurements) -> dict[str, Any]:
    second = exam.second_reading
    cells: dict[str, Any] = {
        f"second_reading_{name.lower()}": None for name in (*FINDINGS, "disagrees")
    }
    if isinstance(second, NotMeasurable):
        return cells | {"second_reading_reason": second.reason}
    cells |= {f"second_reading_{n.lower()}": round(p, 4) for n, p in second.probabilities.items()}
    if exam.disagreements is None:
        return cells | {"second_reading_reason": "no thresholds are known for its weights"}
    cells["second_reading_disagrees"] = int(bool(exam.disagreements))
    return cells | {"second_reading_reason": None}


def _points(number: Measurement) -> float | None:
    """Points as whole numbers; shares keep four digits, amounts three."""
    if number.name.endswith("_share") or number.unit != "1":
        return cell_of(number.value, 4 if number.unit == "1" else 3)
    return None if number.value is None else round(number.value)


def _score(score: Score) -> dict[str, Any]:
    def known(number: Measurement) -> dict[str, Any]:
        if number.value is None:
            return {"not_measurable": number.reason}
        return {"value": _points(number)}

    record: dict[str, Any] = {
        "id": score.id,
        "components": [{"name": part.name, **known(part)} for part in score.components],
    }
    if score.total is not None:
        record["total"] = known(score.total)
    return record | {"source": score.source}


def write_measurements_json(
    path: Path,
    exam: ExamMeasurements,
    *,
    case_id: str,
    warnings: Iterable[Notice],
    provenance: Provenance,
    identity: Identity | None = None,
) -> None:
    """Write the exam as ``measurements.json``; what could not be measured says why, NaN never
    occurs.
    """
    record = {
        "schema": SCHEMA,
        **key_cells(case_id, identity),
        "hemorrhage_state": exam.presence.value,
        "hemorrhage_present": exam.hemorrhage_present,
        "total_volume_ml": round(exam.total_volume_ml, 3),
        **_known(
            {"total_interval_ml": _ends(exam.total_interval_ml), "probability": exam.probability}
        ),
        "calibration": calibration_record(exam),
        "subtypes": _subtypes(exam),
        "midline_shift": _shift(exam.midline_shift)
        | _known({"profile_mm": _profile(exam.midline_shift) or None}),
        "midline_shift_max": _shift(exam.midline_shift.largest),
        "lesions": [lesion_record(lesion) for lesion in exam.lesions],
        "lesion_floor_ml": exam.lesion_floor_ml,
        "specks": {"count": exam.specks.count, "volume_ml": round(exam.specks.volume_ml, 3)},
        "key_slices": {
            key.of: {"slice": key.index, "because": key.because} for key in exam.key_slices
        },
        **_known({"evidence": _evidence(exam.evidence)}),
        "cavity": _value(exam.cavity_ml, "volume_ml", 1),
        "ventricles": _ventricles(exam.ventricles),
        "edema": _edema(exam.edema),
        "second_reading": _second_reading(exam),
        "signs": [asdict(sign) for sign in exam.signs],
        "criteria": [asdict(c) for c in exam.criteria],
        "scores": [_score(score) for score in exam.scores],
        "warnings": [asdict(w) for w in warnings],
        "provenance": asdict(provenance),
    }
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")


def write_measurements_csv(
    path: Path,
    exam: ExamMeasurements,
    *,
    case_id: str,
    provenance: Provenance,
    identity: Identity | None = None,
) -> None:
    """Write one row: the scan. A number that could not be measured is an empty cell with its reason
    beside it.
    """
    shift = exam.midline_shift
    row: dict[str, Any] = {
        **key_cells(case_id, identity),
        "hemorrhage_state": exam.presence.value,
        "hemorrhage_present": int(exam.hemorrhage_present),
        "subtypes_reason": None if exam.unnamed is None else NO_SUBTYPES,
        "hemorrhage_probability": exam.probability,
        "hemorrhage_miss_share_high": exam.misses and exam.misses.share_high,
        **calibration_cells(exam),
        "total_volume_ml": round(exam.total_volume_ml, 3),
        **_interval_cells("total_volume", exam.total_interval_ml, 3),
    }
    row |= {f"{s.name.lower()}_{name}": None for s in Subtype for name in _OF_SUBTYPES}
    for finding in exam.subtypes:
        name = finding.subtype.name.lower()
        row[f"{name}_state"] = finding.presence.value
        row[f"{name}_present"] = int(finding.present)
        row[f"{name}_volume_ml"] = round(finding.volume_ml, 3)
        row |= _interval_cells(f"{name}_volume", finding.volume.interval, 3)
        row[f"{name}_probability"] = finding.probability
        row[f"{name}_miss_share_high"] = finding.misses and finding.misses.share_high
        row[f"{name}_certain"] = int(finding.certain)
    for s in EXTRA_AXIAL:
        name = s.name.lower()
        none = Measurement("thickness", None, "mm", s.name, "", reason=f"no {s.name} was found")
        row |= length_cells(f"{name}_max_thickness", exam.max_thickness(s) or none)
        row |= length_cells(f"{name}_axial_thickness", exam.max_thickness(s, axial=True) or none)
    row |= {
        "midline_shift_mm": cell_of(shift.measurement.value, 2),
        **_interval_cells("midline_shift", shift.measurement.interval, 2, unit="mm"),
        "midline_shift_toward": shift.toward,
        "midline_shift_reason": shift.measurement.reason,
        **_largest_shift_cells(shift.largest),
        "lesion_count": len(exam.lesions),
        **_lesion_counts(exam),
        "lesion_floor_ml": exam.lesion_floor_ml,
        "speck_count": exam.specks.count,
        "specks_ml": round(exam.specks.volume_ml, 3),
        "cavity_ml": cell_of(exam.cavity_ml.value, 1),
        "cavity_reason": exam.cavity_ml.reason,
        "ventricles_ml": cell_of(exam.ventricles.volume.value, 2),
        "ventricles_lr_ratio": cell_of(exam.ventricles.left_right_ratio.value, 3),
        "ventricles_reason": exam.ventricles.volume.reason
        or exam.ventricles.left_right_ratio.reason,
        "evans_index": cell_of(exam.ventricles.evans_index.value, 3),
        "evans_index_reason": exam.ventricles.evans_index.reason,
        "third_ventricle_mm": cell_of(exam.ventricles.third_width.value, 1),
        "third_ventricle_reason": exam.ventricles.third_width.reason,
        **word_cells(exam.iph_location, "iph_location", "iph_location_reason"),
        "edema_ml": cell_of(exam.edema.volume.value, 2),
        "edema_iph_ratio": cell_of(exam.edema.ratio.value, 3),
        "edema_reason": exam.edema.volume.reason or exam.edema.ratio.reason,
        **_signs(exam),
        **_second_reading_cells(exam),
    }
    for criterion in exam.criteria:
        column, met = CRITERION_COLUMNS[criterion.id], criterion.met
        row[column] = _flag(met)
        row[f"{column}_reason"] = criterion.because if met is None else None
    for score in exam.scores:
        row |= {number.name: _points(number) for number in score.numbers}
        why = [f"{', '.join(parts)}: {reason}" for reason, parts in score.unknown.items()]
        row[f"{score.id}_reason"] = "; ".join(why) or None
    row |= provenance.as_columns()
    write_csv(path, list(row), [row])


def _flag(yes: bool | None) -> int | None:
    return None if yes is None else int(yes)


def _lesion_counts(exam: ExamMeasurements) -> dict[str, int | None]:
    """By subtype, where the mask tells them apart."""
    counts = {s: sum(x.subtype is s for x in exam.lesions) for s in Subtype}
    known = exam.unnamed is None
    return {f"{s.name.lower()}_lesion_count": n if known else None for s, n in counts.items()}


def _largest_shift_cells(largest: ShiftAt) -> dict[str, Any]:
    name, (x, y, z) = "midline_shift_max", largest.at_ras_mm or (None, None, None)
    return {
        f"{name}_mm": cell_of(largest.measurement.value, 2),
        **_interval_cells(name, largest.measurement.interval, 2, unit="mm"),
        f"{name}_toward": largest.toward,
        f"{name}_slice": largest.slice_index,
        **{f"{name}_{axis}_mm": cell_of(mm, 2) for axis, mm in zip("ras", (x, y, z), strict=True)},
        f"{name}_reason": largest.measurement.reason,
    }


def _signs(exam: ExamMeasurements) -> dict[str, int | str | None]:
    """A cell for each sign, and why some were not decided: each reason once, with its signs unless
    it is that of all.
    """
    met = {sign.id: sign.met for sign in exam.signs}
    cells = {name: _flag(met.get(name)) for name in SOURCES}
    why = {sign.id: sign.because for sign in exam.signs}
    signs_of: dict[str, list[str]] = {}
    for name in [name for name, cell in cells.items() if cell is None]:
        signs_of.setdefault(why.get(name, "it was not judged"), []).append(name)
    said = [
        reason if len(names) == len(cells) else f"{', '.join(names)}: {reason}"
        for reason, names in signs_of.items()
    ]
    return cells | {"iph_signs_reason": "; ".join(said) or None}


def _interval_cells(
    name: str, interval: tuple[float, float] | None, digits: int, *, unit: str = "ml"
) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {
        f"{name}_low_{unit}": cell_of(low, digits),
        f"{name}_high_{unit}": cell_of(high, digits),
    }
