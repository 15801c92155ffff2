"""How a scan was made, from its header or a sidecar: words of scanners, never other text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_ich.core.acquisition import Acquisition
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from monai_ich.io.sidecar import read_sidecar
from tests.phantom import grid, phantom, series

GRID = grid(pixels=48, pixel_mm=4.3, slice_mm=8.0, count=20, tilt_deg=12)


def test_a_dicom_header_says_it(tmp_path: Path) -> None:
    tags = {"Manufacturer": "TOSHIBA", "ConvolutionKernel": "FC26", "SliceThickness": "8"}
    scan = read_ct(series(tmp_path / "a", GRID, **tags))
    found = scan.acquisition.on(scan.volume.geometry)
    assert (found.slice_thickness_mm, found.kernel, found.manufacturer) == (8.0, "FC26", "Canon")
    assert found.reason is None and found.gantry_tilt_deg == pytest.approx(12.0, abs=0.01)
    assert found.spacing_mm is not None and found.spacing_mm[:2] == (4.3, 4.3)


def test_a_text_that_may_name_somebody_is_left_out(tmp_path: Path) -> None:
    tags = {"Manufacturer": "JANE DOE", "ConvolutionKernel": "DOE JANE 1"}
    found = read_ct(series(tmp_path / "a", GRID, **tags)).acquisition
    assert (found.kernel, found.manufacturer) == (None, None)
    assert found.reason is not None and "kernel, manufacturer" in found.reason
    assert "DOE" not in repr(found)


def test_a_sidecar_of_nifti_says_it(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii.gz", phantom(GRID))
    assert read_ct(tmp_path / "ct.nii.gz").acquisition.kernel is None
    record = {"Manufacturer": "Philips", "ConvolutionKernel": "UB", "SliceThickness": 5}
    (tmp_path / "ct.json").write_text(json.dumps(record))
    found = read_ct(tmp_path / "ct.nii.gz").acquisition
    assert (found.slice_thickness_mm, found.kernel, found.manufacturer) == (5.0, "UB", "Philips")


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"SliceThickness": {}, "Manufacturer": []}'])
def test_a_damaged_sidecar_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "ct.json").write_text(text)
    found = read_sidecar(tmp_path / "ct.nii")
    assert (found.slice_thickness_mm, found.kernel, found.manufacturer) == (None, None, None)
    assert found.reason


@pytest.mark.parametrize("stated", ["", None, "nan", -1, 0, 51, "thick", [5]])
def test_a_thickness_that_no_scanner_makes_is_left_out(stated: object) -> None:
    assert Acquisition.stated(stated, "UB", "GE", where="x").slice_thickness_mm is None
