"""Stored pixels become Hounsfield units: rescale, padding, transfer syntaxes, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_ich.core.volume import CTVolume
from monai_ich.dicom.write import write_ct_series
from monai_ich.io.read import read_ct
from tests.dicom.refusal import codes, refused
from tests.phantom import agreement, edit, files, grid, phantom, series


def test_a_padding_range_becomes_air_and_its_sign_follows_the_pixels(tmp_path: Path) -> None:
    def change(d: pydicom.Dataset, n: int) -> None:
        stored = d.pixel_array.copy()
        stored[:6] = -2000 + n
        d.PixelData = stored.tobytes()
        d.add_new("PixelPaddingValue", "US", 65536 - 2000)
        d.add_new("PixelPaddingRangeLimit", "US", 65536 - 1900)

    scan = read_ct(edit(series(tmp_path), change))
    assert scan.volume.hu[:, :6].max() == scan.volume.hu[:, :6].min() == -1024


def test_padding_that_reads_as_water_leaves_the_brain_alone(tmp_path: Path) -> None:
    def change(d: pydicom.Dataset, n: int) -> None:
        stored = d.pixel_array.copy()
        stored[:6], stored[-6:] = 1024, 1024
        stored[32, 32] = 1024
        d.PixelData = stored.tobytes()
        d.add_new("PixelPaddingValue", "SS", 1024)

    hu = read_ct(edit(series(tmp_path), change)).volume.hu
    assert (hu[32, 32] == 0).all() and (hu[:, :6] == -1024).all()


@pytest.mark.parametrize("border_hu", [0, 3000])
def test_a_constant_border_without_a_tag_becomes_air_with_a_warning(
    tmp_path: Path, border_hu: int
) -> None:
    volume = phantom(grid())
    volume.hu[:4], volume.hu[-4:], volume.hu[:, :4], volume.hu[:, -4:] = [border_hu] * 4
    write_ct_series(CTVolume(volume.hu, volume.geometry), tmp_path, seed=1, slice_thickness_mm=5)
    scan = read_ct(tmp_path)
    assert codes(scan) == {"NONSTANDARD_PADDING"} and (scan.volume.hu[:4] == -1024).all()
    assert agreement(scan.volume) > 0.999


def test_bits_above_those_stored_are_no_density(tmp_path: Path) -> None:
    def change(d: pydicom.Dataset, n: int) -> None:
        stored = d.pixel_array.astype(np.uint16)
        stored[20:30, 20:30] |= 0x8000  # an overlay kept in the unused bits, as old scanners do
        d.BitsStored, d.HighBit, d.PixelRepresentation, d.PixelData = 12, 11, 0, stored.tobytes()

    assert agreement(read_ct(edit(series(tmp_path), change)).volume) > 0.9999


def test_values_are_clamped_to_the_range_of_ct(tmp_path: Path) -> None:
    volume = phantom(grid())
    volume.hu[30:33, 30:33, 16], volume.hu[0, 0, 0] = 9000, -3000
    write_ct_series(volume, tmp_path, seed=1, slice_thickness_mm=5)
    hu = read_ct(tmp_path).volume.hu
    assert hu.max() == 3071 and hu.min() == -1024


def test_files_without_preamble_are_dicom_too(tmp_path: Path) -> None:
    for path in files(series(tmp_path / "plain")):
        d = pydicom.dcmread(path)
        d.file_meta, d.preamble = pydicom.dataset.FileMetaDataset(), None
        d.save_as(
            tmp_path / path.name, implicit_vr=True, little_endian=True, enforce_file_format=False
        )
        assert (tmp_path / path.name).read_bytes()[128:132] != b"DICM"
        path.unlink()
    assert agreement(read_ct(tmp_path).volume) > 0.9999


@pytest.mark.parametrize("left", [-3000, 1500, 700])
def test_a_cut_file_is_refused_wherever_it_ends(tmp_path: Path, left: int) -> None:
    path = files(series(tmp_path))[-1]
    path.write_bytes(path.read_bytes()[:left])
    assert refused(tmp_path) == "TRUNCATED_FILE"


def test_a_broken_file_of_no_known_kind_is_told_and_hides_nothing(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    series(tmp_path)
    (tmp_path / "broken").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\xff\x00DOE^JANE")
    (tmp_path / "notes.txt").write_text("no DICOM")
    scan = read_ct(tmp_path)
    assert codes(scan) == {"TRUNCATED_FILE"} and agreement(scan.volume) > 0.9999
    assert "DOE" not in caplog.text and not any("DOE" in str(w.message) for w in recwarn)


@pytest.mark.parametrize(
    "header",
    [
        {"RescaleIntercept": "0"},
        {"RescaleSlope": "0.01"},
        {"RescaleIntercept": "-2048"},
        {"RescaleType": "Z_EFF"},
    ],
)
def test_values_that_are_no_hu_are_refused(tmp_path: Path, header: dict[str, str]) -> None:
    assert refused(series(tmp_path, **header)) == "NOT_HU"
