"""The page of files and columns names every column that is written, and no other."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import pytest

from monai_ich.cli import main
from tests.bundles.tiny import tiny_head
from tests.conftest import ROOT

SUBTYPES = ("EDH", "IPH", "IVH", "SAH", "SDH")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("head")
    hu, labels, anatomy, affine = tiny_head(0)
    for name, voxels in {"ct": hu, "ich": labels, "anatomy": anatomy}.items():
        nib.save(nib.Nifti1Image(voxels, affine), folder / f"{name}.nii.gz")
    paths = [str(folder / f"{name}.nii.gz") for name in ("ich", "ct", "anatomy")]
    said = ["--labels-are", "monai-ich", "-o", str(folder / "numbers")]
    assert main(["measure", paths[0], "--ct", paths[1], "--anatomy", paths[2], *said]) == 0
    return folder / "numbers"


def _in_page(heading: str) -> list[str]:
    """Names in the first column of the table below a heading; SUBTYPE stands for each."""
    text = (ROOT / "docs/reference/outputs.md").read_text()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    names = [
        n
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for n in re.findall(r"`([^`]+)`", row)
    ]
    return [
        n.replace("SUBTYPE", s)
        for n in names
        for s in (SUBTYPES if "SUBTYPE" in n else SUBTYPES[:1])
    ]


@pytest.mark.parametrize("name", ["measurements.csv", "lesions.csv", "slices.csv"])
def test_every_column_is_explained(numbers: Path, name: str) -> None:
    with (numbers / name).open() as stream:
        columns = next(csv.reader(stream))
    assert sorted(_in_page(name)) == sorted(columns)


def test_every_key_is_explained(numbers: Path) -> None:
    keys = set(json.loads((numbers / "measurements.json").read_text()))
    assert keys <= set(_in_page("measurements.json"))
    assert set(json.loads((numbers / "measurements.json").read_text())["provenance"]) == set(
        _in_page("provenance.json")
    )


def test_every_column_of_a_followup_is_explained(numbers: Path, tmp_path: Path) -> None:
    shutil.copytree(numbers, tmp_path / "later")
    folders = [str(numbers), str(tmp_path / "later")]
    assert main(["followup", *folders, "-o", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "followup.csv").open() as stream:
        columns = next(csv.reader(stream))
    volumes = ("all", "iph_ivh", *(s.lower() for s in SUBTYPES))
    page = {n.replace("VOLUME", v) for n in _in_page("followup.csv") for v in volumes}
    assert page == set(columns) and all(len(c) <= 26 for c in columns)
