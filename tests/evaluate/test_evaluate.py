"""Evaluation end to end on voxels of 1 mL, so that every number can be checked by hand."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import AnyLabel, Subtype
from monai_ich.core.provenance import Provenance
from monai_ich.core.volume import LabelMap
from monai_ich.evaluate.case import evaluate_case
from monai_ich.evaluate.densities import HIGHEST_HU, LOWEST_HU, measure_densities
from monai_ich.evaluate.exams import LIMITS, see_exams, see_limit
from monai_ich.evaluate.figures import lesions_by_size, stratify, summarize
from monai_ich.evaluate.page import summary_lines
from monai_ich.evaluate.prediction import thickest_mm
from monai_ich.io.nifti import write_nifti
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.manifest.manifest import SAME_LABELS, Case
from monai_ich.measure.summary import measure_exam
from monai_ich.results.files import write_tables
from tests.manifest_files import write_json
from tests.phantom import grid, phantom

CENTIMETER = Geometry((6, 6, 6), np.diag([10.0, 10.0, 10.0, 1.0]))  # a voxel is 1 mL
Box = tuple[slice | int, ...]


def _labels(*parts: tuple[int, Box], grid: Geometry = CENTIMETER) -> LabelMap:
    voxels = np.zeros(grid.shape, np.uint8)
    for value, box in parts:
        voxels[box] = value
    return LabelMap(voxels, grid, AnyLabel if voxels.max() > 5 else Subtype)


def _write_study_case(folder: Path, labels: LabelMap, **subtypes: float) -> None:
    """What `analyze` leaves: a label map and measurements, with probabilities and a shift of 4 mm
    to the right.
    """
    write_nifti(folder / "ich.nii.gz", labels)
    write_tables(measure_exam(labels), folder, case_id="x", warnings=(), provenance=Provenance({}))
    record = json.loads((folder / "measurements.json").read_text())
    for name, probability in subtypes.items():
        (record if name == "any" else record["subtypes"][name])["probability"] = probability
    record["midline_shift"] = {"value_mm": 4.0, "toward": "right"}
    (folder / "measurements.json").write_text(json.dumps(record))


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    """Manifest and predictions. half: 1 of 2 mL overlaps; empty: both are; lost: missed; exam:
    labels only; gone: missing.
    """
    predictions = tmp_path / "predictions"
    _write_study_case(
        predictions / "cases" / "half", _labels((5, (slice(1, 3), 0, 0)), (2, (5, 5, slice(0, 3))))
    )
    write_nifti(
        predictions / "cases" / "half" / "ct.nii.gz",
        phantom(grid(pixels=48, pixel_mm=4.3, slice_mm=8.0)),
    )
    write_nifti(predictions / "lost.nii.gz", _labels())
    write_seg_nrrd(predictions / "empty.seg.nrrd", _labels())
    write_nifti(predictions / "exam.nii.gz", _labels((1, (0, 0, 0))))
    references = {
        "half": _labels((9, (slice(0, 2), 0, 0))),
        "empty": _labels(),
        "lost": _labels((7, (slice(0, 4), 0, 0))),
    }
    rows: list[dict[str, Any]] = [
        {"id": name, "image": "x.nii.gz", "label": f"{name}.nii.gz"} for name in references
    ]
    for name, labels in references.items():
        write_nifti(tmp_path / f"{name}.nii.gz", labels)
    rows[0] |= {"site": "Oslo", "midline_shift_mm": 3.5}
    rows.append(
        {
            "id": "exam",
            "image": "x.nii.gz",
            "exam_labels": {"EDH": 1, "any": 1},
            "midline_shift_mm": 1.0,
        }
    )
    rows.append({"id": "gone", "image": "x.nii.gz", "label": "half.nii.gz"})
    mapping = {"9": "SDH", "7": "IPH", "8": "ignore"}
    record = {
        "schema": "monai-ich/manifest/1",
        "name": "blocks",
        "label_mapping": mapping,
        "test": rows,
    }
    return write_json(tmp_path / "m.json", record), predictions


def _csv(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as stream:
        return {row["case_id"]: row for row in csv.DictReader(stream)}


def test_the_command_compares_every_case_and_lists_what_is_missing(
    data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, predictions = data
    out = tmp_path / "out"
    command = [
        "evaluate",
        "--manifest",
        str(manifest),
        "--predictions",
        str(predictions),
        "-o",
        str(out),
    ]
    assert main(command) == 4, "one case has no prediction"
    said = capsys.readouterr().out
    assert (
        "gone: MISSING_PREDICTION" in said
        and "4 of 5 cases evaluated, 1 not: MISSING_PREDICTION (1)." in said
    )

    rows = _csv(out / "cases.csv")
    assert list(rows) == ["half", "empty", "lost", "exam"]
    half, empty, missed, exam = rows.values()
    assert (half["SDH_dice"], half["SDH_reference_ml"], half["SDH_volume_ml"]) == ("0.5", "2", "2")
    sides, ends = 4 * np.sqrt(0.5), 4 * np.sqrt(3) / 8  # of a bar: around its middle; at each end
    share = (sides + ends) / (sides + 2 * ends)  # all but the end that the other does not reach
    assert (half["SDH_hd95_mm"], half["SDH_surface_dice"], half["SDH_volume_difference"]) == (
        "9.5",
        f"{share:.6g}",
        "0",
    )
    assert (half["SDH_lesions"], half["SDH_lesions_found"], half["any_false_lesions"]) == (
        "1",
        "1",
        "1",
    )
    assert (half["any_dice"], half["any_volume_difference"]) == (f"{2 / 7:.6g}", "1.5"), (
        "2 mL true, 5 mL said"
    )
    assert (half["site"], half["slice_thickness_mm"], half["midline_shift_error_mm"]) == (
        "Oslo",
        "10",
        "0.5",
    )
    assert (empty["any_dice"], empty["any_surface_dice"], empty["any_hd95_mm"]) == ("1", "1", "0")
    assert (missed["IPH_dice"], missed["IPH_volume_difference"], missed["IPH_hd95_mm"]) == (
        "0",
        "-1",
        "",
    )
    assert missed["IPH_hd95_mm_reason"] == "the prediction is empty"
    assert (
        exam["EDH_reference"],
        exam["EDH_predicted"],
        exam["SDH_reference"],
        exam["any_dice"],
    ) == ("1", "1", "", "")
    assert "EDH_dice" not in half, "the manifest's mapping knows no EDH"

    summary = json.loads((out / "summary.json").read_text())
    assert summary["cases"] == {
        "listed": 5,
        "evaluated": 4,
        "failed": 1,
        "codes": {"MISSING_PREDICTION": 1},
    }
    masks, exams = summary["figures"]["masks"]["any"], summary["figures"]["exams"]["any"]
    assert masks["dice"]["value"] == pytest.approx((2 / 7 + 1 + 0) / 3) and masks["dice"]["n"] == 3
    assert masks["dice_where_present"] | {"interval": 0} == {
        "value": pytest.approx(1 / 7),
        "interval": 0,
        "n": 2,
    }
    assert masks["counts"] == {"scans": 3, "present": 2, "missed": 1, "false": 0}
    hd95 = masks["hd95_mm_where_both"]
    assert (hd95["n"], hd95["interval"], hd95["interval_reason"]) == (1, None, "one case")
    assert masks["lesion_precision"]["value"] == 1 / 2, "of IPH and SDH that were said, SDH is true"
    assert masks["lesion_sensitivity"]["value"] == 1 / 2 and masks["false_lesions"][
        "value"
    ] == pytest.approx(1 / 3)
    assert masks["volume_bias_ml"]["value"] == pytest.approx((3 - 4) / 2), "without the empty pair"
    assert masks["volume_bias_ml"]["n"] == masks["volume_icc"]["n"] == 2
    assert masks["volume_mean_absolute_error_ml"]["value"] == pytest.approx((3 + 4) / 2)
    assert summary["figures"]["masks"]["SDH"]["volume_concordance"] == {
        "value": None,
        "interval": None,
        "n": 1,
        "reason": "one case is too few",
    }
    assert exams["confusion"] == {
        "true_positives": 2,
        "false_positives": 0,
        "false_negatives": 1,
        "true_negatives": 1,
    }
    assert exams["sensitivity"]["value"] == 2 / 3 and exams["f1"]["value"] == 4 / 5
    assert (
        exams["auc"]["value"] == pytest.approx((1 + 1 + 0.5) / 3)
        and exams["auc"]["score"] == "volume_ml"
    )
    shift = summary["figures"]["midline_shift"]
    assert (
        shift["mean_absolute_error_mm"]["value"],
        shift["within_1_mm"]["value"],
        shift["not_measured"],
    ) == (
        0.5,
        1,
        1,
    )
    assert (shift["bias_mm"]["value"], shift["icc"]["reason"]) == (0.5, "one case is too few")
    assert list(summary["strata"]["site"]) == ["Oslo", "unknown"]
    assert list(summary["strata"]["largest_lesion"]) == ["no lesion", "1 to 5 mL"]
    assert summary["lesion_sensitivity_by_size"]["IPH"]["1 to 5 mL"]["value"] == 0.0

    page = (out / "report.html").read_text()
    assert page.count("<img") == 4 and "http" not in page and "MISSING_PREDICTION" in page
    assert {p.name for p in out.glob("*.png")} == {
        f"{n}.png" for n in ("bland_altman", "dice_by_volume", "hu_histogram", "roc")
    }
    assert main(command) == 3, "earlier results stay"


@pytest.mark.slow
def test_mlflow_holds_figures_and_tables_but_no_name_of_a_case_or_site_and_no_path(
    data: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [
        "evaluate",
        "--manifest",
        str(data[0]),
        "--predictions",
        str(data[1]),
        "-o",
        str(out),
    ]
    assert main([*command, "--mlflow", f"sqlite:///{tmp_path}/store.db"]) == 4
    with sqlite3.connect(tmp_path / "store.db") as store:
        parameters = dict(store.execute("select key, value from params").fetchall())
        metrics = dict(store.execute("select key, value from metrics").fetchall())
        (folder,) = store.execute("select artifact_uri from runs").fetchone()
    assert parameters["data_split"] == "test" and len(parameters["data_hash"]) == 16
    assert metrics["exams/any/f1"] == 4 / 5 and metrics["masks/SDH/dice_where_present"] == 0.5
    files = [p for p in Path(folder.removeprefix("file://")).rglob("*") if p.is_file()]
    assert {p.name for p in files} == {
        "cases.csv",
        "lesions.csv",
        "summary.json",
        *(p.name for p in out.glob("*.png")),
    }
    texts = "".join([*(p.read_text() for p in files if p.suffix != ".png"), *parameters.values()])
    assert not re.search(r"\b(half|lost|gone|Oslo)\b", texts) and str(tmp_path) not in texts


def _folder_of(tmp_path: Path, labels: LabelMap) -> Path:
    write_nifti(tmp_path / "p" / "a.nii.gz", labels)
    return tmp_path / "p"


@pytest.mark.parametrize(
    ("prediction", "reference", "code"),
    [
        (_labels((9, (0, 0, 0))), _labels(), "UNKNOWN_LABEL"),
        (_labels(), _labels((9, (0, 0, 0))), "UNKNOWN_LABEL"),
        (
            _labels(),
            _labels(grid=Geometry((6, 6, 6), np.diag([10.0, 10.0, 9.0, 1.0]))),
            "GRID_MISMATCH",
        ),
    ],
)
def test_what_cannot_be_compared_has_a_code_and_nothing_is_written(
    tmp_path: Path,
    prediction: LabelMap,
    reference: LabelMap,
    code: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = _folder_of(tmp_path, prediction)
    write_nifti(tmp_path / "r.nii.gz", reference)
    mapping = {str(v): n for v, n in SAME_LABELS.items()}
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": mapping}
    record |= {"validation": [{"id": "a", "image": "x.nii", "label": "r.nii.gz"}]}
    manifest = write_json(tmp_path / "m.json", record)
    command = [
        "evaluate",
        "--manifest",
        str(manifest),
        "--predictions",
        str(folder),
        "-o",
        str(tmp_path / "out"),
    ]
    assert main([*command, "--split", "validation"]) == 3
    assert (
        f"NOTHING_EVALUATED: None of 1 cases could be evaluated: {code} (1)."
        in capsys.readouterr().err
    )
    assert main(command) == 3 and "NO_CASES" in capsys.readouterr().err, "the split test is empty"
    assert not (tmp_path / "out").exists()


def test_blood_of_unknown_subtype_is_compared_as_any_blood_only(tmp_path: Path) -> None:
    write_nifti(tmp_path / "r.nii.gz", _labels((1, (slice(0, 2), 0, 0))))
    case = Case("a", "test", (), label=tmp_path / "r.nii.gz")
    row, lesions = evaluate_case(
        case, _folder_of(tmp_path, _labels((3, (slice(0, 2), 0, 0)))), {1: "any"}
    )
    assert row["any_dice"] == 1.0 and "IVH_dice" not in row and row["IVH_reference"] is None
    assert [(x["finding"], x["in"], x["volume_ml"], x["matched"]) for x in lesions] == [
        ("any", "reference", 2.0, 1),
        ("any", "prediction", 2.0, 1),
    ]


def test_exam_labels_go_before_slices_and_slices_before_the_mask(tmp_path: Path) -> None:
    write_nifti(tmp_path / "r.nii.gz", _labels((1, (0, 0, 0))))
    folder = _folder_of(tmp_path, _labels())
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
        _write_study_case(tmp_path / f"c{n}", _labels((5, (0, 0, 0))), **said)
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
    folder = _folder_of(tmp_path, _labels(grid=Geometry((6, 6, 6), affine)))
    assert evaluate_case(Case("a", "test", ()), folder, {})[0]["slice_thickness_mm"] == 5.0


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
    _write_study_case(tmp_path / "a", _labels())
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
