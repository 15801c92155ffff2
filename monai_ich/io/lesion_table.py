"""Lesions as records of ``measurements.json`` and rows of ``lesions.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai_ich.core.exam import NO_SUBTYPES, ExamMeasurements
from monai_ich.core.labels import EXTRA_AXIAL, Hemorrhage, Subtype
from monai_ich.core.lesion import Abc2, Lesion
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.provenance import Provenance
from monai_ich.io.columns import (
    cell_of,
    key_cells,
    length_cells,
    point_of,
    word_cells,
    write_csv,
)
from monai_ich.io.identity import Identity

_LESION_COLUMNS = (
    *("id", "subtype", "volume_ml", "abc2_ml", "side", "compartment", "first_slice", "last_slice"),
    *("abc2_method", "abc2_a_mm", "abc2_b_mm", "abc2_c_mm", "abc2_c_unweighted_mm"),
    *("abc2_unweighted_ml", "abc2_reason"),
    *("mean_hu", "sd_hu", "max_hu", "centroid_r_mm", "centroid_a_mm", "centroid_s_mm"),
    *("hu_reason", "sphericity", "skull_distance_mm", "skull_distance_reason"),
    *("max_thickness_mm", "max_thickness_reason"),
    *("thickest_r_mm", "thickest_a_mm", "thickest_s_mm"),
    *("axial_thickness_mm", "axial_thickness_reason"),
    *("location", "location_reason", "irregularity_index", "irregularity_reason"),
    *("density_class", "density_reason"),
)
_ONLY_OF: dict[str, tuple[Subtype, ...]] = {
    "max_thickness": EXTRA_AXIAL,
    "axial_thickness": EXTRA_AXIAL,
    "location": (Subtype.IPH,),
    "irregularity": (Subtype.IPH,),
    "density": (Subtype.SDH,),
}


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


def lesion_record(lesion: Lesion) -> dict[str, Any]:
    """What ``measurements.json`` holds of a lesion."""
    record = {
        "id": lesion.id,
        "subtype": lesion.subtype.name,
        "volume_ml": round(lesion.volume_ml, 3),
        **_abc2(lesion.abc2),
        "side": lesion.side,
        "compartment": lesion.compartment,
        "centroid_ras_mm": point_of(lesion.centroid_ras_mm),
        "first_slice": lesion.slices[0],
        "last_slice": lesion.slices[1],
        "mean_hu": cell_of(lesion.mean_hu, 1),
        "sd_hu": cell_of(lesion.sd_hu, 1),
        "max_hu": cell_of(lesion.max_hu, 1),
        "sphericity": cell_of(lesion.sphericity, 3),
        "skull_distance_mm": cell_of(lesion.skull_mm, 1),
        **word_cells(lesion.location, "location", "location_reason"),
        **word_cells(lesion.density, "density_class", "density_reason"),
    }
    if lesion.irregularity_index is not None:
        record["irregularity_index"] = round(lesion.irregularity_index, 1)
    if lesion.thickness is None:
        return record
    record |= length_cells("max_thickness", lesion.thickness)
    record |= length_cells("axial_thickness", lesion.axial_thickness)
    return record | {"thickest_at_ras_mm": point_of(lesion.thickest_at_ras_mm)}


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
        row = {**keys, **lesion_record(lesion), **_reasons(lesion, exam), **made}
        for name, ends in (
            ("centroid", row.pop("centroid_ras_mm")),
            ("thickest", row.pop("thickest_at_ras_mm", None)),
        ):
            row |= {f"{name}_{axis}_mm": mm for axis, mm in zip("ras", ends or (), strict=False)}
        rows.append(row)
    write_csv(path, [*keys, *_LESION_COLUMNS, *made], rows)


def _reasons(lesion: Lesion, exam: ExamMeasurements) -> dict[str, str]:
    """Why cells are empty, where the record does not say it."""
    found = {}
    if lesion.mean_hu is None:
        found["hu_reason"] = "no CT was given"
    if lesion.skull_mm is None:
        found["skull_distance_reason"] = exam.cavity_ml.reason or "no skull is in view"
    for name, subtypes in _ONLY_OF.items():
        if isinstance(lesion.subtype, Hemorrhage):
            found[f"{name}_reason"] = NO_SUBTYPES
        elif lesion.subtype not in subtypes:
            found[f"{name}_reason"] = f"only of {' and '.join(s.name for s in subtypes)}"
    return found
