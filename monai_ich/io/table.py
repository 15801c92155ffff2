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
    Abc2,
    Edema,
    ExamMeasurements,
    Lesion,
    MidlineShift,
    Score,
    ShiftAt,
    SubtypeFinding,
    Ventricles,
)
from monai_ich.core.labels import EXTRA_AXIAL, Subtype
from monai_ich.core.measurement import Category, Measurement, NotMeasurable
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.io.columns import calibration_cells, calibration_record, key_cells, write_csv
from monai_ich.io.identity import Identity
from monai_ich.measure.criteria import CRITERION_COLUMNS
from monai_ich.measure.signs import SOURCES

SCHEMA = "monai-ich/measurements/1"
_OF_SUBTYPES = (
    *("state", "present", "volume_ml", "volume_low_ml", "volume_high_ml", "probability"),
    *("miss_share_high", "certain"),
)
_LESION_COLUMNS = (
    *("id", "subtype", "volume_ml", "abc2_ml", "side", "compartment", "first_slice", "last_slice"),
    *("abc2_method", "abc2_a_mm", "abc2_b_mm", "abc2_c_mm", "abc2_c_unweighted_mm"),
    *("abc2_unweighted_ml", "abc2_reason"),
    *("mean_hu", "sd_hu", "max_hu", "centroid_r_mm", "centroid_a_mm", "centroid_s_mm"),
    *("sphericity", "skull_distance_mm", "max_thickness_mm", "max_thickness_reason"),
    *("thickest_r_mm", "thickest_a_mm", "thickest_s_mm"),
    *("axial_thickness_mm", "axial_thickness_reason"),
    *("location", "location_reason", "irregularity_index", "density_class", "density_reason"),
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


def _cell(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _point(point: tuple[float, float, float] | None) -> list[float] | None:
    return None if point is None else [round(v, 2) for v in point]


def _ends(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(end, 3) for end in interval]


def _known(record: dict[str, Any]) -> dict[str, Any]:
    """Without what was not found out."""
    return {key: value for key, value in record.items() if value is not None}


def _evidence(evidence: Evidence | None) -> dict[str, dict[str, float]] | None:
    if evidence is None:
        return None
    sums = {"expected_ml": evidence.expected_ml, "doubt_ml": evidence.doubt_ml}
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
        "at_ras_mm": _point(shift.at_ras_mm),
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


def _word(found: Category | None, key: str, reason: str) -> dict[str, str | None]:
    return {} if found is None else {key: found.value, reason: found.reason}


def _abc2(found: Abc2 | NotMeasurable) -> dict[str, Any]:
    if isinstance(found, NotMeasurable):
        return {"abc2_ml": None, "abc2_reason": found.reason}
    lengths = zip("abc", (found.a_mm, found.b_mm, found.c_mm), strict=True)
    return {
        "abc2_ml": round(found.ml, 3),
        "abc2_method": found.method,
        **{f"abc2_{name}_mm": round(mm, 1) for name, mm in lengths},
        "abc2_c_unweighted_mm": round(found.c_all_mm, 1),
        "abc2_unweighted_ml": round(found.unweighted_ml, 3),
    }


def _with_reason(name: str, measured: Measurement | None) -> dict[str, Any]:
    """A length in mm and why there is none; both empty where there is nothing to measure."""
    value, reason = (None, None) if measured is None else (measured.value, measured.reason)
    return {f"{name}_mm": _cell(value, 1), f"{name}_reason": reason}


def _lesion(lesion: Lesion) -> dict[str, Any]:
    record = {
        "id": lesion.id,
        "subtype": lesion.subtype.name,
        "volume_ml": round(lesion.volume_ml, 3),
        **_abc2(lesion.abc2),
        "side": lesion.side,
        "compartment": lesion.compartment,
        "centroid_ras_mm": _point(lesion.centroid_ras_mm),
        "first_slice": lesion.slices[0],
        "last_slice": lesion.slices[1],
        "mean_hu": _cell(lesion.mean_hu, 1),
        "sd_hu": _cell(lesion.sd_hu, 1),
        "max_hu": _cell(lesion.max_hu, 1),
        "sphericity": _cell(lesion.sphericity, 3),
        "skull_distance_mm": _cell(lesion.skull_mm, 1),
        **_word(lesion.location, "location", "location_reason"),
        **_word(lesion.density, "density_class", "density_reason"),
    }
    if lesion.irregularity_index is not None:
        record["irregularity_index"] = round(lesion.irregularity_index, 1)
    if lesion.thickness is None:
        return record
    record |= _with_reason("max_thickness", lesion.thickness)
    record |= _with_reason("axial_thickness", lesion.axial_thickness)
    return record | {"thickest_at_ras_mm": _point(lesion.thickest_at_ras_mm)}


def _points(number: Measurement) -> float | None:
    """Points as whole numbers; shares keep four digits, amounts three."""
    if number.name.endswith("_share") or number.unit != "1":
        return _cell(number.value, 4 if number.unit == "1" else 3)
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
        "lesions": [_lesion(lesion) for lesion in exam.lesions],
        "lesion_floor_ml": exam.lesion_floor_ml,
        "specks": {"count": exam.specks.count, "volume_ml": round(exam.specks.volume_ml, 3)},
        "key_slices": {
            key.of: {"slice": key.index, "because": key.because} for key in exam.key_slices
        },
        **_known({"evidence": _evidence(exam.evidence)}),
        "cavity": _value(exam.cavity_ml, "volume_ml", 1),
        "ventricles": _ventricles(exam.ventricles),
        "edema": _edema(exam.edema),
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
        row |= _with_reason(f"{name}_max_thickness", exam.max_thickness(s))
        row |= _with_reason(f"{name}_axial_thickness", exam.max_thickness(s, axial=True))
    row |= {
        "midline_shift_mm": _cell(shift.measurement.value, 2),
        **_interval_cells("midline_shift", shift.measurement.interval, 2, unit="mm"),
        "midline_shift_toward": shift.toward,
        "midline_shift_reason": shift.measurement.reason,
        **_largest_shift_cells(shift.largest),
        "lesion_count": len(exam.lesions),
        **_lesion_counts(exam),
        "lesion_floor_ml": exam.lesion_floor_ml,
        "speck_count": exam.specks.count,
        "specks_ml": round(exam.specks.volume_ml, 3),
        "cavity_ml": _cell(exam.cavity_ml.value, 1),
        "ventricles_ml": _cell(exam.ventricles.volume.value, 2),
        "ventricles_lr_ratio": _cell(exam.ventricles.left_right_ratio.value, 3),
        "evans_index": _cell(exam.ventricles.evans_index.value, 3),
        "evans_index_reason": exam.ventricles.evans_index.reason,
        "third_ventricle_mm": _cell(exam.ventricles.third_width.value, 1),
        "third_ventricle_reason": exam.ventricles.third_width.reason,
        **_word(exam.iph_location, "iph_location", "iph_location_reason"),
        "edema_ml": _cell(exam.edema.volume.value, 2),
        "edema_iph_ratio": _cell(exam.edema.ratio.value, 3),
        "edema_reason": exam.edema.volume.reason or exam.edema.ratio.reason,
        **_signs(exam),
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
        f"{name}_mm": _cell(largest.measurement.value, 2),
        **_interval_cells(name, largest.measurement.interval, 2, unit="mm"),
        f"{name}_toward": largest.toward,
        f"{name}_slice": largest.slice_index,
        **{f"{name}_{axis}_mm": _cell(mm, 2) for axis, mm in zip("ras", (x, y, z), strict=True)},
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
    return {f"{name}_low_{unit}": _cell(low, digits), f"{name}_high_{unit}": _cell(high, digits)}


def write_lesions_csv(
    path: Path,
    exam: ExamMeasurements,
    *,
    case_id: str,
    provenance: Provenance,
    identity: Identity | None = None,
) -> None:
    """Write one row per lesion; only the header where there is none."""
    keys, made = key_cells(case_id, identity), provenance.as_columns()
    rows: list[dict[str, Any]] = []
    for lesion in exam.lesions:
        row = {**keys, **_lesion(lesion), **made}
        for name, ends in (
            ("centroid", row.pop("centroid_ras_mm")),
            ("thickest", row.pop("thickest_at_ras_mm", None)),
        ):
            row |= {f"{name}_{axis}_mm": mm for axis, mm in zip("ras", ends or (), strict=False)}
        rows.append(row)
    write_csv(path, [*keys, *_LESION_COLUMNS, *made], rows)
