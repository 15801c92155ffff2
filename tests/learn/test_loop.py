"""From corrected masks to training rows, and the gate before new weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli import main
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.manifest.manifest import read_manifest
from tests.phantom import grid, phantom


def _manifest(folder: Path) -> Path:
    for name in ("a", "b"):
        write_nifti(folder / f"{name}.nii.gz", phantom(grid()))
    rows = [{"id": name, "image": f"{name}.nii.gz"} for name in "ab"]
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": {}, "training": rows}
    (folder / "dataset.json").write_text(json.dumps(record))
    return folder / "dataset.json"


def _correct(folder: Path, name: str, like: Path, shift_mm: float = 0.0) -> None:
    image: Any = nib.load(like)
    voxels = np.zeros(image.shape, np.uint8)
    voxels[1, 1, 1] = Subtype.SDH
    affine = image.affine.copy()
    affine[0, 3] += shift_mm
    folder.mkdir(exist_ok=True)
    write_nifti(
        folder / f"{name}.nii.gz", LabelMap(voxels, Geometry(voxels.shape, affine), Subtype)
    )


def test_a_corrected_mask_becomes_a_row_to_train_on(tmp_path: Path) -> None:
    manifest, out = _manifest(tmp_path), tmp_path / "out" / "dataset.json"
    _correct(tmp_path / "masks", "a", tmp_path / "a.nii.gz")
    command = ["manifest", "corrections", str(manifest), str(tmp_path / "masks"), "-o", str(out)]
    assert main(command) == 0
    (case,) = read_manifest(out).cases
    assert case.id == "a" and case.label is not None and case.exam_labels is not None
    assert case.exam_labels["SDH"] == 1 and case.exam_labels["IPH"] == 0
    assert int(np.asarray(nib.load(case.label).dataobj)[1, 1, 1]) == Subtype.SDH


def test_a_mask_off_the_grid_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = _manifest(tmp_path), tmp_path / "out" / "dataset.json"
    _correct(tmp_path / "masks", "a", tmp_path / "a.nii.gz", shift_mm=1.6)
    _correct(tmp_path / "masks", "b", tmp_path / "b.nii.gz")
    command = ["manifest", "corrections", str(manifest), str(tmp_path / "masks"), "-o", str(out)]
    assert main(command) == 3
    said = capsys.readouterr()
    assert "Case a" in said.out + said.err
    assert [case.id for case in read_manifest(out).cases] == ["b"]


def _unmarked(folder: Path, name: str, like: Path, value: int, shift_mm: float = 0.0) -> None:
    """A mask as another program saves it: nothing in it says what its values mean."""
    image: Any = nib.load(like)
    voxels = np.zeros(image.shape, np.uint8)
    voxels[1, 1, 1] = value
    affine = image.affine.copy()
    affine[0, 3] += shift_mm
    folder.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, affine), folder / f"{name}.nii.gz")


def test_what_the_values_of_another_programs_mask_mean_is_asked_and_can_be_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = _manifest(tmp_path), tmp_path / "out" / "dataset.json"
    _unmarked(tmp_path / "masks", "a", tmp_path / "a.nii.gz", 3)
    command = ["manifest", "corrections", str(manifest), str(tmp_path / "masks"), "-o", str(out)]
    assert main(command) == 3
    assert "UNKNOWN_MEANING: Case a" in capsys.readouterr().out and not out.exists()
    assert main([*command, "--labels-are", "3=SDH"]) == 0
    (case,) = read_manifest(out).cases
    assert case.label is not None
    assert int(np.asarray(nib.load(case.label).dataobj)[1, 1, 1]) == Subtype.SDH
    assert main([*command, "--overwrite", "--labels-are", "any"]) == 3
    assert "UNKNOWN_MEANING" in capsys.readouterr().err, "rows to train on name subtypes"


@pytest.mark.parametrize("said", [[], ["--labels-are", "monai-ich"]])
def test_another_programs_mask_off_the_grid_is_named(
    tmp_path: Path, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = _manifest(tmp_path), tmp_path / "out" / "dataset.json"
    _unmarked(tmp_path / "masks", "a", tmp_path / "a.nii.gz", 5, shift_mm=1.6)
    command = ["manifest", "corrections", str(manifest), str(tmp_path / "masks"), "-o", str(out)]
    assert main([*command, *said]) == 3
    assert "GRID_MISMATCH: Case a" in capsys.readouterr().out


@pytest.mark.parametrize("second", ["a.nii", "a.seg.nrrd", "a.dcm"])
def test_two_masks_for_a_scan_are_refused_before_anything_is_written(
    tmp_path: Path, second: str, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = _manifest(tmp_path), tmp_path / "out" / "dataset.json"
    for name in ("a", "b"):
        _correct(tmp_path / "masks", name, tmp_path / f"{name}.nii.gz")
    (tmp_path / "masks" / second).write_bytes(b"")
    command = ["manifest", "corrections", str(manifest), str(tmp_path / "masks"), "-o", str(out)]
    assert main(command) == 3
    assert "TWO_MASKS: Case a" in capsys.readouterr().err
    assert not out.parent.exists()


def test_files_that_are_called_like_no_scan_are_counted_not_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = _manifest(tmp_path), tmp_path / "out" / "dataset.json"
    _correct(tmp_path / "masks", "a", tmp_path / "a.nii.gz")
    for name in ("DOE_JANE.nii.gz", "B.NII.GZ", "b copy.nii.gz", "b.nrrd", ".DS_Store"):
        (tmp_path / "masks" / name).write_bytes(b"")
    command = ["manifest", "corrections", str(manifest), str(tmp_path / "masks"), "-o", str(out)]
    assert main(command) == 3
    said = capsys.readouterr()
    assert (
        "UNUSED_MASKS: No scan is called like 4 of 5 files" in said.out
        and "DOE" not in said.out + said.err
    )
    assert [case.id for case in read_manifest(out).cases] == ["a"]


def test_a_folder_of_masks_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "dataset.json"
    gone = str(tmp_path / "gone")
    assert main(["manifest", "corrections", str(_manifest(tmp_path)), gone, "-o", str(out)]) == 3
    assert "INPUT_NOT_FOUND" in capsys.readouterr().err


def test_two_manifests_of_one_folder_keep_their_own_masks(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    for value, name in ((Subtype.SDH, "first"), (Subtype.IPH, "second")):
        _unmarked(tmp_path / name, "a", tmp_path / "a.nii.gz", value)
        command = ["manifest", "corrections", str(manifest), str(tmp_path / name)]
        out = tmp_path / "out" / f"{name}.json"
        assert main([*command, "-o", str(out), "--labels-are", "monai-ich"]) == 0
    for value, name in ((Subtype.SDH, "first"), (Subtype.IPH, "second")):
        (case,) = read_manifest(tmp_path / "out" / f"{name}.json").cases
        assert case.label is not None
        assert int(np.asarray(nib.load(case.label).dataobj)[1, 1, 1]) == value


def _evaluation(
    folder: Path,
    dice: Any,
    interval: Any,
    data: str = "x",
    scans: tuple[str, ...] = ("a", "b"),
) -> Path:
    figures = {"masks": {"SDH": {"dice": {"value": dice, "interval": interval}}}, "exams": {}}
    return _evaluated(folder, figures, {"hash": data}, scans)


def _evaluated(
    folder: Path, figures: Any, data: Any, scans: tuple[str, ...] = ("a", "b"), count: int = 2
) -> Path:
    folder.mkdir()
    record = {"data": data, "cases": {"evaluated": count}, "figures": figures}
    (folder / "summary.json").write_text(json.dumps(record))
    (folder / "cases.csv").write_text("\n".join(("case_id,patient", *(f"{s},p" for s in scans))))
    return folder


@pytest.mark.parametrize(
    ("new", "interval", "status"),
    [(0.51, [0.5, 0.7], 0), (0.49, [0.5, 0.7], 3), (0.59, None, 3), (0.6, None, 0)],
)
def test_new_weights_pass_only_if_no_subtype_loses_more_than_its_interval(
    tmp_path: Path, new: float, interval: list[float] | None, status: int
) -> None:
    old = _evaluation(tmp_path / "old", 0.6, interval)
    assert main(["bundle", "gate", str(old), str(_evaluation(tmp_path / "n", new, None))]) == status


def test_evaluations_of_other_scans_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = _evaluation(tmp_path / "old", 0.6, None)
    other = _evaluation(tmp_path / "new", 0.9, None, data="y")
    assert main(["bundle", "gate", str(old), str(other)]) == 3
    assert "NOT_COMPARABLE" in capsys.readouterr().err
    assert main(["bundle", "gate", str(old), str(tmp_path)]) == 3
    assert "NO_EVALUATION" in capsys.readouterr().err


def test_evaluations_of_one_manifest_in_which_other_scans_failed_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = _evaluation(tmp_path / "old", 0.6, None, scans=("a", "b"))
    new = _evaluation(tmp_path / "new", 0.9, None, scans=("a", "c"))
    assert main(["bundle", "gate", str(old), str(new)]) == 3
    assert "NOT_COMPARABLE" in capsys.readouterr().err


_SOUND = {"masks": {"SDH": {"dice": {"value": 0.6, "interval": [0.5, 0.7]}}}, "exams": {}}


@pytest.mark.parametrize(
    "figures",
    [
        None,
        [],
        {},
        {"masks": [], "exams": []},
        {"masks": {}},
        {"masks": {"SDH": None}, "exams": {}},
        {"masks": {"SDH": {}}, "exams": {}},
        {"masks": {"SDH": {"dice": None}}, "exams": {}},
        {"masks": {"SDH": {"dice": {}}}, "exams": {}},
        {"masks": {"SDH": {"dice": {"value": "x"}}}, "exams": {}},
        {"masks": {"SDH": {"dice": {"value": True}}}, "exams": {}},
        {"masks": {"SDH": {"dice": {"value": 0.5, "interval": [0.1]}}}, "exams": {}},
        {"masks": {"SDH": {"dice": {"value": 0.5, "interval": "ab"}}}, "exams": {}},
        {"masks": {"SDH": {"dice": {"value": 0.5, "interval": [None, 1]}}}, "exams": {}},
    ],
)
@pytest.mark.parametrize("damaged", ["old", "new"])
def test_a_damaged_evaluation_is_none(
    tmp_path: Path, figures: Any, damaged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("old", "new"):
        _evaluated(tmp_path / name, figures if name == damaged else _SOUND, {"hash": "x"})
    assert main(["bundle", "gate", str(tmp_path / "old"), str(tmp_path / "new")]) == 3
    assert f"NO_EVALUATION: The folder of the {damaged} weights" in capsys.readouterr().err


def test_an_evaluation_without_data_scans_or_all_of_its_rows_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = _evaluated(tmp_path / "sound", _SOUND, {"hash": "x"})
    for name, data, count in (("data", None, 2), ("rows", {"hash": "x"}, 3)):
        assert (
            main(
                [
                    "bundle",
                    "gate",
                    str(sound),
                    str(_evaluated(tmp_path / name, _SOUND, data, count=count)),
                ]
            )
            == 3
        )
        assert "NO_EVALUATION" in capsys.readouterr().err
    (sound / "cases.csv").unlink()
    assert main(["bundle", "gate", str(sound), str(sound)]) == 3
    assert "NO_EVALUATION" in capsys.readouterr().err
    for text in ("[]", "null", "1", "{"):
        (sound / "summary.json").write_text(text)
        assert main(["bundle", "gate", str(sound), str(sound)]) == 3
        assert "NO_EVALUATION" in capsys.readouterr().err
