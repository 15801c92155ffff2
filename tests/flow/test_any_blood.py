"""A mask of one class that holds any blood: volumes, lesions, and nothing that needs subtypes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.exam import NO_SUBTYPES
from monai_ich.core.labels import Subtype
from monai_ich.io.nifti import write_nifti
from tests.heads import anatomy
from tests.manifest_files import write_json
from tests.phantom import grid, phantom

VOXEL_ML = 3.2 * 3.2 * 5 / 1000
BLOCK_ML = 1000 * VOXEL_ML  # 10 x 20 x 5 voxels


def _run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A CT, anatomy with a shift of 6 mm, and a mask: a block of 1 and, apart, one voxel."""
    voxels = np.zeros(grid().shape, np.uint8)
    voxels[20:30, 20:40, 10:15] = 1
    voxels[45, 30, 12] = 1
    nib.save(nib.Nifti1Image(voxels, grid().affine), tmp_path / "mask.nii.gz")
    nib.save(nib.Nifti1Image(voxels * 0, grid().affine), tmp_path / "empty.nii.gz")
    write_nifti(tmp_path / "ct.nii.gz", phantom(grid()))
    write_nifti(tmp_path / "anatomy.nii.gz", anatomy(grid(), shift_mm=6))
    return tmp_path


def _measured(images: Path, out: Path, mask: str = "mask", meaning: str = "any") -> dict[str, Any]:
    given = ("--ct", images / "ct.nii.gz", "--anatomy", images / "anatomy.nii.gz")
    words = ("measure", images / f"{mask}.nii.gz", *given, "--labels-are", meaning, "-o", out)
    assert _run(*words) == 0
    record: dict[str, Any] = json.loads((out / "measurements.json").read_text())
    return record


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_all_blood_and_lesions_are_measured_and_no_subtype_is_named(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = _measured(images, images / "out")
    assert "Hemorrhage found, 51.3 mL in all, its subtype not told by the mask." in (
        capsys.readouterr().out
    )
    assert record["total_volume_ml"] == pytest.approx(BLOCK_ML + VOXEL_ML, abs=1e-3)
    assert record["subtypes"] == {s.name: {"not_measurable": NO_SUBTYPES} for s in Subtype}
    (lesion,) = record["lesions"]
    assert (lesion["subtype"], record["specks"]["count"]) == ("ANY", 1)
    assert lesion["volume_ml"] == pytest.approx(BLOCK_ML, abs=1e-3) and lesion["mean_hu"] > 0
    assert lesion["abc2_reason"] == lesion["axial_thickness_reason"] == NO_SUBTYPES
    assert record["midline_shift"]["value_mm"] == pytest.approx(6.0, abs=1.0)


def test_criteria_signs_and_scores_are_open_but_for_the_midline(images: Path) -> None:
    record = _measured(images, images / "out")
    judged = [*record["criteria"], *record["signs"]]
    assert {(one["met"], one["because"]) for one in judged} == {(None, NO_SUBTYPES)}
    known = {
        part["name"]
        for score in record["scores"]
        for part in (*score["components"], {"name": "total", **score.get("total", {})})
        if "value" in part
    }
    assert known == {"marshall_shift", "rotterdam_shift", "stockholm_shift_mm"}


def test_each_empty_cell_has_its_reason_and_no_cell_is_a_silent_zero(images: Path) -> None:
    _measured(images, images / "out")
    (row,) = _rows(images / "out" / "measurements.csv")
    named = [name for name in row if name.split("_")[0] in [s.lower() for s in Subtype.__members__]]
    assert {row[n] for n in named if not n.endswith("_reason")} == {""}
    assert row["subtypes_reason"] == row["btf_edh_volume_reason"] == NO_SUBTYPES
    assert row["iph_location_reason"] == row["sdh_axial_thickness_reason"] == NO_SUBTYPES
    assert (row["hemorrhage_present"], row["lesion_count"]) == ("1", "1")
    slices = _rows(images / "out" / "slices.csv")
    assert sum(float(s["total_volume_ml"]) for s in slices) == pytest.approx(51.251, abs=0.01)
    assert {(s["sdh_volume_ml"], s["subtypes_reason"]) for s in slices} == {("", NO_SUBTYPES)}


def test_no_blood_is_none_of_any_subtype(images: Path) -> None:
    record = _measured(images, images / "out", "empty")
    assert {f["state"] for f in record["subtypes"].values()} == {"not found"}
    assert record["hemorrhage_state"] == "not found" and not record["lesions"]


def test_one_value_of_any_blood_makes_all_blood_so(images: Path) -> None:
    voxels = np.asarray(nib.load(images / "mask.nii.gz").dataobj)
    voxels[35:45, 20:40, 10:15] = 2
    voxels[50:60, 20:40, 10:15] = 3
    nib.save(nib.Nifti1Image(voxels, grid().affine), images / "three.nii.gz")
    record = _measured(images, images / "out", "three", "1=any,2=SDH,3=edema")
    assert record["total_volume_ml"] == pytest.approx(2 * BLOCK_ML + VOXEL_ML, abs=1e-3)
    assert record["edema"]["volume_ml"] == pytest.approx(BLOCK_ML, abs=1e-2)
    assert record["edema"]["iph_ratio_not_measurable"] == NO_SUBTYPES
    assert record["provenance"]["settings"]["labels_are"] == "1=any,2=any,3=edema"


@pytest.mark.parametrize("command", ["export", "resample"])
def test_a_file_whose_segments_are_named_by_subtype_is_refused(
    images: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    like = "--ct" if command == "export" else "--like"
    out = images / "out.nii.gz"
    words = (command, images / "mask.nii.gz", like, images / "ct.nii.gz", "-o", out)
    assert _run(*words, "--labels-are", "any") == 3 and not out.exists()
    assert "UNKNOWN_MEANING" in capsys.readouterr().err


def test_two_scans_are_compared_by_all_blood_and_expansion_stays_open(images: Path) -> None:
    for name, meaning in (("a", "any"), ("b", "any"), ("c", "IPH")):
        _measured(images, images / name, meaning=meaning)
    out = images / "f"
    assert _run("followup", images / "a", images / "b", images / "c", "-o", out) == 0
    rows = _rows(out / "followup.csv")
    for row in rows:
        assert (row["all_change_ml"], row["iph_change_ml"]) == ("0.0", "")
        assert row["iph_change_pct_reason"] == NO_SUBTYPES and row["iph_over_6_ml"] == ""
        assert f"iph_over_6_ml: {NO_SUBTYPES}" in row["undecided_reason"]
    assert ["DIFFERENT_SETTINGS" in row["warnings"] for row in rows] == [False, True]
    record = json.loads((out / "followup.json").read_text())
    assert record["comparisons"][0]["volumes"]["SDH"] == {"not_measurable": NO_SUBTYPES}


def test_predictions_are_compared_as_any_blood(images: Path) -> None:
    reference = np.zeros(grid().shape, np.uint8)
    reference[20:30, 20:40, 10:15] = 5
    nib.save(nib.Nifti1Image(reference, grid().affine), images / "reference.nii.gz")
    rows = [{"id": "mask", "image": "ct.nii.gz", "label": "reference.nii.gz"}]
    mapping = {str(int(s)): s.name for s in Subtype}
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": mapping, "test": rows}
    (images / "p").mkdir()
    (images / "mask.nii.gz").rename(images / "p" / "mask.nii.gz")
    words = ("evaluate", "--manifest", write_json(images / "m.json", record), "-o", images / "out")
    assert _run(*words, "--predictions", images / "p", "--labels-are", "any") == 0
    (row,) = _rows(images / "out" / "cases.csv")
    assert float(row["any_dice"]) == pytest.approx(2000 / 2001) and "SDH_dice" not in row
    assert (row["any_predicted"], row["SDH_predicted"], row["SDH_reference"]) == ("1", "", "1")
    summary = json.loads((images / "out" / "summary.json").read_text())["figures"]
    assert list(summary["exams"]) == ["any"] and list(summary["masks"]) == ["any"]
