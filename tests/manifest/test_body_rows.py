"""Rows that teach where no cavity is: bodies without a head, and heads on shoulders."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.manifest.check import check_manifest
from monai_ich.parts.data_list import read_data_list
from monai_ich.synth.dataset import design_case, write_dataset

pytestmark = pytest.mark.slow
HU = {"window_hu": None, "pictures": None}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One upright head in HU, one tilted."""
    folder = tmp_path_factory.mktemp("heads")
    drawn = [design_case(720_001, tilt_deg=0.0, **HU), design_case(720_002, tilt_deg=18.0, **HU)]
    list(write_dataset(drawn, folder, thickness=False, workers=1))
    return folder / "dataset.json"


def test_every_other_scan_is_a_head_on_shoulders_and_the_rest_have_no_cavity(
    heads: Path, tmp_path: Path
) -> None:
    out = tmp_path / "dataset.json"
    words = ["manifest", "bodies", str(heads), "-o", str(out), "-n", "8", "--seed", "3"]
    assert main(words) == 0 and not list(check_manifest(out))
    patients = [row.get("patient", row["id"]) for row in json.loads(out.read_text())["training"]]
    assert set(patients[1::2]) == {"case_720001"} and len(set(patients)) == 5
    rows = read_data_list(tmp_path, "training", {"image": "image", "label": "anatomy"})
    upright = np.asarray(nib.load(heads.parent / "case_720001" / "anatomy.nii.gz").dataobj) > 0
    true_ml = upright.sum() * _voxel_ml(heads.parent / "case_720001" / "ct.nii.gz")
    for number, row in enumerate(rows):
        hu, anatomy = (np.asarray(nib.load(row[key]).dataobj) for key in ("image", "label"))
        assert hu.min() < -900 and hu.shape == anatomy.shape
        if number % 2:
            assert (anatomy > 0).sum() * _voxel_ml(row["image"]) == pytest.approx(true_ml, rel=0.02)
            lowest = np.nonzero(anatomy.any((0, 1)))[0][0]
            assert lowest * 3.0 > 45, "a neck lies below"
            assert (hu[:, :, 0] > -200).sum() > 1500, "and it goes on to the end"
        else:
            assert not anatomy.any()
    again = tmp_path / "again" / "dataset.json"
    assert main([*words[:4], str(again), *words[5:]]) == 0
    for row in json.loads(out.read_text())["training"]:
        assert (tmp_path / row["image"]).read_bytes() == (
            again.parent / row["image"]
        ).read_bytes(), "the same seed draws the same"


def test_without_an_upright_head_nothing_is_written(
    heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = json.loads(heads.read_text())
    kept = [row for row in listing["training"] + listing["validation"] if "720002" in row["id"]]
    tilted = heads.parent / "tilted.json"
    tilted.write_text(json.dumps(listing | {"training": kept, "validation": []}))
    out = tmp_path / "bodies" / "dataset.json"
    assert main(["manifest", "bodies", str(tilted), "-o", str(out)]) == 3
    assert "NO_UPRIGHT_HEAD" in capsys.readouterr().err and not list(tmp_path.rglob("*.nii.gz"))
    assert main(["manifest", "bodies", str(tilted), "-o", str(out), "-n", "0"]) == 2


def _voxel_ml(path: str | Path) -> float:
    return abs(float(np.linalg.det(nib.load(path).affine[:3, :3]))) / 1000.0
