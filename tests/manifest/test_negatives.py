"""Single slices become stacks to train on."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_ich.cli.app import main
from monai_ich.manifest.check import check_manifest
from monai_ich.parts.data_list import read_data_list


def test_a_slice_becomes_a_stack_with_nothing_labeled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gray = np.zeros((40, 60), np.uint8)
    gray[5:20, 10:30] = 35  # in front, on the patient's right
    (tmp_path / "slices").mkdir()
    Image.fromarray(gray).save(tmp_path / "slices" / "DOE^JANE.png")
    out = tmp_path / "negatives" / "dataset.json"
    words = ["manifest", "negatives", str(tmp_path / "slices"), "-o", str(out), "--pixel-mm", "0.5"]
    assert main(words) == 0 and "1 scans" in capsys.readouterr().out
    assert "DOE" not in out.read_text() and not list(check_manifest(out))
    (row,) = json.loads(out.read_text())["training"]
    ct = nib.load(out.parent / row["image"])
    assert ct.header.get_zooms() == (0.5, 0.5, 5.0) and ct.shape == (60, 40, 19)
    hu = np.asarray(ct.dataobj)
    inside = hu > 15
    slices = hu[15:25, 8:18].mean((0, 1))
    assert slices == pytest.approx(np.full(19, 35.0), abs=1.5) and len(np.unique(slices)) > 10, (
        "noise drawn anew"
    )
    assert hu.min() >= 0 and (hu[~inside] < 16).all()
    center = nib.affines.apply_affine(ct.affine, np.argwhere(inside).mean(0))
    assert center[0] > 0 < center[1], "right and in front"
    (found,) = read_data_list(out.parent, "training", {"image": "image", "label": "label"})
    assert not np.asarray(nib.load(found["label"]).dataobj).any(), "background, edema included"
    assert main(words) == 3, "an earlier list stays"


def test_a_folder_without_slices_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "slices").mkdir()
    assert (
        main(
            [
                "manifest",
                "negatives",
                str(tmp_path / "slices"),
                "-o",
                str(tmp_path / "out" / "dataset.json"),
            ]
        )
        == 3
    )
    assert (
        "NO_SLICES" in capsys.readouterr().err and not (tmp_path / "out" / "dataset.json").exists()
    )


def test_two_lists_in_one_folder_keep_their_own_stacks(tmp_path: Path) -> None:
    found = []
    for name, gray in (("dark", 20), ("bright", 40)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((30, 30), gray, np.uint8)).save(tmp_path / name / "0.png")
        listing = tmp_path / "lists" / f"{name}.json"
        assert main(["manifest", "negatives", str(tmp_path / name), "-o", str(listing)]) == 0
        found.append(listing)
    for listing, gray in zip(found, (20, 40), strict=True):
        (row,) = json.loads(listing.read_text())["training"]
        ct = np.asarray(nib.load(listing.parent / row["image"]).dataobj)
        assert float(ct.max()) == gray
