"""``slices.csv``: how much blood each slice holds, and where its midline is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai_ich.core.exam import NO_SUBTYPES, ExamMeasurements
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import Provenance
from monai_ich.io.columns import key_cells, write_csv
from monai_ich.io.identity import Identity


def write_slices_csv(
    path: Path,
    exam: ExamMeasurements,
    *,
    case_id: str,
    provenance: Provenance,
    identity: Identity | None = None,
) -> None:
    """Write one row per slice of the label map."""
    profile = dict(exam.midline_shift.profile_mm)
    keys, made = key_cells(case_id, identity), provenance.as_columns()
    unseen = exam.midline_shift.largest.measurement.reason or "no midline is seen on this slice"
    rows = []
    for s in exam.slices:
        row: dict[str, Any] = {
            **keys,
            "slice": s.index,
            "center_s_mm": round(s.center_ras_mm[2], 2),
            "total_volume_ml": round(s.total_ml, 4),
        }
        by_subtype = s.volume_ml or [None] * len(Subtype)
        row |= {
            f"{k.name.lower()}_volume_ml": None if ml is None else round(ml, 4)
            for k, ml in zip(Subtype, by_subtype, strict=True)
        }
        row["subtypes_reason"] = None if s.volume_ml else NO_SUBTYPES
        row["midline_offset_right_mm"] = round(profile[s.index], 2) if s.index in profile else None
        row["midline_offset_reason"] = None if s.index in profile else unseen
        rows.append(row | made)
    write_csv(path, list(rows[0]), rows)
