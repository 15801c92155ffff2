"""Commands take a DICOM SEG wherever they take a mask, and give the numbers of the NIfTI that it
was written from.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from tests import dicom_writers as write
from tests.heads import anatomy
from tests.manifest_files import write_json
from tests.phantom import grid, series
from tests.seg_contract import true_labels

STUDIES = {
    "regular": lambda folder: series(folder, PatientName="DOE^JANE", PatientID="ZQ4711"),
    "tilted": lambda folder: series(
        folder, grid(tilt_deg=18), PatientName="DOE^JANE", PatientID="ZQ4711"
    ),
    "uneven": write.mixed_spacing,
}


def _run(*words: object) -> int:
    return main([str(word) for word in words])


def _blood(geometry: Geometry) -> LabelMap:
    """An IPH and an SDH that end between slices, as masks on interpolated slices do."""
    voxels = true_labels(geometry).voxels.copy()
    voxels[np.isin(voxels, (1, 3, 4))] = 0
    return LabelMap(voxels, geometry, Subtype)


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    STUDIES[request.param](folder / "ct")
    scan = read_ct(folder / "ct")
    for name, image in (
        ("ct", scan.volume),
        ("ich", _blood(scan.volume.geometry)),
        ("anatomy", anatomy(scan.volume.geometry, shift_mm=6)),
    ):
        write_nifti(folder / f"{name}.nii.gz", image)
    given = (folder / "ich.nii.gz", "--ct", folder / "ct", "--anatomy", folder / "anatomy.nii.gz")
    assert _run("export", *given, "-o", folder / "out", "--to", "dicom-seg") == 0
    return folder


def _measured(out: Path, *words: object) -> dict[str, Any]:
    assert _run("measure", *words, "-o", out, "--case-id", "c") == 0
    found: dict[str, Any] = json.loads((out / "measurements.json").read_text())
    return found


@pytest.mark.slow
def test_measure_gives_the_numbers_of_the_nifti(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = study / "out"
    of_nifti = _measured(
        *(
            tmp_path / "a",
            study / "ich.nii.gz",
            "--ct",
            study / "ct.nii.gz",
            "--anatomy",
            study / "anatomy.nii.gz",
        )
    )
    of_seg = _measured(
        *(
            tmp_path / "b",
            ours / "seg.dcm",
            "--ct",
            study / "ct",
            "--anatomy",
            ours / "seg_anatomy.dcm",
        ),
    )
    said = {w["code"] for w in of_seg.pop("warnings")}
    of_nifti.pop("warnings")
    for which in ("midline_shift", "midline_shift_max"):
        shifts = [record.pop(which)["value_mm"] for record in (of_seg, of_nifti)]
        assert shifts[0] == pytest.approx(
            shifts[1], abs=0.3 if "uneven" in study.name else 0.03
        )  # of NIfTI's float32 grid
    for record in (of_seg, of_nifti):
        del record["scores"]  # the Stockholm score repeats the shift
        del record["provenance"]["acquisition"]  # a NIfTI file does not say it
    assert "ZQ" not in "".join(capsys.readouterr())
    if "uneven" not in study.name:
        assert of_seg == of_nifti and "MASK_INTERPOLATED" not in said
        again = _measured(
            *(
                tmp_path / "c",
                ours / "seg.dcm",
                "--ct",
                study / "ct.nii.gz",
                "--anatomy",
                ours / "seg_anatomy.dcm",
            )
        )
        again.pop("warnings")
        del again["midline_shift"], again["midline_shift_max"], again["scores"]
        del again["provenance"]["acquisition"]
        assert again == of_nifti  # the NIfTI of a regular series places the frames as well
        return
    assert {"VARIABLE_SPACING", "MASK_INTERPOLATED"} <= said
    assert of_seg["total_volume_ml"] == pytest.approx(of_nifti["total_volume_ml"], rel=0.02)
    for one, other in zip(of_seg["lesions"], of_nifti["lesions"], strict=True):
        assert np.allclose(one["centroid_ras_mm"], other["centroid_ras_mm"], atol=0.3)


def test_without_the_ct_volumes_are_the_same(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "uneven" in study.name:
        assert _run("measure", study / "out" / "seg.dcm", "-o", tmp_path / "a") == 3
        assert "UNKNOWN_SPACING" in capsys.readouterr().err
        return
    of_nifti = _measured(tmp_path / "a", study / "ich.nii.gz")
    of_seg = _measured(tmp_path / "b", study / "out" / "seg.dcm")
    for name, subtype in of_nifti["subtypes"].items():
        assert of_seg["subtypes"][name]["volume_ml"] == pytest.approx(
            subtype["volume_ml"], abs=0.002
        )


def test_resample_brings_a_seg_to_nifti(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ("--like", study / "ct", "-o", tmp_path / "m.nii.gz")
    assert _run("resample", study / "out" / "seg.dcm", *to) == 0
    got, true = (nib.load(path) for path in (tmp_path / "m.nii.gz", study / "ich.nii.gz"))
    assert np.allclose(got.affine, true.affine, atol=1e-5)
    differ = np.asarray(got.dataobj) != np.asarray(true.dataobj)
    assert ("MASK_INTERPOLATED" in capsys.readouterr().out) == ("uneven" in study.name)
    assert differ.any() == ("uneven" in study.name) and differ.sum() < 0.05 * np.count_nonzero(
        true.dataobj
    )


@pytest.mark.slow
def test_evaluate_compares_a_seg_with_a_mask_and_with_a_seg(study: Path, tmp_path: Path) -> None:
    predictions = tmp_path / "predictions"
    (predictions / "two").mkdir(parents=True)
    for target in (predictions / "one.dcm", predictions / "two" / "seg.dcm"):
        target.write_bytes((study / "out" / "seg.dcm").read_bytes())
    rows = [
        {"id": "one", "image": str(study / "ct"), "label": str(study / "ich.nii.gz")},
        {
            "id": "two",
            "image": str(study / "ct"),
            "label": str(study / "out" / "seg.dcm"),
            "patient": "other",
        },
    ]
    record = {"schema": "monai-ich/manifest/1", "name": "segs", "test": rows}
    manifest = write_json(
        tmp_path / "m.json", record | {"label_mapping": {s: Subtype(s).name for s in range(1, 6)}}
    )
    assert (
        _run(
            "evaluate", "--manifest", manifest, "--predictions", predictions, "-o", tmp_path / "out"
        )
        == 0
    )
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert found["figures"]["masks"]["SDH"]["dice"]["value"] > (
        0.97 if "uneven" in study.name else 0.999999
    )


@pytest.mark.slow
def test_export_writes_from_a_seg_what_it_writes_from_the_nifti(
    study: Path, tmp_path: Path
) -> None:
    if "uneven" in study.name:
        pytest.skip("what lay between the slices is lost")
    for name, mask in (("a", study / "ich.nii.gz"), ("b", study / "out" / "seg.dcm")):
        assert (
            _run(
                "export",
                mask,
                "--ct",
                study / "ct",
                "-o",
                tmp_path / name,
                "--to",
                "dicom-seg,dicom-sr",
            )
            == 0
        )
    for name in ("seg.dcm", "sr.dcm"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_export_writes_the_scene_that_analyze_writes(study: Path, tmp_path: Path) -> None:
    given = (study / "ich.nii.gz", "--ct", study / "ct.nii.gz", "-o")
    assert (
        _run("export", *given, tmp_path / "a", "--to", "mrb", "--anatomy", study / "anatomy.nii.gz")
        == 0
    )
    assert _run("export", *given, tmp_path / "b", "--to", "mrb,seg.nrrd") == 0
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["scene.mrb"]
    assert {path.name for path in (tmp_path / "b").iterdir()} == {"scene.mrb", "ich.seg.nrrd"}
    with (
        zipfile.ZipFile(tmp_path / "a" / "scene.mrb") as whole,
        zipfile.ZipFile(tmp_path / "b" / "scene.mrb") as plain,
    ):
        names = {"scene.mrml", "Data/CT.nii.gz", "Data/Hemorrhage.seg.nrrd"}
        assert set(plain.namelist()) == {f"scene/{name}" for name in names}
        names |= {"Data/Anatomy.seg.nrrd", "Data/Cavity.seg.nrrd"}
        names |= {
            f"Data/{name}.mrk.json" for name in ("Ideal midline", "Midline shift", "Largest shift")
        }
        assert set(whole.namelist()) == {f"scene/{name}" for name in names}
