"""A DICOM study goes all the way: import, masks, numbers, files that open."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import ConfigParser

from monai_ich.analysis import analyze
from monai_ich.bundle import find_bundle
from monai_ich.cli.app import main
from monai_ich.core.labels import Subtype
from monai_ich.io.seg_nrrd import read_seg_nrrd
from monai_ich.results.files import EDEMA, RESULTS
from monai_ich.synth.dataset import design_case, write_case

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted = {Subtype.IPH: 40.0, Subtype.SDH: 40.0}
    case = design_case(77, hemorrhages=wanted, shift_mm=7.0, tilt_deg=15, thickness_mm=5)
    case = replace(
        case,
        scanner=replace(case.scanner, rotation_deg=(0.0, 0.0, 0.0), bottom_mm=-62.0, top_mm=95.0),
    )
    return write_case(case, tmp_path_factory.mktemp("study"), dicom=True)


@pytest.fixture(scope="module")
def results(study: Path) -> Path:
    out = study / "out"
    assert main(["analyze", str(study / "dicom"), "-o", str(out), "--case-id", "c1"]) == 0
    return out


def test_every_file_of_the_contract_is_there(results: Path) -> None:
    assert {p.name for p in results.iterdir()} == {*RESULTS, EDEMA}


def test_numbers_are_near_the_truth(study: Path, results: Path) -> None:
    truth = json.loads((study / "truth.json").read_text())["truth"]
    found = json.loads((results / "measurements.json").read_text())
    assert found["hemorrhage_present"] and found["case_id"] == "c1"
    assert found["total_volume_ml"] == pytest.approx(truth["total_ml"], rel=0.4)
    assert found["cavity"]["volume_ml"] == pytest.approx(truth["cavity_ml"], rel=0.1)
    assert [w["code"] for w in found["warnings"]] == ["GANTRY_TILT"]
    assert len(found["provenance"]["weights"]) == 3 and "synthetic" in found["provenance"]["status"]


def test_all_images_lie_on_one_grid_and_tables_agree_with_them(results: Path) -> None:
    images = {
        name: nib.load(results / f"{name}.nii.gz") for name in ("ct", "cavity", "anatomy", "ich")
    }
    for image in images.values():
        assert image.shape == images["ct"].shape and np.allclose(image.affine, images["ct"].affine)
    labels = np.asarray(images["ich"].dataobj)
    voxel_ml = abs(np.linalg.det(images["ich"].affine[:3, :3])) / 1000
    (row,) = csv.DictReader((results / "measurements.csv").open())
    for subtype in Subtype:
        expected = (labels == subtype).sum() * voxel_ml
        assert float(row[f"{subtype.name.lower()}_volume_ml"]) == pytest.approx(expected, abs=1e-3)
    assert (labels[np.asarray(images["cavity"].dataobj) == 0] == 0).all()
    segments = read_seg_nrrd(results / "ich.seg.nrrd", Subtype)
    assert segments.mask().volume_ml == pytest.approx(float(row["total_volume_ml"]), rel=0.05)


def test_command_line_python_and_bundle_write_the_same_numbers(
    study: Path, results: Path, tmp_path: Path
) -> None:
    options = {"heatmap": True, "pipeline#dicom": True}
    done = analyze(study / "dicom", tmp_path / "python", case_id="c1", **options)
    root = find_bundle("ich_segmentation")
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "pipeline.yaml"))
    settings = {
        "bundle_root": str(root),
        "input": str(study / "dicom"),
        "output_dir": str(tmp_path / "bundle"),
    }
    parser.update({**settings, "case_id": "c1", "tracking_uri": f"sqlite:///{tmp_path}/mlruns.db"})
    parser.get_parsed_content("run")
    folders = (results, tmp_path / "python", tmp_path / "bundle")
    for name in ("cavity", "anatomy", "ich"):
        images = [np.asarray(nib.load(folder / f"{name}.nii.gz").dataobj) for folder in folders]
        for image in images[1:]:
            where = np.argwhere(image != images[0])
            assert len(where) == 0, f"{name}: {len(where)} voxels differ, first at {where[:3]}"
    for name in ("measurements.csv", "lesions.csv", "slices.csv", "ich.nii.gz"):
        expected, *found = ((folder / name).read_bytes() for folder in folders)
        assert found == [expected] * 2, name
    # a seg.nrrd's header holds its time of writing
    first, *others = (read_seg_nrrd(folder / "ich.seg.nrrd", Subtype) for folder in folders)
    for other in others:
        assert np.array_equal(first.voxels, other.voxels) and first.geometry.same_grid(
            other.geometry
        )

    maps = {path.name: nib.load(path) for path in (tmp_path / "python").glob("heatmap_*.nii.gz")}
    found = [f.subtype.name for f in done.exam.subtypes if f.present]
    assert set(maps) == {f"heatmap_{name}.nii.gz" for name in found}
    made = {path.name for path in (tmp_path / "python").glob("*heatmap*.dcm")}
    assert made == {"sc_heatmaps.dcm", *(f"heatmap_{name}.dcm" for name in found)}
    for image in maps.values():
        assert image.shape == done.ct.geometry.shape and np.allclose(
            image.affine, done.ct.geometry.affine
        )
    page, plain = (
        (folder / "report.html").read_text() for folder in (tmp_path / "python", results)
    )
    assert "What speaks for each subtype" in page and len(page) < 15_000_000
    assert "What speaks for each subtype" not in plain and not list(results.glob("heatmap_*"))

    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlruns.db")
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    (row,) = csv.DictReader((results / "measurements.csv").open())
    assert run.data.metrics["volume_ml_total"] == pytest.approx(
        float(row["total_volume_ml"]), abs=1e-3
    )
    assert "SYNTH" not in str(run.to_dictionary()) and str(tmp_path) not in str(run.data)


def test_measure_repeats_the_numbers_without_a_network(results: Path, tmp_path: Path) -> None:
    args = [
        "--ct",
        results / "ct.nii.gz",
        "--anatomy",
        results / "anatomy.nii.gz",
        "-o",
        tmp_path / "again",
    ]
    assert main(["measure", str(results / "ich.nii.gz"), *map(str, args), "--case-id", "c1"]) == 0
    first, again = (
        json.loads((p / "measurements.json").read_text()) for p in (results, tmp_path / "again")
    )
    calibrated, given = (record["midline_shift"].pop("interval_mm") for record in (first, again))
    for record in (first, again):
        record["midline_shift_max"].pop("interval_mm", None)
    for key in ("total_volume_ml", "midline_shift", "midline_shift_max", "lesions", "cavity"):
        assert first[key] == again[key]
    assert np.ptp(given) < np.ptp(calibrated), (
        "of the measurement alone, not of the network's masks"
    )


def test_no_patient_identifier_leaves(results: Path) -> None:
    for path in results.iterdir():
        raw = path.read_bytes()
        assert b"SYNTHETIC^HEAD" not in raw and b"SYNTH-77" not in raw, path.name


def test_real_head_without_hemorrhage(shared_data: Path, tmp_path: Path) -> None:
    assert main(["analyze", str(shared_data / "ge_head_tilted"), "-o", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "measurements.json").read_text())
    assert {"GANTRY_TILT", "VARIABLE_SPACING"} <= {w["code"] for w in found["warnings"]}
    assert 1000 < found["cavity"]["volume_ml"] < 1700
    assert found["total_volume_ml"] < 20
    assert found["midline_shift"]["value_mm"] < 3
