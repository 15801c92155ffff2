"""`monai-ich measure` on masks from anywhere: a result with a stated reason, or a refusal with a
code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.seg_nrrd import write_seg_nrrd
from tests.heads import anatomy
from tests.phantom import grid, phantom

GRID = grid(pixels=96, pixel_mm=2.2)
PARTS = anatomy(GRID, shift_mm=6)


def _blood() -> LabelMap:
    """A clot on the left skull and one inside."""
    voxels = np.zeros(GRID.shape, np.uint8)
    world = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
    voxels[
        (PARTS.voxels > 0)
        & (world[..., 0] < -52 + 0.05 * world[..., 1])
        & (np.abs(world[..., 2]) < 30)
    ] = Subtype.SDH
    voxels[np.linalg.norm(world - [35, 10, 5], axis=-1) < 12] = Subtype.IPH
    return LabelMap(voxels, GRID, Subtype)


def _measure(labels: Path, out: Path, *more: object) -> dict[str, Any]:
    assert main([str(a) for a in ("measure", labels, "-o", out, "--case-id", "c", *more)]) == 0
    found: dict[str, Any] = json.loads(
        (out / "measurements.json").read_text(), parse_constant=pytest.fail
    )
    return found


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name, image in (("ct", phantom(GRID)), ("anatomy", PARTS), ("ich", _blood())):
        write_nifti(tmp_path / f"{name}.nii.gz", image)
    return tmp_path


def _given(folder: Path) -> tuple[object, ...]:
    return ("--ct", folder / "ct.nii.gz", "--anatomy", folder / "anatomy.nii.gz")


def test_a_mask_saved_by_slicer_gives_the_same_numbers(images: Path, tmp_path: Path) -> None:
    write_seg_nrrd(tmp_path / "ours.seg.nrrd", _blood())
    data, header = nrrd.read(str(tmp_path / "ours.seg.nrrd"))
    other = {
        1: 2,
        2: 1,
        3: 7,
        4: 4,
        5: 3,
    }  # Slicer numbers segments as they come, in the order of the list
    for n, value in ((n, int(header[f"Segment{n}_LabelValue"])) for n in range(5)):
        header[f"Segment{n}_LabelValue"] = str(other[value])
    nrrd.write(
        str(tmp_path / "slicer.seg.nrrd"),
        np.array([0, *(other[v] for v in range(1, 6))], np.uint8)[data],
        header,
    )
    first = _measure(images / "ich.nii.gz", tmp_path / "a", *_given(images))
    again = _measure(tmp_path / "slicer.seg.nrrd", tmp_path / "b", *_given(images))
    for record in (first, again):
        record.pop("provenance")
    assert first == again
    clot = next(x for x in first["lesions"] if x["subtype"] == "SDH")
    assert clot["max_thickness_mm"] == pytest.approx(13, abs=1.2), (
        "the ellipsoid's half axis is 65 mm, the cut at 52"
    )
    assert first["midline_shift"]["interval_mm"][0] < 6 < first["midline_shift"]["interval_mm"][1]
    assert 0.1 < first["ventricles"]["evans_index"] < 0.4


def test_without_ct_and_anatomy_what_is_missing_has_a_reason(images: Path, tmp_path: Path) -> None:
    found = _measure(images / "ich.nii.gz", tmp_path / "out")
    clot = next(x for x in found["lesions"] if x["subtype"] == "SDH")
    assert clot["max_thickness_mm"] is None and clot["mean_hu"] is None
    assert clot["max_thickness_reason"] == "no intracranial cavity was given"
    for part in ("midline_shift", "ventricles", "cavity"):
        assert found[part] == {"not_measurable": "no anatomy labels were given"}
    assert {c["met"] for c in found["criteria"] if "SDH" in c["id"] or "INFRA" in c["id"]} == {None}
    assert all(c["source"] for c in found["criteria"])


def test_edema_is_a_mask_or_a_value_and_no_blood(images: Path, tmp_path: Path) -> None:
    """10 x 10 x 4 voxels of 2.2 x 2.2 x 5 mm are 9.68 mL."""
    wet = np.zeros(GRID.shape, np.uint8)
    wet[40:50, 40:50, 4:8] = 1
    assert not (wet & (_blood().voxels > 0)).any()
    nib.save(nib.Nifti1Image(wet, GRID.affine), tmp_path / "edema.nii.gz")
    both = np.where(wet, 6, _blood().voxels).astype(np.uint8)
    nib.save(nib.Nifti1Image(both, GRID.affine), tmp_path / "both.nii.gz")
    dry = _measure(images / "ich.nii.gz", tmp_path / "a")
    mask = _measure(images / "ich.nii.gz", tmp_path / "b", "--edema", tmp_path / "edema.nii.gz")
    meaning = ("--labels-are", "2=IPH,5=SDH,6=edema")
    value = _measure(tmp_path / "both.nii.gz", tmp_path / "c", *meaning)
    assert dry["edema"] == {"not_measurable": "no edema labels were given"}
    iph_ml = dry["subtypes"]["IPH"]["volume_ml"]
    for found in (mask, value):
        assert found["edema"]["volume_ml"] == 9.68
        assert found["edema"]["iph_ratio"] == pytest.approx(9.68 / iph_ml, abs=0.001)
        assert found["total_volume_ml"] == dry["total_volume_ml"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--edema", "ich.nii.gz"), "CONTRADICTORY_LABEL"),
        (("--edema", "edema.nii.gz", "--labels-are", "1=IPH,2=edema"), "USAGE"),
        (("--labels-are", "edema"), "USAGE"),
    ],
)
def test_edema_that_is_blood_or_given_twice_is_refused(
    images: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: str
) -> None:
    given = [str(images / word) if word.endswith(".gz") else word for word in more]
    assert main(["measure", str(images / "ich.nii.gz"), "-o", str(images / "o"), *given]) != 0
    assert code in capsys.readouterr().err and not (images / "o").exists()


def test_an_empty_mask_is_no_hemorrhage(images: Path, tmp_path: Path) -> None:
    write_nifti(tmp_path / "none.nii.gz", LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Subtype))
    found = _measure(tmp_path / "none.nii.gz", tmp_path / "out", *_given(images))
    assert (
        found["hemorrhage_present"] is False
        and found["total_volume_ml"] == 0.0
        and found["lesions"] == []
    )
    assert found["midline_shift"]["value_mm"] == pytest.approx(6, abs=1.1)


def test_empty_anatomy_has_reasons(images: Path, tmp_path: Path) -> None:
    write_nifti(tmp_path / "none.nii.gz", LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Anatomy))
    found = _measure(images / "ich.nii.gz", tmp_path / "out", "--anatomy", tmp_path / "none.nii.gz")
    assert found["midline_shift"] == {"not_measurable": "a hemisphere was not found"}
    assert found["ventricles"]["evans_index"] is None and found["lesions"][0]["side"] == "unknown"
    assert found["cavity"] == {"not_measurable": "the anatomy labels are empty"}


def test_a_cavity_cut_by_the_field_of_view_is_told(tmp_path: Path) -> None:
    box = (slice(30, 96), slice(0, 96), slice(0, 32))
    for name, image in (("ich", _blood()), ("anatomy", PARTS)):
        write_nifti(
            tmp_path / f"{name}.nii.gz", LabelMap(image.voxels[box], GRID.crop(box), image.labels)
        )
    found = _measure(
        tmp_path / "ich.nii.gz", tmp_path / "out", "--anatomy", tmp_path / "anatomy.nii.gz"
    )
    assert "CAVITY_CUT" in [w["code"] for w in found["warnings"]]
    assert found["cavity"]["volume_ml"] > 100


def test_a_mask_at_the_edge_counts_in_full(tmp_path: Path) -> None:
    voxels = np.zeros((20, 20, 20), np.uint8)
    voxels[:10, :10, :10] = Subtype.SDH
    write_nifti(tmp_path / "l.nii.gz", LabelMap(voxels, Geometry((20, 20, 20), np.eye(4)), Subtype))
    found = _measure(tmp_path / "l.nii.gz", tmp_path / "out")
    assert found["total_volume_ml"] == 1.0 and [w["code"] for w in found["warnings"]] == [
        "MASK_AT_EDGE"
    ]


@pytest.mark.parametrize("name", ["report.html", "provenance.json", "sr.dcm"])
def test_numbers_never_lie_beside_the_report_of_another_run(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("of another run")
    assert main(["measure", str(images / "ich.nii.gz"), "-o", str(out), "--overwrite"]) == 3
    assert f"OUTPUT_EXISTS: The output folder holds {name}" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [name]


def test_refusals_have_a_code(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voxels = np.asarray(nib.load(images / "ich.nii.gz").dataobj)
    nib.save(
        nib.Nifti1Image(np.where(voxels == 5, 9, voxels).astype(np.uint8), GRID.affine),
        tmp_path / "nine.nii.gz",
    )
    nib.save(nib.Nifti1Image(voxels[:, :, 10:11], GRID.affine), tmp_path / "one.nii.gz")
    between = GRID.affine + np.array(
        [[0, 0, 0, 0.9]] + [[0] * 4] * 3
    )  # no crop: voxels lie beside each other
    write_nifti(
        tmp_path / "beside.nii.gz", LabelMap(voxels, Geometry(GRID.shape, between), Subtype)
    )
    for name, code in (("nine", "UNKNOWN_LABEL"), ("one", "NOT_3D"), ("beside", "GRID_MISMATCH")):
        args = ["measure", tmp_path / f"{name}.nii.gz", "-o", tmp_path / "out", *_given(images)]
        assert main([str(a) for a in args]) == 3
        said = capsys.readouterr().err
        assert said.startswith(f"monai-ich: {code}: ") and "Traceback" not in said
    assert "monai-ich resample" in said and not (tmp_path / "out").exists()
