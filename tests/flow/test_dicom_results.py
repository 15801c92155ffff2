"""The commands that make and push DICOM results: what they write, what they refuse, and what they
never say.
"""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_ich.cli.app import main
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from tests.phantom import grid, series
from tests.seg_contract import require_truth, true_labels

ALL = {"ich.seg.nrrd", "seg.dcm", "sr.dcm", "sc.dcm"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    series(
        folder / "ct",
        grid(tilt_deg=18),
        PatientName="DOE^JANE",
        PatientID="ZQ4711",
        AccessionNumber="ZQ99",
    )
    scan = read_ct(folder / "ct")
    write_nifti(folder / "ct.nii.gz", scan.volume)
    write_nifti(folder / "ich.nii.gz", true_labels(scan.volume.geometry))
    return folder


def _export(study: Path, out: Path, *more: object, ct: str = "ct") -> int:
    return main(
        [str(a) for a in ("export", study / "ich.nii.gz", "--ct", study / ct, "-o", out, *more)]
    )


@pytest.mark.slow
def test_a_mask_is_exported_for_slicer_and_pacs(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(study, tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == ALL
    require_truth(pydicom.dcmread(tmp_path / "out" / "seg.dcm"), study / "ct")
    for name in ("seg.dcm", "sr.dcm", "sc.dcm"):
        d = pydicom.dcmread(tmp_path / "out" / name)
        assert (d.PatientName, d.PatientID, d.AccessionNumber) == ("DOE^JANE", "ZQ4711", "ZQ99")
        assert not d.SeriesDescription.startswith("AI")  # the mask was given
    said = "".join(capsys.readouterr())
    assert "ZQ" not in said and "DOE" not in said
    assert b"ZQ4711" not in (tmp_path / "out" / "ich.seg.nrrd").read_bytes()
    first = {
        name: (tmp_path / "out" / name).read_bytes() for name in ("seg.dcm", "sr.dcm", "sc.dcm")
    }
    assert _export(study, tmp_path / "again") == 0
    assert {name: (tmp_path / "again" / name).read_bytes() for name in first} == first
    assert _export(study, tmp_path / "out", "--to", "seg.nrrd", "--overwrite") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "ich.seg.nrrd"
    }  # nothing stale to send


def test_nifti_gives_no_dicom(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(study, tmp_path / "a", ct="ct.nii.gz") == 0
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"ich.seg.nrrd"}
    assert _export(study, tmp_path / "b", "--to", "dicom-seg", ct="ct.nii.gz") == 3
    assert "NOT_DICOM_INPUT" in capsys.readouterr().err and not (tmp_path / "b").exists()


def test_export_refuses_what_it_cannot_do(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(study, tmp_path / "a", "--to", "dicom-rt") == 2
    geometry = true_labels(read_ct(study / "ct").volume.geometry).geometry
    far = geometry.affine.copy()
    far[:3, 3] += 2000
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[5:9, 5:9, 5:9] = 1
    write_nifti(
        tmp_path / "far.nii.gz", LabelMap(voxels, type(geometry)(geometry.shape, far), Subtype)
    )
    args = ["export", tmp_path / "far.nii.gz", "--ct", study / "ct", "-o", tmp_path / "b"]
    assert main([str(a) for a in args]) == 3 and "GRID_MISMATCH" in capsys.readouterr().err


@pytest.mark.slow
def test_send_refuses_in_words_without_credentials(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONAI_ICH_USER", "reader")
    monkeypatch.setenv("MONAI_ICH_PASSWORD", "ZQsecret")
    with socket.socket() as taken:  # bound, not listening: nobody answers there
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        web, dimse = (
            ["--to", "dicomweb", "--url"],
            ["--to", "dimse", "--host", "127.0.0.1", "--port", port],
        )
        assert (
            main([str(a) for a in ("send", study, *web, "http://127.0.0.1/")]) == 3
        )  # no DICOM results there
        assert _export(study, tmp_path / "out", "--to", "dicom-sr") == 0
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"seg.dcm", "sr.dcm"}
        expected = {
            (*web, f"http://127.0.0.1:{port}/dicom-web", "--tries", 1): (3, "NO_CONNECTION"),
            (*dimse, "--tries", 1): (3, "NO_CONNECTION"),
            (*web, "http://reader:ZQsecret@127.0.0.1/"): (2, "USAGE"),
            (*web, "http://pacs.example/dicom-web"): (2, "https"),
            (*web, "ftp://pacs.example/"): (2, "USAGE"),
            (*dimse, "--tries", 0): (2, "USAGE"),
            (*dimse, "--tls", "--ca", study / "ich.nii.gz"): (3, "BAD_CERTIFICATE"),
        }
        for args, (status, words) in expected.items():
            capsys.readouterr()
            assert main([str(a) for a in ("send", tmp_path / "out", *args)]) == status, args
            said = "".join(capsys.readouterr())
            assert words in said and "ZQ" not in said and "DOE" not in said


@pytest.mark.slow
def test_analyze_writes_dicom_only_where_asked(study: Path, tmp_path: Path) -> None:
    assert (
        main(
            [
                "analyze",
                str(study / "ct.nii.gz"),
                "-o",
                str(tmp_path / "n"),
                "--dicom",
                "--device",
                "cpu",
            ]
        )
        == 3
    )
    assert not (tmp_path / "n").exists()
