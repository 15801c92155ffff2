"""What is made of all cases: each figure with its interval; whole and by slice thickness, lesion
size and site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from monai_ich.agreement.estimate import estimate_share
from monai_ich.core.labels import EXTRA_AXIAL
from monai_ich.evaluate.exams import LIMITS, is_told, see_exams, see_limit
from monai_ich.evaluate.masks import Row
from monai_ich.evaluate.measures import (
    MASKS,
    SHIFT,
    THICKNESS,
    Measure,
    as_record,
    patients_of,
    see,
)
from monai_ich.manifest.labels import FINDINGS

Holds = Callable[[Row], bool]


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """All figures of some cases: ``masks``, ``absent`` (from all references) and ``exams`` by
    finding, ``midline_shift``, ``thickness``, ``limits``.
    """
    masked = {name: [row for row in rows if f"{name}_dice" in row] for name in FINDINGS}
    masked = {name: found for name, found in masked.items() if found}
    absent = [n for n, found in masked.items() if not any(r[f"{n}_reference_ml"] for r in found)]
    told = [name for name in FINDINGS if any(is_told(row, name) for row in rows)]
    limits = {limit.key: see_limit(limit, rows) for limit in LIMITS}
    thickness = {s.name: _see_pairs(rows, THICKNESS, f"{s.name}_") for s in EXTRA_AXIAL}
    return {
        "cases": len(rows),
        "masks": {n: _see_masks(found, n) for n, found in masked.items() if n not in absent},
        "absent": {name: _see_absent(masked[name], name) for name in absent},
        "exams": {name: see_exams(rows, name) for name in told},
        "midline_shift": _see_pairs(rows, SHIFT),
        "thickness": {name: found for name, found in thickness.items() if found},
        "limits": {key: found for key, found in limits.items() if found},
    }


def _see_masks(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """Figures of a finding, and how many masks they are from; HD95 has no value where one of both
    is empty.
    """
    there = [row[f"{name}_reference_ml"] > 0 for row in rows]
    apart = [row[f"{name}_hd95_mm"] is None for row in rows]
    counts = {
        "scans": len(rows),
        "present": sum(there),
        "missed": sum(a and t for a, t in zip(apart, there, strict=True)),
        "false": sum(a and not t for a, t in zip(apart, there, strict=True)),
    }
    return {"counts": counts} | {m.key: see(m, rows, f"{name}_") for m in MASKS}


def _see_absent(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """A finding that no reference holds: only what is falsely found can be told."""
    false = sum(row[f"{name}_hd95_mm"] is None for row in rows)
    lesions = see(Measure("false_lesions", ("false_lesions",)), rows, f"{name}_")
    return {
        "counts": {"scans": len(rows), "false": false},
        "reason": "absent from all references",
        "false_lesions": lesions,
    }


def _see_pairs(
    rows: Sequence[Row], measures: Sequence[Measure], prefix: str = ""
) -> dict[str, Any] | None:
    """Measured amounts beside true ones, and how many were not measured; None where no case has a
    true one.
    """
    measured, true = measures[0].columns
    wanted = [row for row in rows if row.get(prefix + true) is not None]
    if not wanted:
        return None
    lacking = sum(row[prefix + measured] is None for row in wanted)
    return {m.key: see(m, rows, prefix) for m in measures} | {"not_measured": lacking}


def _between(column: str, low: float, high: float) -> Holds:
    """Whether low <= value < high."""
    return lambda row: row.get(column) is not None and low <= row[column] < high


def _at(site: str) -> Holds:
    return lambda row: (row["site"] or "unknown") == site


_JUST_ABOVE = 1e-6
THICKNESSES_MM = (
    ("< 1.5 mm", 0.0, 1.5),
    ("1.5 to 3.5 mm", 1.5, 3.5 + _JUST_ABOVE),
    ("> 3.5 mm", 3.5 + _JUST_ABOVE, np.inf),
)
SIZES_ML = (
    ("< 1 mL", _JUST_ABOVE, 1.0),
    ("1 to 5 mL", 1.0, 5.0),
    ("5 to 30 mL", 5.0, 30.0 + _JUST_ABOVE),
    ("> 30 mL", 30.0 + _JUST_ABOVE, np.inf),
)


def stratify(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The figures by slice thickness, by the largest lesion of the reference mask, and by site; no
    empty stratum.
    """
    sites = sorted({row["site"] or "unknown" for row in rows})
    kinds: Mapping[str, Sequence[tuple[str, Holds]]] = {
        "slice_thickness": [
            (text, _between("slice_thickness_mm", a, b)) for text, a, b in THICKNESSES_MM
        ],
        "largest_lesion": [("no lesion", _between("largest_lesion_ml", 0.0, _JUST_ABOVE))]
        + [(text, _between("largest_lesion_ml", a, b)) for text, a, b in SIZES_ML],
        "site": [(site, _at(site)) for site in sites],
    }
    chosen = {
        kind: {text: [row for row in rows if holds(row)] for text, holds in strata}
        for kind, strata in kinds.items()
    }
    return {
        kind: {text: summarize(part) for text, part in strata.items() if part}
        for kind, strata in chosen.items()
    }


def lesions_by_size(lesions: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """By finding and the lesion's own size: the share of the reference's lesions that is found,
    Wilson's interval.
    """
    real = [x for x in lesions if x["in"] == "reference"]
    found: dict[str, dict[str, Any]] = {}
    for name in FINDINGS:
        for text, low, high in SIZES_ML:
            chosen = [x for x in real if x["finding"] == name and low <= x["volume_ml"] < high]
            if chosen:
                hits = [x["matched"] for x in chosen]
                share = estimate_share(hits, patients_of(chosen))
                found.setdefault(name, {})[text] = as_record(share)
    return found
