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


def _evaluation(folder: Path, dice: float, interval: list[float] | None, data: str = "x") -> Path:
    folder.mkdir()
    figures = {"masks": {"SDH": {"dice": {"value": dice, "interval": interval}}}, "exams": {}}
    record = {"data": {"hash": data}, "cases": {"evaluated": 9}, "figures": figures}
    (folder / "summary.json").write_text(json.dumps(record))
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
