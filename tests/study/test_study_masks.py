"""A study of masks that are there: the row of a network's study, without a network."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.errors import InputError
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from monai_ich.study.inputs import StudyCase, list_cases
from monai_ich.study.masks import MeasureMasks, with_masks
from monai_ich.study.results import is_done, read_row
from monai_ich.study.summary import write_summary
from monai_ich.study.worker import Outcome, Worker
from tests.heads import anatomy
from tests.manifest_files import write_json
from tests.phantom import grid, phantom
from tests.study.stub import build, write_head

GRID = grid(pixels=48, pixel_mm=4.3, slice_mm=8.0, count=20)
VOXEL_ML = round(4.3 * 4.3 * 8.0 / 1000, 3)


def _drawn(path: Path, *, voxels: int = 1, value: int = Subtype.IVH, marked: bool = True) -> Path:
    """A mask of a few voxels; one that is not marked says nothing of what its values mean."""
    drawn = np.zeros(GRID.shape, np.uint8)
    drawn[20 : 20 + voxels, 24, 10] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    if marked:
        write_nifti(path, LabelMap(drawn, GRID, Subtype))
    else:
        nib.save(nib.Nifti1Image(drawn, GRID.affine), path)
    return path


def _measured(case: StudyCase, folder: Path, **how: object) -> Outcome:
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = partial(MeasureMasks, read_ct, **how)  # type: ignore[arg-type]
    return Worker(made).analyze(case, folder, "d1")


@pytest.fixture
def case(tmp_path: Path) -> StudyCase:
    image = write_head(tmp_path / "in" / "case_1.nii.gz")
    return StudyCase("case_1", (image,), masks=(_drawn(tmp_path / "masks" / "case_1.nii.gz"),))


@pytest.mark.slow
def test_a_mask_gives_the_columns_of_a_network_and_its_first_voxel_counts(
    case: StudyCase, tmp_path: Path
) -> None:
    assert _measured(case, tmp_path / "out" / "a") == Outcome("case_1")
    assert Worker(build).analyze(case, tmp_path / "out" / "b", "d1").code == ""
    row, network = read_row(case, tmp_path / "out" / "a"), read_row(case, tmp_path / "out" / "b")
    assert list(row) == list(network)
    assert (row["ivh_present"], row["ivh_state"], row["ivh_volume_ml"]) == (1, "found", VOXEL_ML)
    assert (row["weights"], network["weights_reason"]) == (None, None)
    assert row["weights_reason"] == "a mask was given, no network was run"
    assert row["calibration_reason"] == "no network was run"
    assert row["seconds"] > 0 and is_done(tmp_path / "out" / "a", "d1")
    assert {p.name for p in (tmp_path / "out" / "a").iterdir()} == {
        *("measurements.json", "measurements.csv", "lesions.csv", "slices.csv", "provenance.json")
    }
    write_summary(tmp_path / "s.html", [row, network | {"case_id": "b"}], [], total=2)
    page = (tmp_path / "s.html").read_text()
    assert "cases/b/report.html" in page and "cases/case_1/" not in page, "there is no report"


def test_an_operating_point_can_be_set(case: StudyCase, tmp_path: Path) -> None:
    _measured(case, tmp_path / "out" / "a", operating_point_ml=1.0)
    row = read_row(case, tmp_path / "out" / "a")
    assert (row["ivh_present"], row["ivh_volume_ml"]) == (0, VOXEL_ML)
    without = _measured(case, tmp_path / "out" / "b")
    assert without.code == ""
    other = read_row(case, tmp_path / "out" / "b")
    assert row["settings_digest"] != other["settings_digest"], "rows can be told apart"


def test_anatomy_gives_sides_and_the_midline_shift(case: StudyCase, tmp_path: Path) -> None:
    fine = grid(pixels=96, pixel_mm=2.2)
    blood = np.zeros(fine.shape, np.uint8)
    blood[60:70, 48, 20] = Subtype.IPH
    for name, image in (
        ("ct", phantom(fine)),
        ("masks/case_1", LabelMap(blood, fine, Subtype)),
        ("cases/case_1/anatomy", anatomy(fine, shift_mm=6)),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_nifti(tmp_path / f"{name}.nii.gz", image)
    case = replace(case, image=(tmp_path / "ct.nii.gz",))
    (case,) = with_masks([case], tmp_path / "masks", tmp_path)
    assert _measured(case, tmp_path / "out" / "a").code == ""
    row = read_row(case, tmp_path / "out" / "a")
    assert row["midline_shift_mm"] == pytest.approx(6.0, abs=1.0)
    (lesion,) = csv.DictReader((tmp_path / "out" / "a" / "lesions.csv").open())
    assert lesion["side"] in ("left", "right") and float(lesion["mean_hu"]) > 0
    assert lesion["toolkit_version"] == row["toolkit_version"]


def test_a_mask_of_one_class_is_refused_until_somebody_says_what_it_is(
    case: StudyCase, tmp_path: Path
) -> None:
    one = replace(case, masks=(_drawn(tmp_path / "one.nii.gz", value=1, marked=False),))
    assert _measured(one, tmp_path / "out" / "a").code == "UNKNOWN_MEANING"
    assert not any((tmp_path / "out").iterdir()), "nothing is left"
    assert _measured(one, tmp_path / "out" / "a", meaning=LabelMeaning(only=Subtype.SDH)).code == ""
    row = read_row(one, tmp_path / "out" / "a")
    assert (row["sdh_volume_ml"], row["edh_volume_ml"]) == (VOXEL_ML, 0.0)


def test_a_manifest_names_masks_anatomy_and_what_values_mean(tmp_path: Path) -> None:
    write_head(tmp_path / "a.nii.gz")
    _drawn(tmp_path / "m.nii.gz", value=7, marked=False)
    rows = [{"id": "a", "image": "a.nii.gz", "label": "m.nii.gz"}, {"id": "b", "image": "a.nii.gz"}]
    mapping = {"7": "SDH", "8": "ignore"}
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": mapping, "test": rows}
    path = write_json(tmp_path / "m.json", record)
    listed = list_cases(path)
    assert listed[0].masks == (), "a network's study does not follow masks that change"
    a, b = with_masks(listed, path)
    assert _measured(a, tmp_path / "out" / "a").code == ""
    assert read_row(a, tmp_path / "out" / "a")["sdh_volume_ml"] == VOXEL_ML
    assert _measured(b, tmp_path / "out" / "b").code == "NO_MASK"


def test_the_mask_of_a_case_is_found_by_its_name_and_never_guessed(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    for name in ("a.nii.gz", "b.seg.nrrd", "c.nii.gz", "c.dcm", "aa.nii.gz"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    cases = with_masks([StudyCase(name, ()) for name in "abcd"], folder)
    assert [[p.name for p in case.masks] for case in cases] == [
        *(["a.nii.gz"], ["b.seg.nrrd"], ["c.nii.gz", "c.dcm"], [])
    ]
    found = [_measured(replace(c, image=(folder,)), tmp_path / "out" / c.id) for c in cases[2:]]
    assert [outcome.code for outcome in found] == ["TWO_MASKS", "NO_MASK"]
    with pytest.raises(InputError, match="INPUT_NOT_FOUND"):
        with_masks(cases, tmp_path / "nowhere")


def test_a_corrected_mask_is_measured_again(case: StudyCase) -> None:
    first = case.digest("s")
    assert case.digest("s") == first != replace(case, masks=()).digest("s")
    os.utime(case.masks[0], (1, 1))
    assert case.digest("s") != first
    assert replace(case, meaning=LabelMeaning(only=5)).digest("s") != case.digest("s")


def test_a_mask_of_another_grid_is_refused(case: StudyCase, tmp_path: Path) -> None:
    other = grid(pixels=40, pixel_mm=5.0, slice_mm=8.0, count=20)
    drawn = np.full(other.shape, Subtype.SDH, np.uint8)
    write_nifti(tmp_path / "o.nii.gz", LabelMap(drawn, other, Subtype))
    wrong = replace(case, masks=(tmp_path / "o.nii.gz",))
    assert _measured(wrong, tmp_path / "out" / "a").code == "GRID_MISMATCH"


@pytest.mark.slow
def test_one_command_measures_a_cohort_heals_a_damaged_row_and_writes_bids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("case_1", "case_2", "case_3"):
        write_head(tmp_path / "in" / f"{name}.nii.gz")
        if name != "case_3":
            _drawn(tmp_path / "masks" / f"{name}.nii.gz")
    out = tmp_path / "out"
    command = ["study", tmp_path / "in", "--masks", tmp_path / "masks", "-o", out, "--workers", "1"]
    words = [str(word) for word in (*command, "--bids", tmp_path / "bids")]
    assert main(words) == 4, "one has no mask"
    said = capsys.readouterr()
    assert "2 scans done, 1 failed" in said.out and "case_3: NO_MASK" in said.err
    (out / "cases" / "case_1" / "measurements.csv").write_text("case_id\n")
    assert main(words) == 4
    said = capsys.readouterr()
    assert "case_1: its earlier results could not be read" in said.err
    assert "2 scans done (1 before)" in said.out
    rows = list(csv.DictReader((out / "study.csv").open()))
    assert [row["ivh_volume_ml"] for row in rows] == [str(VOXEL_ML)] * 2
    made = json.loads((out / "cases" / "case_1" / "provenance.json").read_text())
    assert made["weights"] == {} and made["settings"]["operating_point_ml"] == 0.0
    assert (tmp_path / "bids" / "phenotype" / "ich.tsv").read_text().count("\n") == 3
    shutil.rmtree(out)
    of_scans = ["study", str(tmp_path / "in"), "-o", str(out)]
    assert main([*of_scans, "--labels-are", "SDH"]) == main([*of_scans, "--masks"]) == 2
