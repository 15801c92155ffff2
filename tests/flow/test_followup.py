"""Two scans of one patient: what changed in numbers, and a picture on the same planes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.anatomy.registration import register_rigid
from monai_ich.cli.app import main
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.nifti import write_nifti
from tests.heads import anatomy, rotation
from tests.phantom import density, grid, phantom

BASE, LATER = (
    grid(pixels=96, pixel_mm=2.2),
    grid(pixels=96, pixel_mm=2.2, slice_mm=4.0, count=42, tilt_deg=15),
)


def _analyzed(folder: Path, *, box: slice, shift_mm: float, ct: bool = True) -> Path:
    """An output folder, measured from a mask; with the CT beside it, as `analyze` leaves it."""
    source = folder.parent / f"{folder.name}-masks"
    blood = np.zeros(BASE.shape, np.uint8)
    blood[box, 40:50, 10:20] = Subtype.IPH
    for name, image in (
        ("ich", LabelMap(blood, BASE, Subtype)),
        ("anatomy", anatomy(BASE, shift_mm=shift_mm)),
        ("ct", phantom(BASE)),
    ):
        write_nifti(source / f"{name}.nii.gz", image)
    args = ["measure", source / "ich.nii.gz", "--anatomy", source / "anatomy.nii.gz", "-o", folder]
    assert main([str(a) for a in args]) == 0
    if ct:
        for name in ("ct.nii.gz", "ich.nii.gz"):
            shutil.copy(source / name, folder / name)
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name != ".monai-ich.lock")


def _followup(*args: object) -> int:
    return main(["followup", *(str(a) for a in args)])


@pytest.mark.slow
def test_two_analyses_are_compared_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = _analyzed(
        tmp_path / "a", box=slice(30, 40), shift_mm=3
    )  # 10 x 10 x 10 voxels of 2.2 x 2.2 x 5 mm: 24.2 mL
    b = _analyzed(tmp_path / "b", box=slice(30, 44), shift_mm=-4)  # 14 / 10 of it
    assert _followup(a, b, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert (
        "iph_over_6_ml_or_33_pct: yes (IPH 24.2 to 33.88 mL)" in said
        and "IPH: 24.2 to 33.9 mL (+9.7 mL, +40 %)" in said
    )
    record = json.loads(
        (tmp_path / "out" / "followup.json").read_text(), parse_constant=pytest.fail
    )
    assert record["schema"] == "monai-ich/followup/2"
    (record,) = record["comparisons"]
    assert [e["expanded"] for e in record["expansion"]] == [True, True, True, False, True, True]
    assert "nobody said" in record["hours"]["not_measurable"]
    with (tmp_path / "out" / "followup.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert all(len(column) <= 26 and column == column.lower() for column in row)
    assert (row["baseline"], row["followup"], row["iph_change_pct"]) == ("a", "b", "40.0")
    assert (row["iph_over_12_5_ml"], row["sdh_change_pct"]) == ("0", "")
    assert row["sdh_change_pct_reason"] == "none at baseline"
    assert record["volumes"]["IPH"] == record["volumes"]["all"]
    assert record["volumes"]["IPH"]["change_ml"] == pytest.approx(9.68)
    assert record["volumes"]["SDH"]["change_percent"] == {"not_measurable": "none at baseline"}
    # 7 mm at the middle of the bell, 6.1 mm at the foramina of Monro, 15 mm in front of it
    assert record["midline_shift"]["change_right_mm"] == pytest.approx(-6.1, abs=0.7)
    assert (
        record["registration"]["correlation"] > 0.99
        and record["registration"]["rotation_deg"] < 0.5
    )
    assert (tmp_path / "out" / "followup.png").read_bytes()[:4] == b"\x89PNG" and record[
        "warnings"
    ] == []
    assert (
        _followup(a, b, "-o", tmp_path / "out") == 3 and "OUTPUT_EXISTS" in capsys.readouterr().err
    )


def test_without_ct_there_are_numbers_but_no_picture(tmp_path: Path) -> None:
    a = _analyzed(tmp_path / "a", box=slice(30, 40), shift_mm=0)
    b = _analyzed(tmp_path / "b", box=slice(30, 40), shift_mm=0, ct=False)
    assert _followup(a, b, "-o", tmp_path / "out") == 0
    (record,) = json.loads((tmp_path / "out" / "followup.json").read_text())["comparisons"]
    assert "is missing" in record["registration"]["not_measurable"]
    assert [e["expanded"] for e in record["expansion"]] == [False] * 6
    assert _names(tmp_path / "out") == ["followup.csv", "followup.json"]


def test_a_mask_that_is_not_the_one_that_was_measured_is_not_drawn(tmp_path: Path) -> None:
    a = _analyzed(tmp_path / "a", box=slice(30, 40), shift_mm=0)
    b = _analyzed(tmp_path / "b", box=slice(30, 40), shift_mm=0)
    image = nib.load(b / "ich.nii.gz")
    nib.save(
        nib.Nifti1Image(np.asarray(image.dataobj) // 2, image.affine), b / "ich.nii.gz"
    )  # IPH becomes 1
    assert _followup(a, b, "-o", tmp_path / "out") == 0
    (record,) = json.loads((tmp_path / "out" / "followup.json").read_text())["comparisons"]
    assert [w["code"] for w in record["warnings"]] == ["NO_PICTURE"] and record["volumes"]["IPH"][
        "followup_ml"
    ] > 0
    assert "not the mask that was measured" in record["registration"]["not_measurable"]
    assert _names(tmp_path / "out") == ["followup.csv", "followup.json"]


def test_what_is_no_analysis_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = _analyzed(tmp_path / "good", box=slice(30, 40), shift_mm=0, ct=False)
    for name, text in {
        "NOT_AN_ANALYSIS empty": None,
        "NOT_AN_ANALYSIS damaged": "{",
        "NOT_AN_ANALYSIS bare": '{"schema": "monai-ich/measurements/1"}',
        "NOT_AN_ANALYSIS list": "[]",
        "OTHER_SCHEMA": '{"schema": "monai-ich/measurements/99"}',
    }.items():
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        if text is not None:
            (folder / "measurements.json").write_text(text)
        assert _followup(good, folder, "-o", tmp_path / "out") == 3
        assert capsys.readouterr().err.startswith(f"monai-ich: {name.split()[0]}: ")
    assert _followup(good, tmp_path / "none", "-o", tmp_path / "out") == 3
    assert "INPUT_NOT_FOUND" in capsys.readouterr().err
    assert (
        _followup(good, good, "-o", tmp_path / "out") == 3
        and "SAME_SCAN" in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_three_scans_over_hours_each_against_the_first(tmp_path: Path) -> None:
    folders = [
        _analyzed(tmp_path / n / "out", box=slice(30, end), shift_mm=0)
        for n, end in (("x", 40), ("y", 42), ("z", 44))
    ]
    assert _followup(*folders, "--hours", 0, 6, 24, "-o", tmp_path / "f") == 0
    names = ["followup.csv", "followup.json", "followup.png", "volumes.png"]
    assert _names(tmp_path / "f") == names
    record = json.loads((tmp_path / "f" / "followup.json").read_text())
    assert [s["name"] for s in record["scans"]] == ["out_scan_1", "out_scan_2", "out_scan_3"]
    assert [s["hours"] for s in record["scans"]] == [0, 6, 24]
    found = record["comparisons"]
    assert [c["baseline"] for c in found] == ["out_scan_1"] * 2
    assert [c["volumes"]["IPH"]["change_percent"] for c in found] == [20, 40]


@pytest.mark.slow
def test_another_patients_head_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = _analyzed(tmp_path / "a", box=slice(30, 40), shift_mm=0)
    b = _analyzed(tmp_path / "b", box=slice(30, 40), shift_mm=0)
    other = phantom(BASE).hu[:, :, ::2]  # half as high, and another skull base
    squeezed = np.full(BASE.shape, -1000, np.float32)
    squeezed[:, :, : other.shape[2]] = other
    write_nifti(b / "ct.nii.gz", CTVolume(squeezed, BASE))
    assert _followup(a, b, "-o", tmp_path / "out") == 3
    assert "OTHER_PATIENT" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("hours", [(0,), (0, 0), (6, 0), (0, "nan"), (0, 6, 24)])
def test_hours_that_do_not_fit_the_scans_are_refused(
    tmp_path: Path, hours: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _followup(tmp_path / "a", tmp_path / "b", "--hours", *hours, "-o", tmp_path / "o") == 3
    assert "BAD_HOURS" in capsys.readouterr().err


@pytest.mark.slow
def test_registration_finds_how_the_head_was_turned_and_moved() -> None:
    turn, move = rotation(8, -5, 12), np.array([6.0, -4.0, 9.0])

    def head(ras: np.ndarray) -> np.ndarray:  # an ellipsoid alone looks the same from many sides
        return density(ras, balls=(((25, 75, -45), 25, 600.0), ((-35, -45, 40), 20, 400.0)))

    base, later = (g.to_world(np.moveaxis(np.indices(g.shape), 0, -1)) for g in (BASE, LATER))
    later = (later - move) @ turn  # at q is what was at turn.T (q - move)
    found = register_rigid(
        CTVolume(head(base).astype(np.float32), BASE),
        CTVolume(head(later).astype(np.float32), LATER),
    )
    points = np.array([[0, 0, 0], [40, 30, 20], [-40, -50, 30], [0, 60, -20.0]])
    there = points @ found.affine[:3, :3].T + found.affine[:3, 3]
    assert np.abs(there - (points @ turn.T + move)).max() < 1.5
    assert found.correlation > 0.97 and found.rotation_deg == pytest.approx(15.3, abs=1)
