"""From the records of all audited cases to the numbers of ``audit.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.audit_case import CLASSES, LOWEST_HU, CaseAudit
from monai_ich.core.labels import EXTRA_AXIAL, Subtype

PERCENTS = (5, 25, 50, 75, 90, 95, 99)
PRESENT_ML = 0.1  # true volume from which a subtype counts as present
RATIO_FROM_ML = 0.5  # of smaller bleeds the ratio of volumes says little


def summarize(records: Sequence[CaseAudit], histograms: NDArray[np.int64]) -> dict[str, Any]:
    """All numbers of the audit; `passed` says whether no EDH or SDH voxel is bone.

    Args:
        records: one for each case.
        histograms: summed over the cases, see `hu_histograms`.
    """
    overlap = bone_overlap(records)
    total_ml = [sum(r.true_ml.values()) for r in records]
    labeled = sum(sum(r.voxels.values()) for r in records)
    shifts = [abs(r.shift_mm) for r in records]
    return {
        "passed": all(row["bone_voxels"] == 0 for row in overlap.values()),
        "cases": len(records),
        "seeds": [r.seed for r in records],
        "bone_overlap": overlap,
        "outside_cavity_share": sum(r.outside_voxels for r in records) / labeled
        if labeled
        else 0.0,
        "hu": {name: hu_percentiles(row) for name, row in zip(CLASSES, histograms, strict=True)},
        "bright_share": {s.name: _bright_share(records, s.name) for s in Subtype},
        "brightest": {s.name: _brightest(records, s.name) for s in Subtype},
        "windowed_cases": sum(r.windowed for r in records),
        "no_blood_share": float(np.mean([ml < PRESENT_ML for ml in total_ml])) if records else None,
        "present_together": present_together(records),
        "volume_ml": {
            s.name: quartiles([ml for r in records if (ml := r.true_ml[s.name]) >= PRESENT_ML])
            for s in Subtype
        },
        "true_to_asked_volume": {
            s.name: quartiles(_ratios(records, s.name, "true_ml", "asked_ml")) for s in Subtype
        },
        "label_to_true_volume": {
            s.name: quartiles(_ratios(records, s.name, "label_ml", "true_ml")) for s in Subtype
        },
        "thickness_mm": {
            s.name: quartiles([mm for r in records if (mm := r.thickness_mm.get(s.name))])
            for s in EXTRA_AXIAL
        },
        "abs_shift_mm": quartiles(shifts),
        "shift_over_5_mm_share": float(np.mean([s > 5.0 for s in shifts])) if records else None,
        "cavity_ml": quartiles([r.cavity_ml for r in records]),
        "slice_mm": quartiles([r.slice_mm for r in records]),
        "tilted_share": float(np.mean([r.tilt_deg != 0.0 for r in records])) if records else None,
        "records": [asdict(r) for r in records],
    }


def bone_overlap(records: Sequence[CaseAudit]) -> dict[str, dict[str, Any]]:
    """By EDH and SDH: labeled voxels, those that are more bone than not, their share, and the seeds
    where.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name in (s.name for s in EXTRA_AXIAL):
        voxels, bone = (
            sum(r.voxels[name] for r in records),
            sum(r.bone_voxels[name] for r in records),
        )
        seeds = [r.seed for r in records if r.bone_voxels[name]]
        rows[name] = {
            "voxels": voxels,
            "bone_voxels": bone,
            "share": bone / voxels if voxels else 0.0,
            "seeds": seeds,
        }
    return rows


def hu_percentiles(histogram: NDArray[np.int64]) -> dict[str, float | int]:
    """Number of voxels, and the lowest HU that at least so many percent of them do not exceed.

    >>> counts = np.zeros(4096, np.int64); counts[1024 + 40], counts[1024 + 60] = 9, 1
    >>> found = hu_percentiles(counts); found["voxels"], found["p90"], found["p95"]
    (10, 40, 60)
    """
    voxels = int(histogram.sum())
    if not voxels:
        return {"voxels": 0}
    reached = np.cumsum(histogram)
    at = {f"p{p}": int(np.searchsorted(reached, p * voxels / 100.0)) + LOWEST_HU for p in PERCENTS}
    return {"voxels": voxels, **at}


def present_together(records: Sequence[CaseAudit]) -> dict[str, dict[str, int]]:
    """Number of cases with both subtypes; on the diagonal, with that one."""
    names = [s.name for s in Subtype]
    there = [{n for n in names if r.true_ml[n] >= PRESENT_ML} for r in records]
    return {a: {b: sum(a in t and b in t for t in there) for b in names} for a in names}


def quartiles(values: Sequence[float]) -> dict[str, float | int]:
    """Count, extremes, quartiles.

    >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])["median"], quartiles([])
    (3.0, {'n': 0})
    """
    if not values:
        return {"n": 0}
    names = ("min", "q1", "median", "q3", "max")
    found = np.percentile(values, [0, 25, 50, 75, 100])
    return {
        "n": len(values),
        **{name: round(float(v), 3) for name, v in zip(names, found, strict=True)},
    }


def _ratios(records: Sequence[CaseAudit], name: str, above: str, below: str) -> list[float]:
    pairs = [(getattr(r, above)[name], getattr(r, below)[name]) for r in records]
    return [a / b for a, b in pairs if b >= RATIO_FROM_ML]


def _bright_share(records: Sequence[CaseAudit], name: str) -> float | None:
    clear = [r for r in records if not r.windowed]
    voxels = sum(r.voxels[name] for r in clear)
    return sum(r.bright_voxels[name] for r in clear) / voxels if voxels else None


def _brightest(records: Sequence[CaseAudit], name: str) -> list[int]:
    """Seeds of the three heads with most bright voxels: the ones to look at."""
    ordered = sorted(
        (r for r in records if r.bright_voxels[name]), key=lambda r: -r.bright_voxels[name]
    )
    return [r.seed for r in ordered[:3]]
