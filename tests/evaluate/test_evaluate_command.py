"""`monai-ich evaluate` end to end: every case is compared or listed with a code."""

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
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.manifest.manifest import SAME_LABELS
from tests.evaluate.blocks import blocks, folder_of, write_study_case
from tests.manifest_files import write_json
from tests.phantom import grid, phantom


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    """Manifest and predictions. half: 1 of 2 mL overlaps; empty: both are; lost: missed; exam:
    labels only; gone: missing.
    """
    predictions = tmp_path / "predictions"
    write_study_case(
        predictions / "cases" / "half", blocks((5, (slice(1, 3), 0, 0)), (2, (5, 5, slice(0, 3))))
    )
    write_nifti(
        predictions / "cases" / "half" / "ct.nii.gz",
        phantom(grid(pixels=48, pixel_mm=4.3, slice_mm=8.0)),
    )
    write_nifti(predictions / "lost.nii.gz", blocks())
    write_seg_nrrd(predictions / "empty.seg.nrrd", blocks())
    write_nifti(predictions / "exam.nii.gz", blocks((1, (0, 0, 0))))
    references = {
        "half": blocks((9, (slice(0, 2), 0, 0))),
        "empty": blocks(),
        "lost": blocks((7, (slice(0, 4), 0, 0))),
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("prediction", "reference", "code"),
    [
        (blocks((9, (0, 0, 0))), blocks(), "UNKNOWN_LABEL"),
        (blocks(), blocks((9, (0, 0, 0))), "UNKNOWN_LABEL"),
        (
            blocks(),
            blocks(grid=Geometry((6, 6, 6), np.diag([10.0, 10.0, 9.0, 1.0]))),
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
    folder = folder_of(tmp_path, prediction)
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
