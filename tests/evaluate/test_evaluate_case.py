"""One scan against its reference, from masks, labels of exams and slices, and measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.evaluate.case import evaluate_case
from monai_ich.evaluate.densities import HIGHEST_HU, LOWEST_HU, measure_densities
from monai_ich.evaluate.exams import see_exams
from monai_ich.evaluate.figures import summarize
from monai_ich.evaluate.prediction import thickest_mm
from monai_ich.io.nifti import write_nifti
from monai_ich.manifest.manifest import SAME_LABELS, Case
from tests.evaluate.blocks import blocks, folder_of, write_study_case
from tests.phantom import grid, phantom


def test_blood_of_unknown_subtype_is_compared_as_any_blood_only(tmp_path: Path) -> None:
    write_nifti(tmp_path / "r.nii.gz", blocks((1, (slice(0, 2), 0, 0))))
    case = Case("a", "test", (), label=tmp_path / "r.nii.gz")
    row, lesions = evaluate_case(
        case, folder_of(tmp_path, blocks((3, (slice(0, 2), 0, 0)))), {1: "any"}
    )
    assert row["any_dice"] == 1.0 and "IVH_dice" not in row and row["IVH_reference"] is None
    assert [(x["finding"], x["in"], x["volume_ml"], x["matched"]) for x in lesions] == [
        ("any", "reference", 2.0, 1),
        ("any", "prediction", 2.0, 1),
    ]


def test_exam_labels_go_before_slices_and_slices_before_the_mask(tmp_path: Path) -> None:
    write_nifti(tmp_path / "r.nii.gz", blocks((1, (0, 0, 0))))
    folder = folder_of(tmp_path, blocks())
    slices = (("SDH",), None)
    case = Case(
        "a", "test", (), label=tmp_path / "r.nii.gz", slice_labels=slices, exam_labels={"IPH": 1}
    )
    row, _ = evaluate_case(case, folder, SAME_LABELS)
    found = {name: row[f"{name}_reference"] for name in ("EDH", "IPH", "IVH", "SDH", "any")}
    assert found == {"EDH": 1, "IPH": 1, "IVH": 0, "SDH": 1, "any": 1}
    row, _ = evaluate_case(Case("a", "test", (), slice_labels=slices), folder, {})
    assert (row["SDH_reference"], row["EDH_reference"], row["any_reference"]) == (1, None, 1), (
        "a slice is not known"
    )
    row, _ = evaluate_case(Case("a", "test", (), slice_labels=((), ())), folder, {})
    assert row["EDH_reference"] == row["any_reference"] == 0


def test_probabilities_are_the_score_where_every_exam_has_them(tmp_path: Path) -> None:
    rows = []
    for n, (p, true) in enumerate([(0.9, 1), (0.2, 0), (0.6, 0), (0.4, 1)]):
        said = dict.fromkeys(Subtype.__members__, p / 2) | {"SDH": p, "any": p}
        write_study_case(tmp_path / f"c{n}", blocks((5, (0, 0, 0))), **said)
        rows.append(
            evaluate_case(
                Case(f"c{n}", "test", (), exam_labels={"SDH": true, "any": true}), tmp_path, {}
            )[0]
        )
    for finding in ("SDH", "any"):
        exam = see_exams(rows, finding)
        assert exam["auc"]["value"] == 3 / 4 and exam["auc"]["score"] == "probability"
        assert exam["specificity"]["value"] == 0.0 and exam["sensitivity"]["interval"][1] == 1.0


def test_a_tilted_grid_has_the_thickness_between_its_planes(tmp_path: Path) -> None:
    affine = np.diag([10.0, 10.0, 5.0, 1.0])
    affine[1, 2] = 3.0
    folder = folder_of(tmp_path, blocks(grid=Geometry((6, 6, 6), affine)))
    assert evaluate_case(Case("a", "test", ()), folder, {})[0]["slice_thickness_mm"] == 5.0


def test_the_thickest_clot_counts_unless_one_was_not_measured() -> None:
    def clot(volume_ml: float, mm: float | None, subtype: str = "SDH") -> dict[str, Any]:
        return {"subtype": subtype, "volume_ml": volume_ml, "max_thickness_mm": mm} | (
            {"max_thickness_reason": "it lies on the falx"} if mm is None else {}
        )

    def thickest(*clots: dict[str, Any]) -> tuple[float | None, str | None]:
        found = thickest_mm({"lesions": list(clots)}, Subtype.SDH)
        return found.value, found.reason

    assert thickest(clot(9.0, 7.0), clot(2.0, 11.0), clot(9.0, 20.0, "EDH")) == (11.0, None)
    assert thickest(clot(9.0, 7.0), clot(0.09, None)) == (7.0, None), "a speck decides nothing"
    unknown = "clot of 4.0 mL: it lies on the falx"
    assert thickest(clot(9.0, 7.0), clot(4.0, None)) == (None, unknown)
    assert thickest(clot(0.04, None))[0] is None and thickest() == (0.0, None)
    assert thickest_mm(None, Subtype.SDH).reason == "there is no measurements.json"


def test_thickness_and_shift_are_compared_with_the_manifests(tmp_path: Path) -> None:
    write_study_case(tmp_path / "a", blocks())
    case = Case("a", "test", (), midline_shift_mm=-1.0, thickness_mm={"SDH": 2.5})
    row, _ = evaluate_case(case, tmp_path, {})
    assert (row["SDH_reference_thickness_mm"], row["SDH_thickness_mm"]) == (2.5, 0.0)
    assert row["EDH_reference_thickness_mm"] is None
    assert (row["reference_shift_along_mm"], row["midline_shift_error_mm"]) == (-1.0, 5.0)
    found = summarize([row])
    assert found["thickness"]["SDH"]["bias_mm"]["value"] == -2.5
    assert list(found["thickness"]) == ["SDH"]
    assert found["midline_shift"]["bias_mm"]["value"] == 5.0, "4 mm to the wrong side"


def test_densities_are_hounsfield_units_after_resampling(tmp_path: Path) -> None:
    ct = phantom(grid(pixels=48, pixel_mm=4.3, slice_mm=8.0))
    write_nifti(tmp_path / "a" / "ct.nii.gz", ct)
    counts = measure_densities(
        [Case("a", "test", ()), Case("b", "test", (tmp_path / "no.nii",))], tmp_path
    ).counts
    assert counts.shape == (1, HIGHEST_HU - LOWEST_HU), "the unreadable one is left out"
    native = np.histogram(ct.hu, HIGHEST_HU - LOWEST_HU, (LOWEST_HU, HIGHEST_HU))[0]
    assert abs(int(counts[0].argmax()) - int(native.argmax())) <= 2, "the commonest value stays"
