"""Real head CT with an open licence: every pixel in its place, what cannot be a head CT refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.ndimage import map_coordinates

from monai_ich.io.read import read_ct
from tests.io.refusal import codes, refused


def test_tilted_uneven_head_keeps_every_pixel_in_its_place(shared_data: Path) -> None:
    scan = read_ct(shared_data / "ge_head_tilted")
    assert codes(scan) == {"GANTRY_TILT", "VARIABLE_SPACING"}
    for path in sorted((shared_data / "ge_head_tilted").glob("*.dcm")):
        d = pydicom.dcmread(path)
        r, c = np.mgrid[0 : d.Rows : 16, 0 : d.Columns : 16]
        iop, ipp = np.array(d.ImageOrientationPatient, float), np.array(d.ImagePositionPatient, float)
        dy, dx = (float(v) for v in d.PixelSpacing)
        ras = (ipp + c[..., None] * dx * iop[:3] + r[..., None] * dy * iop[3:]) * [-1, -1, 1]
        ijk = scan.volume.geometry.to_voxel(ras.reshape(-1, 3)).T
        found = map_coordinates(scan.volume.hu, ijk, order=1, mode="nearest")
        expected = np.clip(d.pixel_array[::16, ::16].ravel(), -1024, 3071)
        assert np.abs(found - expected).mean() < 10 and np.corrcoef(found, expected)[0, 1] > 0.998


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gantrytilting", "INSUFFICIENT_COVERAGE"),
        ("notavolume", "DUPLICATE_POSITION"),
        ("sliceincrement", "INSUFFICIENT_COVERAGE"),
    ],
)
def test_scrambled_real_series_are_refused(shared_data: Path, name: str, code: str) -> None:
    for folder in (shared_data / "dicom2nifti_failing" / name).iterdir():
        assert refused(folder) == code


def test_a_perfusion_map_is_refused(shared_data: Path) -> None:
    assert refused(shared_data / "enhanced_ct") == "NOT_HU"
