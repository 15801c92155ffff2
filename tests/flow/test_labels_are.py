"""Commands ask what the values of a mask from elsewhere mean, take the answer, and place masks
where they lie.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_labels
from tests.heads import anatomy
from tests.manifest_files import write_json
from tests.phantom import grid, phantom
from tests.seg_contract import true_labels
from tests.strategies import reoriented


def _run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A CT, and a mask of another program: a block of 1 and a larger one of 2."""
    voxels = np.zeros(grid().shape, np.uint8)
    voxels[20:30, 20:30, 10:15], voxels[35:50, 20:30, 10:15] = 1, 2
    nib.save(nib.Nifti1Image(voxels, grid().affine), tmp_path / "mask.nii.gz")
    nib.save(
        nib.Nifti1Image((voxels == 1).astype(np.uint8), grid().affine), tmp_path / "one.nii.gz"
    )
    write_nifti(tmp_path / "ct.nii.gz", phantom(grid()))
    return tmp_path


ML = 3.2 * 3.2 * 5 / 1000


def test_measure_asks_and_takes_the_answer(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert _run("measure", images / "one.nii.gz", "-o", out) == 3 and not out.exists()
    assert "UNKNOWN_MEANING" in capsys.readouterr().err
    assert (
        _run(
            "measure",
            images / "one.nii.gz",
            "-o",
            out,
            "--labels-are",
            "subdural",
            "--ct",
            images / "ct.nii.gz",
        )
        == 0
    )
    found = json.loads((out / "measurements.json").read_text())["subtypes"]
    assert found["SDH"]["volume_ml"] == pytest.approx(500 * ML) and not found["EDH"]["present"]
    words = ("measure", images / "mask.nii.gz", "-o", out, "--overwrite", "--labels-are")
    assert _run(*words, "1=iph, 2=ignore") == 0
    assert json.loads((out / "measurements.json").read_text())["total_volume_ml"] == pytest.approx(
        500 * ML
    )
    assert _run(*words, "monai-ich") == 0
    found = json.loads((out / "measurements.json").read_text())["subtypes"]
    assert found["EDH"]["present"] and found["IPH"]["volume_ml"] == pytest.approx(750 * ML)


@pytest.mark.parametrize(
    "words", ["", "blood", "1=", "x=SDH", "0=SDH", "256=SDH", "1=SDH,1=IPH", "SDH,IPH", "²=SDH"]
)
def test_an_answer_that_says_nothing_is_wrong_usage(
    images: Path, tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        _run("measure", images / "one.nii.gz", "-o", tmp_path / "out", "--labels-are", words) == 2
    )
    assert "USAGE" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_resample_passes_numbers_through_or_makes_them_ours(images: Path, tmp_path: Path) -> None:
    like = ("--like", images / "ct.nii.gz")
    assert _run("resample", images / "mask.nii.gz", *like, "-o", tmp_path / "same.nii.gz") == 0
    assert set(np.unique(nib.load(tmp_path / "same.nii.gz").dataobj)) == {0, 1, 2}
    assert _run("measure", tmp_path / "same.nii.gz", "-o", tmp_path / "out") == 3, (
        "passing through says nothing"
    )
    ours = tmp_path / "ours.nii.gz"
    assert (
        _run("resample", images / "mask.nii.gz", *like, "-o", ours, "--labels-are", "1=SDH,2=IPH")
        == 0
    )
    assert set(np.unique(read_labels(ours, Subtype).voxels)) == {0, 2, 5}
    assert _run("resample", ours, *like, "-o", tmp_path / "again.nii.gz") == 0
    assert _run("measure", tmp_path / "again.nii.gz", "-o", tmp_path / "out") == 0, "it stays known"


def test_export_asks(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("export", images / "one.nii.gz", "--ct", images / "ct.nii.gz", "-o", tmp_path / "out")
    assert _run(*words) == 3 and "UNKNOWN_MEANING" in capsys.readouterr().err
    assert _run(*words, "--labels-are", "SAH") == 0
    assert set(np.unique(read_labels(tmp_path / "out" / "ich.seg.nrrd", Subtype).voxels)) == {0, 4}


def _manifest(folder: Path, reference: LabelMap) -> Path:
    write_nifti(folder / "reference.nii.gz", reference)
    mapping = {str(int(s)): s.name for s in Subtype}
    rows = [{"id": "a", "image": "ct.nii.gz", "label": "reference.nii.gz"}]
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": mapping, "test": rows}
    return write_json(folder / "m.json", record)


def _evaluated(folder: Path, *more: str) -> dict[str, str]:
    words = (
        "evaluate",
        "--manifest",
        folder / "m.json",
        "--predictions",
        folder / "p",
        "-o",
        folder / "out",
    )
    assert _run(*words, *more) == 0
    with (folder / "out" / "cases.csv").open(newline="") as stream:
        return next(csv.DictReader(stream))


@pytest.mark.slow
def test_evaluate_asks_of_predictions(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p").mkdir()
    (images / "one.nii.gz").rename(tmp_path / "p" / "a.nii.gz")
    voxels = (np.asarray(nib.load(tmp_path / "p" / "a.nii.gz").dataobj) == 1) * int(Subtype.SDH)
    manifest = _manifest(tmp_path, LabelMap(voxels.astype(np.uint8), grid(), Subtype))
    words = (
        "evaluate",
        "--manifest",
        manifest,
        "--predictions",
        tmp_path / "p",
        "-o",
        tmp_path / "out",
    )
    assert _run(*words) == 3
    said = capsys.readouterr().err
    assert (
        "NOTHING_EVALUATED" in said and "UNKNOWN_MEANING (1)" in said and "--labels-are SDH" in said
    )
    assert _evaluated(tmp_path, "--labels-are", "SDH")["SDH_dice"] == "1"


TURNS = [
    ((2, 0, 1), (False, True, False)),
    ((1, 0, 2), (True, True, True)),
    ((0, 2, 1), (False, False, True)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("order", "flips"), TURNS)
@pytest.mark.parametrize("tilt_deg", [0, 18])
def test_predictions_in_another_order_of_axes_are_placed_where_they_lie(
    tmp_path: Path, order: tuple[int, ...], flips: tuple[bool, ...], tilt_deg: float
) -> None:
    truth = true_labels(grid(tilt_deg=tilt_deg))
    write_nifti(tmp_path / "p" / "a.nii.gz", reoriented(truth, order, flips))
    _manifest(tmp_path, truth)
    row = _evaluated(tmp_path)
    assert [row[f"{s.name}_dice"] for s in Subtype] == ["1"] * 5 and row["any_hd95_mm"] == "0"
    assert float(row["slice_thickness_mm"]) == pytest.approx(5.0, abs=0.01)


@pytest.mark.slow
def test_a_cropped_prediction_is_placed_and_one_beside_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = true_labels(grid())
    box = (slice(4, 60), slice(3, 61), slice(1, 30))
    write_nifti(tmp_path / "p" / "a.nii.gz", LabelMap(truth.voxels[box], grid().crop(box), Subtype))
    _manifest(tmp_path, truth)
    assert _evaluated(tmp_path)["any_dice"] == "1"
    beside = grid().affine.copy()
    beside[0, 3] += 1.0
    write_nifti(
        tmp_path / "p" / "a.nii.gz", LabelMap(truth.voxels, Geometry(grid().shape, beside), Subtype)
    )
    words = (
        "evaluate",
        "--manifest",
        tmp_path / "m.json",
        "--predictions",
        tmp_path / "p",
        "-o",
        tmp_path / "again",
    )
    assert _run(*words) == 3 and "GRID_MISMATCH" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("order", "flips"), TURNS)
@pytest.mark.parametrize("with_ct", [True, False])
def test_measure_gives_the_same_numbers_for_masks_in_another_order_of_axes(
    images: Path, tmp_path: Path, order: tuple[int, ...], flips: tuple[bool, ...], with_ct: bool
) -> None:
    parts, truth = anatomy(grid(), shift_mm=6), true_labels(grid())
    found = []
    for n, (blood, sides) in enumerate(((truth, parts), (reoriented(truth, order, flips), parts))):
        write_nifti(tmp_path / f"ich{n}.nii.gz", blood)
        write_nifti(tmp_path / f"anatomy{n}.nii.gz", sides)
        words = [
            "measure",
            tmp_path / f"ich{n}.nii.gz",
            "--anatomy",
            tmp_path / f"anatomy{n}.nii.gz",
        ]
        words += ["--ct", images / "ct.nii.gz"] if with_ct else []
        assert _run(*words, "-o", tmp_path / f"out{n}", "--case-id", "x") == 0
        found.append(json.loads((tmp_path / f"out{n}" / "measurements.json").read_text()))
    for key in ("total_volume_ml", "subtypes", "cavity"):
        assert found[0][key] == found[1][key]
    assert found[1]["midline_shift"]["value_mm"] == pytest.approx(
        found[0]["midline_shift"]["value_mm"], abs=0.02
    )
    assert not with_ct or found[0] == found[1] | {"provenance": found[0]["provenance"]}
