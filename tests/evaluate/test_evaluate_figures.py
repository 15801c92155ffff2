"""Figures over many scans: strata, bleeds that are missed or false, clinical limits."""

from __future__ import annotations

from typing import Any

import pytest

from monai_ich.evaluate.exams import LIMITS, see_limit
from monai_ich.evaluate.figures import lesions_by_size, stratify, summarize
from monai_ich.evaluate.page import summary_lines


def _mask_row(predicted_ml: float, reference_ml: float, patient: str = "a") -> dict[str, Any]:
    """A case with EDH of these volumes, one beside the other."""
    apart = (predicted_ml > 0) != (reference_ml > 0)
    figures = {
        "dice": float(predicted_ml == reference_ml),
        "surface_dice": 0.5,
        "hd95_mm": None if apart else 3.0,
        "volume_difference": None,
        "lesions": int(reference_ml > 0),
        "lesions_found": 0,
        "predicted_lesions": int(predicted_ml > 0),
        "true_lesions": 0,
        "false_lesions": int(predicted_ml > 0),
        "reference_ml": reference_ml,
        "volume_ml": predicted_ml,
    }
    row = {"site": None, "patient": patient, "reference_midline_shift_mm": None}
    return row | {f"EDH_{key}": value for key, value in figures.items()}


def test_strata_part_the_cases_at_their_limits() -> None:
    def row(thickness_mm: float, largest_ml: float) -> dict[str, Any]:
        exam = {f"{n}_reference": None for n in ("EDH", "IPH", "IVH", "SAH", "SDH", "any")}
        size = {"largest_lesion_ml": largest_ml, "reference_midline_shift_mm": None}
        return {"site": None, "slice_thickness_mm": thickness_mm} | exam | size

    found = stratify([row(0.6, 0.0), row(1.5, 0.9), row(3.5, 1.0), row(5.0, 30.0), row(5.0, 31.0)])
    counts = {kind: {k: v["cases"] for k, v in strata.items()} for kind, strata in found.items()}
    assert counts["slice_thickness"] == {"< 1.5 mm": 1, "1.5 to 3.5 mm": 2, "> 3.5 mm": 2}
    assert list(counts["largest_lesion"].values()) == [1, 1, 1, 1, 1] and counts["site"] == {
        "unknown": 5
    }
    lesions = [
        {"finding": "SDH", "in": "reference", "volume_ml": v, "matched": m}
        for v, m in ((0.5, 0), (0.7, 1))
    ]
    assert lesions_by_size(lesions)["SDH"]["< 1 mL"]["value"] == 0.5
    assert summarize([row(1.0, 0.0)]) == {
        "cases": 1,
        "masks": {},
        "absent": {},
        "exams": {},
        "midline_shift": None,
        "thickness": {},
        "limits": {},
    }


def test_a_class_that_no_reference_holds_has_no_dice_but_false_detections() -> None:
    found = summarize([_mask_row(0.0, 0.0), _mask_row(2.0, 0.0, "b"), _mask_row(0.0, 0.0, "c")])
    absent = found["absent"]["EDH"]
    assert found["masks"] == {} and absent["reason"] == "absent from all references"
    assert absent["counts"] == {"scans": 3, "false": 1}
    assert absent["false_lesions"]["value"] == pytest.approx(1 / 3)
    counts = {"evaluated": 3, "listed": 3, "failed": 0}
    lines = summary_lines({"cases": counts, "figures": found})
    assert "Masks" not in lines and "Absent from all references" in lines
    assert lines[-1].split()[:3] == ["EDH", "3", "1"]


def test_a_missed_bleed_is_counted_beside_the_hd95_of_the_others() -> None:
    rows = [_mask_row(5.0, 5.0), _mask_row(0.0, 4.0, "b"), _mask_row(1.0, 0.0, "c")]
    found = summarize([*rows, _mask_row(0.0, 0.0, "d")])["masks"]["EDH"]
    assert found["counts"] == {"scans": 4, "present": 2, "missed": 1, "false": 1}
    assert (found["hd95_mm_where_both"]["value"], found["hd95_mm_where_both"]["n"]) == (3.0, 1)
    assert found["volume_bias_ml"]["n"] == 3 and found["volume_bias_ml"]["value"] == -1.0
    assert found["lesion_precision"]["value"] == 0.0


def test_two_scans_of_one_patient_give_no_interval() -> None:
    found = summarize([_mask_row(5.0, 4.0), _mask_row(3.0, 4.0)])["masks"]["EDH"]
    bias = found["volume_bias_ml"]
    assert (bias["interval"], bias["interval_reason"]) == (None, "one patient")


def test_agreement_at_clinical_limits_by_hand() -> None:
    limits = {limit.key: limit for limit in LIMITS}
    pairs = [(30.0, 30.0), (29.999999999999996, 31.0), (31.0, 29.999), (3.0, 0.0)]
    rows = [
        {"IPH_volume_ml": measured, "IPH_reference_ml": true, "patient": n}
        for n, (measured, true) in enumerate(pairs)
    ]
    found = see_limit(limits["iph_30_ml"], rows)
    assert found["confusion"] == {
        "true_positives": 2,
        "false_positives": 1,
        "false_negatives": 0,
        "true_negatives": 1,
    }
    assert (found["sensitivity"]["value"], found["specificity"]["value"]) == (1.0, 0.5)
    assert found["kappa"]["value"] == pytest.approx((3 / 4 - 1 / 2) / (1 - 1 / 2))
    names = ("midline_shift_mm", "reference_shift_along_mm")
    shifts = [dict(zip(names, pair, strict=True)) for pair in ((5.0, -5.1), (None, 6.0))]
    found = see_limit(limits["shift_5_mm"], shifts)
    assert (found["confusion"]["false_negatives"], found["not_measured"]) == (1, 1)
    assert see_limit(limits["sdh_10_mm"], rows) is None
