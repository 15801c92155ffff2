"""Bad input gets one sentence, a code, exit 3 (2 for usage), no traceback, nothing half-written."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from tests.phantom import grid, phantom, series


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    write_nifti(tmp_path / "ct.nii.gz", phantom(grid()))
    return tmp_path / "ct.nii.gz"


def _run(*args: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main([str(a) for a in args])
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said and "\n" not in said
    return status, said


def test_inputs_that_are_no_head_ct(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = nib.load(ct)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.nii.gz").write_text("no image")
    nib.save(
        nib.Nifti1Image(np.asarray(image.dataobj)[:, :, 3], np.eye(4)), tmp_path / "flat.nii.gz"
    )
    scaled = np.clip(np.asarray(image.dataobj) / 80.0, 0, 1).astype(np.float32)
    nib.save(nib.Nifti1Image(scaled, image.affine), tmp_path / "scaled.nii.gz")
    series(tmp_path / "mr", Modality="MR")
    cases = {
        "empty": "NO_DICOM",
        "text.nii.gz": "NOT_NIFTI",
        "flat.nii.gz": "NOT_3D",
        "scaled.nii.gz": "NOT_HU",
        "mr": "NO_CT_SERIES",
        "nowhere": "INPUT_NOT_FOUND",
    }
    for name, code in cases.items():
        status, said = _run(
            "analyze", tmp_path / name, "-o", tmp_path / "new" / "out", capsys=capsys
        )
        assert (
            status == 3
            and said.startswith(f"monai-ich: {code}: ")
            and said.endswith((".", ")", "m"))
        ), said
        assert not (tmp_path / "new").exists()


def test_json_errors_are_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = _run(
        "--json-errors", "analyze", tmp_path / "no", "-o", tmp_path / "out", capsys=capsys
    )
    assert status == 3 and json.loads(said)["code"] == "INPUT_NOT_FOUND"


def test_earlier_results_stay_as_they_are(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "measurements.json").write_text("mine")
    for args in (("analyze", ct, "-o", out), ("measure", ct, "-o", out)):
        status, said = _run(*args, capsys=capsys)
        assert status == 3 and "OUTPUT_EXISTS" in said and "--overwrite" in said
    status, said = _run("measure", tmp_path / "no.nii.gz", "-o", out, "--overwrite", capsys=capsys)
    assert status == 3 and "INPUT_NOT_FOUND" in said
    assert [p.name for p in out.iterdir()] == ["measurements.json"]
    assert (out / "measurements.json").read_text() == "mine"


def test_an_output_that_is_a_file(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = _run("analyze", ct, "-o", ct / "out", capsys=capsys)
    assert status == 3 and "OUTPUT_NOT_WRITABLE" in said


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="needs /proc as a folder where nobody can write"
)
def test_a_folder_where_nobody_can_write(ct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args in (("analyze", ct), ("measure", ct), ("synth",)):
        status, said = _run(*args, "-o", "/proc/self/out", capsys=capsys)
        assert status == 3 and said.startswith("monai-ich: OUTPUT_NOT_WRITABLE: ")


def test_a_full_disk_leaves_nothing(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", full], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here (needs root)")
    try:
        whole = LabelMap(np.full(grid().shape, Subtype.SDH, np.uint8), grid(), Subtype)
        write_nifti(tmp_path / "labels.nii.gz", whole)
        (full / "ballast").write_bytes(bytes(12_000))
        status, said = _run(
            "measure", tmp_path / "labels.nii.gz", "-o", full / "out", capsys=capsys
        )
        assert status == 3 and "DISK_FULL" in said
        assert [p.name for p in full.iterdir()] == ["ballast"]
    finally:
        subprocess.run(["umount", full], check=True)


@pytest.mark.parametrize(
    "args",
    [
        ("analyze",),
        ("nothing",),
        ("analyze", "x"),
        ("synth", "-o", "x", "--subtype", "XYZ"),
        ("import", "x", "-o", "y"),
    ],
)
def test_wrong_usage_is_exit_2(args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(list(args))
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 2 and "Traceback" not in capsys.readouterr().err


def test_labels_without_meaning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nib.save(nib.Nifti1Image(np.full((5, 5, 5), 9, np.uint8), np.eye(4)), tmp_path / "l.nii.gz")
    status, said = _run("measure", tmp_path / "l.nii.gz", "-o", tmp_path / "out", capsys=capsys)
    assert status == 3 and "UNKNOWN_LABEL" in said and not (tmp_path / "out").exists()
