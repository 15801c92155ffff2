"""Results of an earlier analysis, to compare with; and the comparison as a file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError
from monai_ich.core.followup import SOURCE, TimePoint, VolumeChange
from monai_ich.core.json_text import finite, read_json
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice, installed_versions
from monai_ich.io.output import settle
from monai_ich.io.table import SCHEMA

FOLLOWUP_SCHEMA = "monai-ich/followup/1"


def read_time_point(folder: Path) -> TimePoint:
    """Read ``measurements.json`` of an output folder.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_AN_ANALYSIS`` where the folder holds none, or a
            damaged one, ``OTHER_SCHEMA`` where another version wrote it.
    """
    settle(folder)
    path = folder / "measurements.json"
    if not folder.exists():
        raise InputError(
            "INPUT_NOT_FOUND", "A folder of the two does not exist: check the paths given."
        )
    if not path.is_file():
        raise InputError(
            "NOT_AN_ANALYSIS",
            "A folder holds no measurements.json: give the output folders of analyze or measure.",
        )
    try:
        record = read_json(path)
        schema = record["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "NOT_AN_ANALYSIS",
            "A measurements.json is not what analyze or measure writes: run it again.",
        ) from error
    if schema != SCHEMA:
        raise InputError(
            "OTHER_SCHEMA", f"A measurements.json does not follow {SCHEMA}: analyze the scan again."
        )
    try:
        volumes = {s.name: _volume_ml(record["subtypes"][s.name]["volume_ml"]) for s in Subtype}
        return TimePoint(str(record["case_id"]), volumes, _signed(record["midline_shift"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "NOT_AN_ANALYSIS",
            "A measurements.json lacks a volume or the midline shift: run it again.",
        ) from error


def _volume_ml(value: Any) -> float:
    volume_ml = finite(value)
    if volume_ml < 0:
        raise ValueError("a volume below nothing")
    return volume_ml


def _signed(shift: dict[str, Any]) -> Measurement:
    if "not_measurable" in shift:
        return Measurement(
            "midline_shift", None, "mm", "midline", "", reason=str(shift["not_measurable"])
        )
    mm = finite(shift["value_mm"])
    return Measurement(
        "midline_shift",
        -mm if shift["toward"] == "left" else mm,
        "mm",
        "midline",
        str(shift.get("method", "")),
    )


def write_followup_json(
    path: Path,
    baseline: TimePoint,
    followup: TimePoint,
    volumes: tuple[VolumeChange, ...],
    shift: Measurement,
    *,
    registration: dict[str, Any],
    warnings: tuple[Notice, ...],
) -> None:
    """Write the comparison; ``registration`` says how the scans were brought together, or why
    not.
    """
    record = {
        "schema": FOLLOWUP_SCHEMA,
        "baseline": baseline.case_id,
        "followup": followup.case_id,
        "expansion": volumes[0].expanded,
        "source": SOURCE,
        "volumes": {v.of: _change(v) for v in volumes},
        "midline_shift": {
            "baseline_right_mm": _or_reason(baseline.shift_mm),
            "followup_right_mm": _or_reason(followup.shift_mm),
            "change_right_mm": _or_reason(shift),
        },
        "registration": registration,
        "warnings": [asdict(w) for w in warnings],
        "versions": installed_versions(),
    }
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")


def _change(v: VolumeChange) -> dict[str, Any]:
    percent = v.change_percent
    return {
        "baseline_ml": round(v.baseline_ml, 3),
        "followup_ml": round(v.followup_ml, 3),
        "change_ml": round(v.change_ml, 3),
        "change_percent": {"not_measurable": "there was none at baseline"}
        if percent is None
        else round(percent, 1),
        "over_6_ml": v.over_6_ml,
        "over_33_percent": v.over_33_percent,
    }


def _or_reason(measured: Measurement) -> float | dict[str, Any]:
    return (
        {"not_measurable": measured.reason} if measured.value is None else round(measured.value, 2)
    )
