"""Results of earlier analyses, to compare; and the comparisons as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError
from monai_ich.core.exam import NO_SUBTYPES
from monai_ich.core.followup import Amount, Comparison, TimePoint, VolumeChange
from monai_ich.core.json_text import finite, read_json
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Provenance, installed_versions
from monai_ich.io.columns import write_csv
from monai_ich.io.output import settle
from monai_ich.io.table import SCHEMA
from monai_ich.measure.comparison import ALL
from monai_ich.measure.expansion import BOTH

FOLLOWUP_SCHEMA = "monai-ich/followup/2"
_VOLUMES = (ALL, BOTH, *(s.name for s in Subtype))
_CHANGE_CELLS = (
    *("baseline_ml", "followup_ml", "change_ml"),
    *("change_pct", "change_pct_reason", "beyond_interval"),
)
_NO_HOURS = "nobody said when the scans were made"


def read_time_point(folder: Path, *, hours: float | None = None) -> TimePoint:
    """Read ``measurements.json`` of an output folder.

    Args:
        folder: to read.
        hours: when it was scanned, since any moment that all scans share; no file says it.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_AN_ANALYSIS`` where the folder holds none, or a
            damaged one, ``OTHER_SCHEMA`` where another version wrote it.
    """
    settle(folder)
    path = folder / "measurements.json"
    if not folder.exists():
        raise InputError("INPUT_NOT_FOUND", "A folder does not exist: check the paths given.")
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
        return _time_point(record, hours)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "NOT_AN_ANALYSIS",
            "A measurements.json lacks a volume or the midline shift: run it again.",
        ) from error


def _time_point(record: dict[str, Any], hours: float | None) -> TimePoint:
    found = {s.name: record["subtypes"][s.name] for s in Subtype}
    if all("not_measurable" in f for f in found.values()):
        found = {}
    made = Provenance.from_dict(record.get("provenance", {}))
    return TimePoint(
        str(record["case_id"]),
        {
            name: Amount(
                _volume_ml(f["volume_ml"]),
                bool(f["present"]),
                bool(f["certain"]),
                _interval_ml(f.get("interval_ml")),
            )
            for name, f in found.items()
        },
        Amount(
            _volume_ml(record["total_volume_ml"]),
            bool(record["hemorrhage_present"]),
            interval_ml=_interval_ml(record.get("total_interval_ml")),
        ),
        _signed(record["midline_shift"]),
        hours,
        {str(name): str(digest) for name, digest in made.weights.items()},
        str(made.versions.get("monai-ich", "")),
        made.as_columns(),
    )


def _volume_ml(value: Any) -> float:
    volume_ml = finite(value)
    if volume_ml < 0:
        raise ValueError("a volume below nothing")
    return volume_ml


def _interval_ml(ends: Any) -> tuple[float, float] | None:
    if ends is None:
        return None
    low, high = (_volume_ml(end) for end in ends)
    return low, high


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
    path: Path, comparisons: Sequence[Comparison], registrations: Sequence[dict[str, Any]]
) -> None:
    """Write all comparisons, each against the same baseline.

    Args:
        path: to write.
        comparisons: one or more.
        registrations: for each, how the scans were brought together, or why not.
    """
    points = [comparisons[0].baseline, *(c.followup for c in comparisons)]
    record = {
        "schema": FOLLOWUP_SCHEMA,
        "scans": [
            {
                "name": point.case_id,
                "hours": _hours(point.hours),
                "volumes_ml": {
                    "all": point.total.ml,
                    **{name: amount.ml for name, amount in point.amounts.items()},
                },
            }
            for point in points
        ],
        "comparisons": [
            _comparison(*pair) for pair in zip(comparisons, registrations, strict=True)
        ],
        "versions": installed_versions(),
    }
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")


def _comparison(found: Comparison, registration: dict[str, Any]) -> dict[str, Any]:
    return {
        "baseline": found.baseline.case_id,
        "followup": found.followup.case_id,
        "hours": _hours(found.hours),
        "expansion": [asdict(e) for e in found.expansions],
        "volumes": {name: {"not_measurable": NO_SUBTYPES} for name in _VOLUMES}
        | {v.of: _change(v) for v in found.volumes},
        "midline_shift": {
            "baseline_right_mm": _or_reason(found.baseline.shift_mm, 2),
            "followup_right_mm": _or_reason(found.followup.shift_mm, 2),
            "change_right_mm": _or_reason(found.shift, 2),
        },
        "registration": registration,
        "warnings": [asdict(w) for w in found.warnings],
    }


def _hours(hours: float | None) -> float | dict[str, str]:
    return {"not_measurable": _NO_HOURS} if hours is None else hours


def _change(v: VolumeChange) -> dict[str, Any]:
    return {
        "baseline_ml": v.baseline.ml,
        "followup_ml": v.followup.ml,
        "change_ml": v.change_ml,
        "change_percent": _or_reason(v.percent, 1),
        "beyond_intervals": v.beyond_intervals,
    }


def _or_reason(measured: Measurement, digits: int) -> float | dict[str, Any]:
    if measured.value is None:
        return {"not_measurable": measured.reason}
    return round(measured.value, digits)


def write_followup_csv(
    path: Path, comparisons: Sequence[Comparison], registrations: Sequence[dict[str, Any]]
) -> None:
    """Write one row for each later scan against the baseline; see `write_followup_json`."""
    rows = [_row(*pair) for pair in zip(comparisons, registrations, strict=True)]
    write_csv(path, list(rows[0]), rows)


def _row(found: Comparison, registration: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "baseline": found.baseline.case_id,
        "followup": found.followup.case_id,
        "hours": found.hours,
        "hours_reason": _NO_HOURS if found.hours is None else None,
    }
    changes = {change.of: change for change in found.volumes}
    for name in _VOLUMES:
        row |= _change_cells(name, changes.get(name))
    bare = [n for n in _VOLUMES if n not in changes or changes[n].beyond_intervals is None]
    open_ = [f"{e.id}: {e.because}" for e in found.expansions if e.expanded is None]
    row["interval_reason"] = f"no interval of {', '.join(bare)}" if bare else None
    row |= {e.id: _flag(e.expanded) for e in found.expansions}
    shifts = (found.baseline.shift_mm, found.followup.shift_mm, found.shift)
    for when, shift in zip(("baseline", "followup", "change"), shifts, strict=True):
        row[f"shift_{when}_right_mm"] = None if shift.value is None else round(shift.value, 2)
    return row | {
        "undecided_reason": " | ".join(open_) or None,
        "shift_reason": found.shift.reason,
        "registration_correlation": registration.get("correlation"),
        "registration_reason": registration.get("not_measurable"),
        "warnings": " ".join(w.code for w in found.warnings) or None,
        **_origin_cells(found),
    }


def _origin_cells(found: Comparison) -> dict[str, Any]:
    scans = {"base": found.baseline, "later": found.followup}
    return {
        f"{scan}_{name}": cell
        for scan, point in scans.items()
        for name, cell in point.origin.items()
    }


def _change_cells(name: str, change: VolumeChange | None) -> dict[str, Any]:
    of = name.lower()
    if change is None:
        unknown = dict.fromkeys(f"{of}_{cell}" for cell in _CHANGE_CELLS)
        return {**unknown, f"{of}_change_pct_reason": NO_SUBTYPES}
    percent = change.percent
    return {
        f"{of}_baseline_ml": change.baseline.ml,
        f"{of}_followup_ml": change.followup.ml,
        f"{of}_change_ml": change.change_ml,
        f"{of}_change_pct": None if percent.value is None else round(percent.value, 1),
        f"{of}_change_pct_reason": percent.reason,
        f"{of}_beyond_interval": _flag(change.beyond_intervals),
    }


def _flag(yes: bool | None) -> int | None:
    return None if yes is None else int(yes)
