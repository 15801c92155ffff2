"""`monai-ich import` and `monai-ich resample`: what they write, say and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.labels import AnyLabel, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import read_nifti_ct, read_nifti_labels, write_nifti
from tests.phantom import agreement, grid, series


def _run(*args: object) -> int:
    return main([str(a) for a in args])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tilted head at 5 mm, the same with a bone kernel, and a localizer."""
    root = tmp_path_factory.mktemp("study")
    series(root / "a", grid(tilt_deg=20), seed=1, SeriesNumber=4)
    series(
        root / "b",
        grid(tilt_deg=20),
        seed=2,
        SeriesNumber=5,
        ConvolutionKernel="BONE",
        SeriesDescription="Bone",
    )
    series(
        root / "c",
        grid(count=3),
        seed=3,
        SeriesNumber=1,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )
    return root


def test_resampled_on_import_a_tilted_head_is_straight_and_in_place(
    study: Path, tmp_path: Path
) -> None:
    assert (
        _run(
            "import",
            study,
            "--series",
            1,
            "--spacing",
            2,
            2,
            "native",
            "-o",
            tmp_path / "ct.nii.gz",
        )
        == 0
    )
    image = nib.load(tmp_path / "ct.nii.gz")
    assert (
        image.header.get_zooms() == pytest.approx((2, 2, 5)) and image.get_data_dtype() == np.int16
    )
    ct = read_nifti_ct(tmp_path / "ct.nii.gz")
    assert ct.geometry.is_orthogonal and agreement(ct) > 0.98


@pytest.mark.slow
def test_a_mask_made_on_the_resampled_grid_goes_back_to_the_slices(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("import", study / "a", "-o", tmp_path / "native.nii.gz") == 0
    assert _run("import", study / "a", "--spacing", 1, 1, 1, "-o", tmp_path / "ct.nii.gz") == 0
    fine = read_nifti_ct(tmp_path / "ct.nii.gz").geometry
    ras = fine.to_world(np.moveaxis(np.indices(fine.shape), 0, -1))
    ball = np.linalg.norm(ras - (22, 24, -4), axis=-1) < 18
    write_nifti(
        tmp_path / "mask.nii.gz", LabelMap(ball.astype(np.uint8) * np.uint8(42), fine, AnyLabel)
    )
    for number, like in enumerate((tmp_path / "native.nii.gz", study / "a")):
        out = tmp_path / f"back{number}.nii.gz"
        assert _run("resample", tmp_path / "mask.nii.gz", "--like", like, "-o", out) == 0
        back = read_nifti_labels(out, AnyLabel)
        assert back.geometry.same_grid(read_nifti_ct(tmp_path / "native.nii.gz").geometry)
        assert back.volume_ml(42) == pytest.approx(ball.sum() * fine.voxel_ml, rel=0.01)
        assert "label 42: " in capsys.readouterr().out


def test_the_list_names_series_by_numbers_and_series_takes_them(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("import", study, "--list", "--series", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[-1] == "taken: 2, asked for"
    assert "scanner's series 4, 32 images, can be taken" in lines[0]
    assert "scanner's series 5" in lines[1] and "bone kernel" in lines[1]
    assert "scanner's series 1, 3 images, refused, LOCALIZER_ONLY: a localizer" in lines[2]
    report = tmp_path / "r.json"
    assert _run("import", study, "--series", 2, "-o", tmp_path / "ct.nii", "--report", report) == 0
    found = json.loads(report.read_text())
    assert (found["decision"], found["taken"], found["why"]) == ("taken", 2, "asked for")
    assert [row["decision"] for row in found["series"]] == ["not taken", "taken", "refused"]
    assert [row["scanner_number"] for row in found["series"]] == [4, 5, 1]


@pytest.mark.parametrize("number,code", [(3, "LOCALIZER_ONLY"), (9, "NO_CT_SERIES")])
def test_a_number_that_cannot_be_taken_is_refused_and_reported(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, code: str
) -> None:
    report = tmp_path / "new" / "r.json"
    assert (
        _run("import", study, "--series", number, "-o", tmp_path / "ct.nii", "--report", report)
        == 3
    )
    assert code in capsys.readouterr().err and not (tmp_path / "ct.nii").exists()
    found = json.loads(report.read_text())
    assert found["decision"] == "refused" and found["code"] == code and len(found["series"]) == 3


def test_the_report_says_where_a_resampled_grid_comes_from(study: Path, tmp_path: Path) -> None:
    args = ["--spacing", 2, 2, 2, "-o", tmp_path / "ct.nii", "--report", tmp_path / "r.json"]
    assert _run("import", study / "a", *args) == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["image"]["spacing_mm"] == [2, 2, 2] and found["image"]["tilt_deg"] == 0
    assert (
        found["resampled_from"]["shape"] == [64, 64, 32]
        and found["resampled_from"]["tilt_deg"] == 20
    )
    assert found["why"] == "the only one that can be taken"


@pytest.mark.parametrize(
    "spacing", [("1", "1", "0"), ("1", "x", "1"), ("nan", "1", "1"), ("1", "1", "99")]
)
def test_a_spacing_that_is_none_is_wrong_usage(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spacing: tuple[str, ...]
) -> None:
    assert _run("import", study / "a", "--spacing", *spacing, "-o", tmp_path / "ct.nii") == 2
    assert "--spacing needs three" in capsys.readouterr().err


def test_resample_refuses_what_it_cannot_use(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    geometry = grid(pixels=8, count=4)
    write_nifti(
        tmp_path / "mask.nii", LabelMap(np.ones(geometry.shape, np.uint8), geometry, Subtype)
    )
    (tmp_path / "text.nii").write_text("no image")
    for mask, like, out, code in (
        ("mask.nii", "text.nii", "out.nii", "NOT_NIFTI"),
        ("text.nii", "mask.nii", "out.nii", "NOT_NIFTI"),
        ("mask.nii", "none.nii", "out.nii", "INPUT_NOT_FOUND"),
        ("mask.nii", "mask.nii", "mask.nii", "OUTPUT_EXISTS"),
        ("mask.nii", "mask.nii", "mask.nii/out.nii", "OUTPUT_NOT_WRITABLE"),
    ):
        status = _run("resample", tmp_path / mask, "--like", tmp_path / like, "-o", tmp_path / out)
        assert status == 3 and code in capsys.readouterr().err
    assert (
        _run(
            "resample",
            tmp_path / "mask.nii",
            "--like",
            tmp_path / "mask.nii",
            "-o",
            tmp_path / "out.txt",
        )
        == 2
    )
