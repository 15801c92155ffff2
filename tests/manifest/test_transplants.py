"""Stacks of a slice without blood get the clots of heads with masks."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_ich.cli.app import main
from monai_ich.core.labels import Subtype
from monai_ich.manifest.check import check_manifest
from monai_ich.parts.data_list import read_data_list
from monai_ich.synth.dataset import design_case, write_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A stack of a head without blood, and two heads, one of them with an IPH."""
    base = tmp_path_factory.mktemp("lists")
    cases = [
        design_case(5, hemorrhages={}, thickness_mm=5),
        design_case(6, hemorrhages={Subtype.IPH: 60.0}, thickness_mm=5),
    ]
    list(write_dataset(cases, base / "heads", thickness=False, workers=1))
    rows = json.loads((base / "heads" / "dataset.json").read_text())
    (bare,) = (
        row for row in rows["training"] + rows["validation"] if not row["exam_labels"]["any"]
    )
    ct = nib.load(base / "heads" / bare["image"])
    middle = np.asarray(nib.load(base / "heads" / bare["anatomy"]).dataobj).sum((0, 1)).argmax()
    lps = nib.as_closest_canonical(ct).dataobj[::-1, ::-1, middle]
    (base / "slices").mkdir()
    Image.fromarray(np.clip(lps.T, 0, 255).astype(np.uint8)).save(base / "slices" / "0.png")
    pixel_mm = str(float(ct.header.get_zooms()[0]))
    words = ["manifest", "negatives", str(base / "slices"), "--pixel-mm", pixel_mm]
    assert main([*words, "-o", str(base / "stacks" / "dataset.json")]) == 0
    return base / "stacks" / "dataset.json", base / "heads" / "dataset.json"


def test_stacks_get_clots_with_their_masks(lists: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "dataset.json"
    words = ["manifest", "transplants", *map(str, lists), "-o", str(out), "-n", "2"]
    assert main(words) == 0 and not list(check_manifest(out))
    rows = json.loads(out.read_text())["training"]
    assert len(rows) == 2 and all(row["exam_labels"]["IPH"] for row in rows)
    (stack,) = json.loads(lists[0].read_text())["training"]
    assert {row["patient"] for row in rows} == {stack["id"]}, "of one real slice"
    before = nib.load(next(lists[0].parent.glob("*/ct.nii.gz"))).get_fdata()
    sections = []
    for row in rows:
        hu, ich = (nib.load(tmp_path / row[key]).get_fdata() for key in ("image", "label"))
        blood = ich == Subtype.IPH
        assert np.median(hu[blood]) > np.median(before[blood]) + 15
        assert (hu == before)[ich == 0].mean() > 0.9
        sections.append({blood[:, :, k].tobytes() for k in range(19)})
    assert len(sections[0]) == 1 < len(sections[1]), "one throughout, and one that changes"
    found = read_data_list(tmp_path, "training", {"image": "image", "label": "label"})
    assert {1, 6} & set(np.unique(nib.load(found[0]["label"]).dataobj)) <= {6}
    assert main(words) == 3, "an earlier list stays"
    again = tmp_path / "again" / "dataset.json"
    assert main([*words[:-4], "-o", str(again), "-n", "2"]) == 0
    for path in sorted(tmp_path.glob("dataset_*/*.nii.gz")):
        assert path.read_bytes() == (again.parent / path.relative_to(tmp_path)).read_bytes()


def test_heads_without_clots_are_refused(
    lists: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "dataset.json"
    words = ["manifest", "transplants", str(lists[0]), str(lists[0]), "-o", str(out)]
    assert main(words) == 3 and "NO_CLOTS" in capsys.readouterr().err and not out.exists()
