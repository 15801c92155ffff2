"""A study out of BIDS, and into BIDS."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monai_ich.core.errors import OutputError
from monai_ich.results.dictionary import columns
from monai_ich.study.bids import bids_masks, require_bids, write_bids
from monai_ich.study.inputs import StudyCase, study_input
from monai_ich.study.results import read_row
from monai_ich.study.worker import Worker
from tests.study.stub import build, write_head

HERE = Path(sys.executable).parent / "bids-validator-deno"
VALIDATOR = HERE if HERE.is_file() else shutil.which("bids-validator-deno")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[StudyCase], list[Any]]:
    """Two sessions of one subject, and another subject whose CT lies in ``anat``."""
    root = tmp_path_factory.mktemp("bids")
    head = write_head(root / "raw/sub-01/ses-1/ct/sub-01_ses-1_ct.nii.gz")
    for copy in ("sub-01/ses-2/ct/sub-01_ses-2_run-1_ct.nii.gz", "sub-02/anat/sub-02_ct.nii.gz"):
        (root / "raw" / copy).parent.mkdir(parents=True)
        shutil.copyfile(head, root / "raw" / copy)
    sidecar = {"Manufacturer": "SIEMENS", "ConvolutionKernel": ["Hr40f", "3"], "SliceThickness": 8}
    (root / "raw/sub-02/anat/sub-02_ct.json").write_text(json.dumps(sidecar))
    cases = list(study_input(root / "raw").cases)
    (root / "out" / "cases").mkdir(parents=True)
    worker = Worker(build)
    for case in cases:
        assert worker.analyze(case, root / "out" / "cases" / case.id, "d").code == ""
    rows = [read_row(case, root / "out" / "cases" / case.id) for case in cases]
    write_bids(root / "derivative", root / "out", cases, rows)
    return root, cases, rows


@pytest.mark.slow
def test_a_ct_in_anat_is_a_scan_and_its_sidecar_says_how_it_was_made(
    study: tuple[Path, list[StudyCase], list[Any]],
) -> None:
    _, cases, rows = study
    assert [c.id for c in cases] == ["sub-01_ses-1", "sub-01_ses-2_run-1", "sub-02"]
    names = ("slice_thickness_mm", "kernel", "manufacturer", "acquisition_reason")
    assert [rows[2][name] for name in names] == [8.0, "HR40F 3", "Siemens", None]
    assert [rows[0][name] for name in names] == [
        *(None, None, None, "NIfTI does not say it, and no sidecar does")
    ]
    assert [rows[0][f"spacing_{axis}_mm"] for axis in "ijk"] == [4.3, 4.3, 8.0]


def test_the_derivative_holds_masks_labels_and_measurements(
    study: tuple[Path, list[StudyCase], list[Any]],
) -> None:
    root, _, rows = study
    folder = root / "derivative"
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        "README",
        "dataset_description.json",
        "desc-ich_dseg.tsv",
        "participants.tsv",
        "phenotype/ich.json",
        "phenotype/ich.tsv",
        "phenotype/ich_scan2.json",
        "phenotype/ich_scan2.tsv",
        "sub-01/ses-1/anat/sub-01_ses-1_desc-ich_dseg.json",
        "sub-01/ses-1/anat/sub-01_ses-1_desc-ich_dseg.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_run-1_desc-ich_dseg.json",
        "sub-01/ses-2/anat/sub-01_ses-2_run-1_desc-ich_dseg.nii.gz",
        "sub-02/anat/sub-02_desc-ich_dseg.json",
        "sub-02/anat/sub-02_desc-ich_dseg.nii.gz",
    ]
    about = json.loads((folder / "dataset_description.json").read_text())
    assert about["DatasetType"] == "derivative" and about["GeneratedBy"][0]["Name"] == "MONAI-ICH"
    labels = list(csv.DictReader((folder / "desc-ich_dseg.tsv").open(), delimiter="\t"))
    assert [(row["index"], row["abbreviation"]) for row in labels] == [
        *(("0", "BG"), ("1", "EDH"), ("2", "IPH"), ("3", "IVH"), ("4", "SAH"), ("5", "SDH"))
    ]
    first, second = (
        list(csv.DictReader((folder / f"phenotype/{name}.tsv").open(), delimiter="\t"))
        for name in ("ich", "ich_scan2")
    )
    table = [first[0], *second, first[1]]
    assert [row["scan_id"] for row in table] == ["sub-01_ses-1", "sub-01_ses-2_run-1", "sub-02"]
    assert [row["participant_id"] for row in table] == ["sub-01", "sub-01", "sub-02"]
    assert [row["session_id"] for row in table] == ["ses-1", "ses-2", "n/a"]
    assert [float(row["iph_volume_ml"]) for row in table] == [r["iph_volume_ml"] for r in rows]
    assert table[0]["midline_shift_mm"] == "n/a", "never empty"
    said = json.loads((folder / "phenotype/ich.json").read_text())
    assert set(table[0]) - {"participant_id"} <= set(said), "each column is explained"
    units = {c.name: c.unit for c in columns() if c.table == "measurements"}
    assert said["iph_volume_ml"]["Units"] == units["iph_volume_ml"] == "mL"
    assert said["iph_present"]["Levels"] == {"0": "no", "1": "yes"}


def test_masks_of_a_derivative_are_found_again(
    study: tuple[Path, list[StudyCase], list[Any]],
) -> None:
    root, cases, _ = study
    found = [bids_masks(case, root / "derivative") for case in cases]
    assert [[p.name for p in paths] for paths in found] == [
        ["sub-01_ses-1_desc-ich_dseg.nii.gz"],
        ["sub-01_ses-2_run-1_desc-ich_dseg.nii.gz"],
        ["sub-02_desc-ich_dseg.nii.gz"],
    ]
    assert bids_masks(StudyCase("*", ()), root / "derivative") == ()


def test_a_folder_of_somebody_else_is_never_replaced(
    study: tuple[Path, list[StudyCase], list[Any]], tmp_path: Path
) -> None:
    root, cases, rows = study
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "dataset_description.json").write_text('{"Name": "raw"}')
    with pytest.raises(OutputError, match="OUTPUT_EXISTS"):
        write_bids(tmp_path / "theirs", root / "out", cases, rows)
    assert [p.name for p in (tmp_path / "theirs").iterdir()] == ["dataset_description.json"]
    again = shutil.copytree(root / "derivative", tmp_path / "ours")
    write_bids(again, root / "out", cases[:1], rows[:1])
    assert not (again / "sub-02").exists() and (again / "sub-01").exists()
    with pytest.raises(OutputError, match="SAME_BIDS_NAME"):
        require_bids(tmp_path / "new", [StudyCase("a_1", ()), StudyCase("a1", ())])


@pytest.mark.interop
@pytest.mark.skipif(VALIDATOR is None, reason="bids-validator-deno is needed")
def test_the_bids_validator_finds_no_error(
    study: tuple[Path, list[StudyCase], list[Any]],
) -> None:
    command = [str(VALIDATOR), str(study[0] / "derivative"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
