"""What rows of different tables share: whose they are, and what probabilities were learned on."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_ich.core.calibration import rules_out_zero
from monai_ich.core.cells import plain_cell
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.exam_slices import Point
from monai_ich.core.measurement import Category, Measurement
from monai_ich.io.identity import Identity


def key_cells(case_id: str, identity: Identity | None) -> dict[str, str]:
    """What a row belongs to; the patient's ID and UIDs only where the user asked for them."""
    return {"case_id": case_id} | ({} if identity is None else identity.as_columns())


def calibration_cells(exam: ExamMeasurements) -> dict[str, Any]:
    """What probabilities and intervals of a row were learned on, or why there are none."""
    learned = exam.calibrated_on
    return {
        "calibration_data": learned and learned.data,
        "calibration_scans": learned and learned.scans,
        "calibration_with_blood": learned and learned.with_blood,
        "calibration_reason": _why_not(exam),
    }


def calibration_record(exam: ExamMeasurements) -> dict[str, Any]:
    """The same for JSON."""
    learned = exam.calibrated_on
    return {"not_measurable": _why_not(exam)} if learned is None else asdict(learned)


def _why_not(exam: ExamMeasurements) -> str | None:
    if exam.calibrated_on is None:
        return "no network was run" if exam.evidence is None else "the weights were not calibrated"
    rows = [(f.subtype.name, f.volume_ml, f.volume.interval, f.probability) for f in exam.subtypes]
    rows.append(("all blood", exam.total_volume_ml, exam.total_interval_ml, exam.probability))
    why = [
        f"{name} has no interval: "
        + (
            "none is found although its probability exceeds 5 %"
            if not ml and rules_out_zero(probability)
            else "too few scans of its kind were calibrated on"
        )
        for name, ml, interval, probability in rows
        if interval is None and probability is not None
    ]
    return "; ".join(why) or None


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows under a header, each cell made harmless for spreadsheets."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: plain_cell(value) for name, value in row.items()} for row in rows)


def cell_of(value: float | None, digits: int) -> float | None:
    """Rounded; empty where there is none."""
    return None if value is None else round(value, digits)


def point_of(point: Point | None) -> list[float] | None:
    """To 0.01 mm; empty where there is none."""
    return None if point is None else [round(v, 2) for v in point]


def word_cells(found: Category | None, key: str, reason: str) -> dict[str, str | None]:
    """A word and why there is none; no cells where nothing was asked."""
    return {} if found is None else {key: found.value, reason: found.reason}


def length_cells(name: str, measured: Measurement | None) -> dict[str, Any]:
    """A length in mm and why there is none."""
    if measured is None:
        return {}
    return {f"{name}_mm": cell_of(measured.value, 1), f"{name}_reason": measured.reason}
