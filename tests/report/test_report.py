import base64
import csv
import gzip
import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.calibration import ANY, Evidence
from monai_ich.core.geometry import Geometry
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.summary import measure_exam
from monai_ich.report.heat_maps import heat_map_section
from monai_ich.report.html import write_report
from monai_ich.report.key_slices import pick_key_slices
from monai_ich.report.montage import render_montage
from monai_ich.report.tables import measurement_table
from monai_ich.report.view import turn
from monai_ich.results.files import write_tables
from tests.heads import anatomy
from tests.phantom import density, grid


def _exam() -> tuple[CTVolume, LabelMap, LabelMap]:
    geometry = grid(pixels=96, pixel_mm=2.2, tilt_deg=10)
    parts = anatomy(geometry, shift_mm=6)
    ras = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    voxels = np.where(np.linalg.norm(ras - [-35, 10, 5], axis=-1) < 15, int(Subtype.IPH), 0).astype(
        np.uint8
    )
    return (
        CTVolume(density(ras).astype(np.float32), geometry),
        LabelMap(voxels, geometry, Subtype),
        parts,
    )


def test_tables_hold_the_same_numbers_and_no_nan(tmp_path: Path) -> None:
    ct, labels, parts = _exam()
    exam = measure_exam(labels, ct=ct, anatomy=parts, midline=fit_midline(parts))
    warn = Notice("GANTRY_TILT", "tilted")
    write_tables(
        exam,
        tmp_path,
        case_id="c1",
        warnings=(warn,),
        provenance=Provenance(versions={"python": "3"}),
    )
    record = json.loads((tmp_path / "measurements.json").read_text(), parse_constant=pytest.fail)
    assert record["schema"] == "monai-ich/measurements/1" and record["case_id"] == "c1"
    assert record["total_volume_ml"] == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.03)
    assert record["subtypes"]["SDH"] == {
        "state": "not found",
        "present": False,
        "certain": True,
        "volume_ml": 0.0,
    }
    assert record["midline_shift"]["value_mm"] == pytest.approx(6, abs=1)
    assert record["midline_shift"]["toward"] == "right"
    assert record["key_slices"]["IPH"]["slice"] == record["key_slices"]["any"]["slice"]
    assert record["lesions"][0]["side"] == "left" and record["warnings"][0]["code"] == "GANTRY_TILT"
    (row,) = csv.DictReader((tmp_path / "measurements.csv").open())
    assert float(row["total_volume_ml"]) == record["total_volume_ml"] and row["iph_present"] == "1"
    assert (
        float(row["midline_shift_mm"]) == record["midline_shift"]["value_mm"]
        and row["midline_shift_reason"] == ""
    )
    slices = list(csv.DictReader((tmp_path / "slices.csv").open()))
    assert len(slices) == 32
    assert sum(float(s["iph_volume_ml"]) for s in slices) == pytest.approx(
        record["total_volume_ml"], abs=0.01
    )
    assert len(list(csv.DictReader((tmp_path / "lesions.csv").open()))) == 1


def test_what_is_not_measurable_says_why(tmp_path: Path) -> None:
    _, labels, _ = _exam()
    write_tables(
        measure_exam(labels), tmp_path, case_id="c", warnings=(), provenance=Provenance(versions={})
    )
    record = json.loads((tmp_path / "measurements.json").read_text())
    assert record["midline_shift"] == {"not_measurable": "no anatomy labels were given"}
    (row,) = csv.DictReader((tmp_path / "measurements.csv").open())
    assert (
        row["midline_shift_mm"] == ""
        and row["midline_shift_reason"] == "no anatomy labels were given"
    )


def _report(path: Path, ct: CTVolume, labels: LabelMap, parts: LabelMap) -> str:
    midline = fit_midline(parts)
    exam = measure_exam(labels, ct=ct, anatomy=parts, midline=midline)
    render_montage(path.with_suffix(".png"), ct, labels, anatomy=parts, midline=midline)
    write_report(
        path,
        exam,
        turn(ct, labels, parts),
        case_id="case & one",
        midline=midline,
        warnings=(Notice("X", "a <b>"),),
        provenance=Provenance(versions={"python": "3"}, status="Trained on nothing."),
        montage_png=path.with_suffix(".png"),
    )
    return path.read_text()


@pytest.mark.slow
def test_report_is_one_file_with_status_first(tmp_path: Path) -> None:
    page = _report(tmp_path / "r.html", *_exam())
    assert page.index("Trained on nothing.") < page.index("Warnings") < page.index("Measurements")
    assert "case &amp; one" in page and "a &lt;b&gt;" in page
    assert not re.search(r"""(src|href)=["']?https?:""", page) and len(page) < 5_000_000
    assert "voxel count times |det(affine)|" in page and "largest area of IPH, " in page


def test_the_table_says_why_something_is_not_measurable() -> None:
    _, labels, _ = _exam()
    table = measurement_table(measure_exam(labels))
    row = next(line for line in table.splitlines() if "Midline shift" in line)
    assert "not measurable: no anatomy labels were given" in row and "falx insertions" in row


def test_the_report_holds_the_scan_straightened_for_the_viewer(tmp_path: Path) -> None:
    ct, labels, parts = _exam()
    page = _report(tmp_path / "r.html", ct, labels, parts)
    found = {}
    for name in ("ct", "blood", "anatomy"):
        (held,) = re.findall(f'<script type="text/plain" id="viewer-{name}">([^<]*)</script>', page)
        (tmp_path / f"{name}.nii.gz").write_bytes(base64.b64decode(held))
        found[name] = nib.load(tmp_path / f"{name}.nii.gz")
    geometry = Geometry(found["blood"].shape, found["blood"].affine)
    voxels = np.asarray(found["blood"].dataobj)
    assert geometry.is_orthogonal and np.array_equal(found["ct"].affine, found["anatomy"].affine)
    assert (voxels > 0).sum() == (labels.voxels > 0).sum()
    middle = geometry.to_world(np.argwhere(voxels).mean(axis=0))
    assert np.allclose(middle, [-35, 10, 5], atol=1.1)
    assert np.asarray(found["ct"].dataobj).dtype == np.int16


def test_key_slices_are_those_of_largest_area_and_shift(tmp_path: Path) -> None:
    geometry = Geometry((40, 40, 10), np.diag([-1.0, -1.0, 5.0, 1.0]))
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[5:15, 5:15, 2], voxels[5:25, 5:15, 3], voxels[5:15, 20:30, 6] = (
        Subtype.IPH,
        Subtype.IPH,
        Subtype.SDH,
    )
    labels, ct = (
        LabelMap(voxels, geometry, Subtype),
        CTVolume(np.full(geometry.shape, 30, np.float32), geometry),
    )
    keys = pick_key_slices(turn(ct, labels, None), measure_exam(labels))
    assert [(key.index, key.reasons) for key in keys] == [
        (3, ("largest area of IPH, 2.0 cm²",)),
        (6, ("largest area of SDH, 1.0 cm²",)),
    ]


def test_where_nothing_is_found_the_report_shows_what_the_network_came_nearest_to() -> None:
    geometry = Geometry((40, 40, 10), np.diag([-1.0, -1.0, 5.0, 1.0]))
    labels = LabelMap(np.zeros(geometry.shape, np.uint8), geometry, Subtype)
    none = dict.fromkeys([*Subtype.__members__, ANY], 0.0)
    evidence = Evidence(none, none, none, dict.fromkeys(none, (0.0,) * 7 + (0.2, 0.0, 0.0)))
    view = turn(CTVolume(np.full(geometry.shape, 30, np.float32), geometry), labels, None)
    (key,) = pick_key_slices(view, measure_exam(labels, evidence=evidence))
    assert key.index == 7 and "none labeled" in key.reasons[0]


def test_heat_maps_stand_beside_the_masks_and_say_what_they_are_not(tmp_path: Path) -> None:
    ct, labels, parts = _exam()
    exam = measure_exam(labels, ct=ct)
    heat = HeatMap(Subtype.IPH, np.where(labels.voxels, 255, 0).astype(np.uint8), ct.geometry)
    section = heat_map_section(turn(ct, labels, parts, [heat]).cropped(), exam)
    (label,) = re.findall(r'role="img" aria-label="([^"]*)"', section)
    number = exam.key_slices[0].index
    assert label == f"Slice {number}: heat map of IPH, up to 100% of its highest in the whole scan"
    assert "no probability" in section and "no proof" in section
    assert heat_map_section(turn(ct, labels, parts).cropped(), exam) == ""


def test_montage_shows_the_patients_left_on_the_right(tmp_path: Path) -> None:
    from PIL import Image

    ct, labels, parts = _exam()  # the lesion is on the left
    render_montage(tmp_path / "m.png", ct, labels, anatomy=parts)
    picture = np.asarray(Image.open(tmp_path / "m.png").convert("RGB")).astype(int)
    red = (picture[..., 0] - picture[..., 1] > 60) & (picture[..., 0] - picture[..., 2] > 60)
    columns = np.nonzero(red[: int(0.93 * len(red))])[1] % (picture.shape[1] // 5)
    assert columns.mean() > 0.55 * picture.shape[1] / 5


@pytest.mark.slow
@pytest.mark.parametrize(("count", "halved"), [(32, False), (145, True)])
def test_the_page_stays_small_however_many_slices(tmp_path: Path, count: int, halved: bool) -> None:
    """Noise of 5 HU over all of 400 x 400 pixels, what a large head fills of a slice: the worst
    there is to pack.
    """
    geometry = grid(pixels=400, pixel_mm=0.5, slice_mm=160 / count, count=count)
    hu = np.random.default_rng(1).normal(35, 5, geometry.shape).astype(np.float32)
    ct = CTVolume(hu, geometry)
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[100:150, 100:150, count // 2] = Subtype.IPH
    labels = LabelMap(voxels, geometry, Subtype)
    exam = measure_exam(labels, ct=ct)
    render_montage(tmp_path / "m.png", ct, labels)
    about = {
        "case_id": "c",
        "midline": "none",
        "warnings": (),
        "provenance": Provenance(versions={}),
    }
    write_report(
        tmp_path / "r.html", exam, turn(ct, labels, None), montage_png=tmp_path / "m.png", **about
    )
    page = (tmp_path / "r.html").read_text()
    assert len(page) < 15e6 and ("two by two" in page) == halved
    packed = re.search('id="viewer-ct">([^<]+)<', page)
    assert packed is not None
    shown = nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(packed[1])))
    middle = shown.affine @ [*(np.array(shown.shape) - 1) / 2, 1]
    assert np.allclose(middle[:3], geometry.to_world((np.array(geometry.shape) - 1) / 2), atol=1e-3)
    assert shown.shape == ((200, 200, count) if halved else geometry.shape)
