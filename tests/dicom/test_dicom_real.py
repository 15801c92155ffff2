"""Real head CT with an open licence: every pixel in its place, what cannot be a head CT refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID
from scipy.ndimage import map_coordinates

from monai_ich.core.volume import CTVolume
from monai_ich.io.read import read_ct
from tests.dicom.refusal import codes, refused
from tests.dicom_syntax import LOSSLESS, transcode_folder
from tests.dicom_writers import drop, renumber
from tests.phantom import edit, files

HEAD = "ge_head_tilted"
WARNED = {"GANTRY_TILT", "VARIABLE_SPACING"}


def _require_in_place(volume: CTVolume, folder: Path) -> None:
    """Each 16th pixel of each image is looked up at its own world position."""
    for path in files(folder):
        d = pydicom.dcmread(path)
        r, c = np.mgrid[0 : d.Rows : 16, 0 : d.Columns : 16]
        iop, ipp = (
            np.array(d.ImageOrientationPatient, float),
            np.array(d.ImagePositionPatient, float),
        )
        dy, dx = (float(v) for v in d.PixelSpacing)
        ras = (ipp + c[..., None] * dx * iop[:3] + r[..., None] * dy * iop[3:]) * [-1, -1, 1]
        ijk = volume.geometry.to_voxel(ras.reshape(-1, 3)).T
        found = map_coordinates(volume.hu, ijk, order=1, mode="nearest")
        expected = np.clip(d.pixel_array[::16, ::16].ravel(), -1024, 3071)
        assert np.abs(found - expected).mean() < 10 and np.corrcoef(found, expected)[0, 1] > 0.998


@pytest.fixture
def head(shared_data: Path, tmp_path: Path) -> Path:
    """A copy of the real head that a test may change."""
    (tmp_path / "head").mkdir()
    for path in files(shared_data / HEAD):
        shutil.copy(path, tmp_path / "head" / path.name)
    return tmp_path / "head"


def test_tilted_uneven_head_keeps_every_pixel_in_its_place(shared_data: Path) -> None:
    scan = read_ct(shared_data / HEAD)
    assert codes(scan) == WARNED
    _require_in_place(scan.volume, shared_data / HEAD)


@pytest.mark.slow
@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS)
def test_a_syntax_changes_no_voxel_of_a_real_head(
    shared_data: Path, tmp_path: Path, syntax: UID
) -> None:
    scan = read_ct(transcode_folder(shared_data / HEAD, syntax, tmp_path))
    assert codes(scan) == WARNED
    assert np.array_equal(scan.volume.hu, read_ct(shared_data / HEAD).volume.hu)


@pytest.mark.slow
def test_shuffled_and_doubled_images_change_no_voxel_of_a_real_head(
    shared_data: Path, head: Path
) -> None:
    order = np.random.default_rng(1).permutation(len(files(head)))
    renumber(head, lambda n: int(order[n]) + 1)
    plain = read_ct(shared_data / HEAD).volume.hu
    assert np.array_equal(read_ct(head).volume.hu, plain)
    for path in files(head):
        shutil.copy(path, path.with_name(f"copy_of_{path.name}"))
    edit(head, lambda d, n: setattr(d, "SOPInstanceUID", f"1.2.3.{n}"))
    scan = read_ct(head)
    assert codes(scan) == WARNED | {"DUPLICATE_POSITION"} and np.array_equal(scan.volume.hu, plain)


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", [1, 12, 13, 14]
)  # its spacing changes from 4.22 to 1.14 to 7.38 mm at 13 and 14
def test_a_dropped_image_of_a_real_head_is_missed(head: Path, place: int) -> None:
    drop(head, place)
    assert refused(head) == "MISSING_SLICES"
    scan = read_ct(head, mode="lenient")
    assert "SLICES_INTERPOLATED" in codes(scan)
    _require_in_place(scan.volume, head)


def test_other_pixels_at_one_place_of_a_real_head_are_refused(head: Path) -> None:
    d = pydicom.dcmread(files(head)[3])
    d.SOPInstanceUID, d.PixelData = "1.2.3.4", (d.pixel_array + 7).astype("<i2").tobytes()
    d.save_as(head / "again.dcm")
    assert refused(head) == "DUPLICATE_POSITION"


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
