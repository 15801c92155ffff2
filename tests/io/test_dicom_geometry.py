"""Voxels lie where they were scanned, whatever the order, orientation, tilt and gaps of the slices."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume
from monai_ich.io.dicom_write import write_ct_series
from monai_ich.io.read import read_ct
from tests.io.refusal import codes, refused
from tests.phantom import agreement, edit, files, grid, multi_frame, phantom, series
from tests.strategies import rotations


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_phantom_notices_a_flip_and_a_shift_by_one_voxel(axis: int) -> None:
    volume = phantom(grid())
    assert agreement(volume) == pytest.approx(1)
    assert agreement(CTVolume(np.flip(volume.hu, axis), volume.geometry)) < 0.8
    assert agreement(CTVolume(np.roll(volume.hu, 1, axis), volume.geometry)) < 0.99


@pytest.mark.parametrize("tilt_deg", [0, -25, -20, 18, 20])
def test_series_lies_where_it_was_scanned(tmp_path: Path, tilt_deg: float) -> None:
    scan = read_ct(series(tmp_path, grid(tilt_deg=tilt_deg)))
    assert agreement(scan.volume) > 0.9999
    assert ("GANTRY_TILT" in codes(scan)) == (tilt_deg != 0)
    assert "TILT_MISMATCH" not in codes(scan)
    assert scan.volume.geometry.tilt_deg == pytest.approx(abs(tilt_deg), abs=0.01)


def test_order_comes_from_positions_not_numbers_or_names(tmp_path: Path) -> None:
    series(tmp_path)
    order = np.random.default_rng(3).permutation(len(files(tmp_path)))
    for path, number in zip(files(tmp_path), order, strict=True):
        d = pydicom.dcmread(path)
        d.InstanceNumber = int(number) + 1
        d.save_as(tmp_path / f"x{number:03d}")
        path.unlink()
    scan = read_ct(tmp_path)
    assert agreement(scan.volume) > 0.9999
    assert scan.source is not None and len(scan.source.paths) == 32
    assert np.diff(scan.source.positions_mm) == pytest.approx(5.0)


def test_numbers_may_run_down(tmp_path: Path) -> None:
    edit(series(tmp_path), lambda d, n: setattr(d, "InstanceNumber", 32 - n))
    assert agreement(read_ct(tmp_path).volume) > 0.9999


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rotations(), st.floats(-25, 25))
def test_any_orientation_and_tilt_reads_back_to_the_same_places(
    tmp_path: Path, turn: np.ndarray, tilt_deg: float
) -> None:
    upright = grid(pixels=32, pixel_mm=6.4, tilt_deg=tilt_deg)
    affine = upright.affine.copy()
    affine[:3] = turn @ affine[:3]
    shutil.rmtree(tmp_path / "ct", ignore_errors=True)
    write_ct_series(phantom(Geometry(upright.shape, affine)), tmp_path / "ct", seed=1, slice_thickness_mm=5)
    assert agreement(read_ct(tmp_path / "ct").volume) > 0.9999


@pytest.mark.parametrize("noise", [1e-7, 4e-4])
def test_noise_and_negative_zero_in_the_orientation_do_not_part_a_series(tmp_path: Path, noise: float) -> None:
    rng = np.random.default_rng(1)

    def change(d: pydicom.Dataset, n: int) -> None:
        exact = [1, -0.0, 0.0005, -0.0, 1, 0] if noise < 1e-5 else [1, 0, 0, 0, 1, 0]
        d.ImageOrientationPatient = [f"{v + rng.uniform(-noise, noise):.9f}" for v in exact]

    scan = read_ct(edit(series(tmp_path), change))
    assert len(scan.series) == 1 and agreement(scan.volume) > 0.999


def test_pixels_need_not_be_square(tmp_path: Path) -> None:
    geometry = grid()
    affine = geometry.affine.copy()
    affine[:3, 0] *= 0.8
    affine[:3, 3] += geometry.affine[:3, 0] * 0.2 * 31.5
    scan = read_ct(series(tmp_path, Geometry(geometry.shape, affine)))
    assert agreement(scan.volume) > 0.9999
    assert sorted(round(s, 2) for s in scan.volume.geometry.spacing_mm) == [2.56, 3.2, 5.0]


@pytest.mark.parametrize("tilt_deg", [0, 18])
def test_mixed_spacing_is_put_on_true_positions(tmp_path: Path, tilt_deg: float) -> None:
    series(tmp_path, grid(slice_mm=2.5, count=64, tilt_deg=tilt_deg))
    for path in files(tmp_path)[33:][::2]:
        path.unlink()
    edit(tmp_path, lambda d, n: setattr(d, "SliceThickness", "5" if n > 32 else "2.5"))
    scan = read_ct(tmp_path)
    assert "VARIABLE_SPACING" in codes(scan)
    assert agreement(scan.volume) > 0.998
    assert scan.volume.slab_widths_mm is not None and sum(scan.volume.slab_widths_mm) == pytest.approx(160, abs=3)
    inside = phantom(scan.volume.geometry).hu > -500
    assert (scan.volume.hu > -500).sum() == pytest.approx(inside.sum(), rel=0.01)
    assert np.array_equal(scan.volume.hu, np.rint(scan.volume.hu))


def test_overlapping_blocks_are_put_on_true_positions(tmp_path: Path) -> None:
    series(tmp_path / "low", grid(slice_mm=4, count=40), seed=1)
    upper = series(tmp_path / "up", grid(slice_mm=4, count=40), seed=2)
    for path in [*files(tmp_path / "low")[22:], *files(upper)[:18]]:
        path.unlink()
    first = pydicom.dcmread(files(tmp_path / "low")[0])
    geometry = grid(slice_mm=4, count=40)

    def shift(d: pydicom.Dataset, n: int) -> None:
        x, y, z = (float(v) for v in d.ImagePositionPatient)
        d.ImagePositionPatient = [x, y, z + 1.5]
        moved = Geometry(geometry.shape, geometry.affine + np.array([[0] * 4, [0] * 4, [0, 0, 0, 1.5], [0] * 4]))
        d.PixelData = (phantom(moved).hu[:, :, 18 + n].T + 1024).astype("<i2").tobytes()
        d.StudyInstanceUID, d.SeriesInstanceUID = first.StudyInstanceUID, first.SeriesInstanceUID
        d.FrameOfReferenceUID = first.FrameOfReferenceUID

    edit(upper, shift)
    scan = read_ct(tmp_path)
    assert "VARIABLE_SPACING" in codes(scan) and agreement(scan.volume) > 0.998


def test_one_missing_slice_is_refused_or_filled_when_asked_three_are_refused(tmp_path: Path) -> None:
    series(tmp_path)
    files(tmp_path)[12].unlink()
    assert refused(tmp_path) == "MISSING_SLICES"
    scan = read_ct(tmp_path, mode="lenient")
    assert codes(scan) == {"SLICES_INTERPOLATED"} and agreement(scan.volume) > 0.998
    assert "13 of 32" in scan.warnings[0].message and scan.volume.geometry.shape[2] == 32
    for path in files(tmp_path)[20:22]:
        path.unlink()
    assert refused(tmp_path, mode="lenient") == "MISSING_SLICES"


def test_a_missing_slice_of_an_overlapping_series_is_noticed(tmp_path: Path) -> None:
    series(tmp_path, grid(slice_mm=2.5, count=64))  # 5 mm thick, 2.5 mm apart
    files(tmp_path)[30].unlink()
    assert refused(tmp_path) == "MISSING_SLICES"


@pytest.mark.parametrize("lost", [slice(0, 2), slice(30, None)])
def test_slices_lost_at_an_end_are_noticed_where_the_header_counts_them(tmp_path: Path, lost: slice) -> None:
    series(tmp_path, ImagesInAcquisition=32)
    assert codes(read_ct(tmp_path)) == set()
    for path in files(tmp_path)[lost]:
        path.unlink()
    assert refused(tmp_path) == "MISSING_SLICES"
    assert codes(read_ct(tmp_path, mode="lenient")) == {"MISSING_SLICES"}


def test_a_count_that_covers_other_series_too_says_nothing(tmp_path: Path) -> None:
    assert codes(read_ct(series(tmp_path, ImagesInAcquisition=64))) == set()


def test_doubled_images_are_dropped_other_images_at_one_place_are_refused(tmp_path: Path) -> None:
    series(tmp_path)
    for n, path in enumerate(files(tmp_path)):
        d = pydicom.dcmread(path)
        shutil.copy(path, tmp_path / f"copy{n}")
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"{d.SOPInstanceUID[:40]}.9{n}"
        d.save_as(tmp_path / f"again{n}.dcm")
    scan = read_ct(tmp_path)
    assert agreement(scan.volume) > 0.9999 and codes(scan) == {"DUPLICATE_POSITION"}
    d = pydicom.dcmread(tmp_path / "again5.dcm")
    d.PixelData = (d.pixel_array + 7).astype("<i2").tobytes()
    d.save_as(tmp_path / "again5.dcm")
    assert refused(tmp_path) == "DUPLICATE_POSITION"


def test_slices_that_stray_from_a_line_are_refused(tmp_path: Path) -> None:
    def change(d: pydicom.Dataset, n: int) -> None:
        x, y, z = (float(v) for v in d.ImagePositionPatient)
        d.ImagePositionPatient = [x + (3 if n == 7 else 0), y, z]

    assert refused(edit(series(tmp_path), change)) == "NON_LINEAR_POSITIONS"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"ImagePositionPatient": [0, 0, 0]}, "DUPLICATE_POSITION"),
        ({"ImagePositionPatient": None}, "MISSING_POSITION"),
        ({"PixelSpacing": [0, 0]}, "NON_FINITE_GEOMETRY"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 1, 0]}, "NON_ORTHOGONAL_IOP"),
    ],
)
def test_what_has_no_geometry_is_refused(tmp_path: Path, header: dict[str, object], code: str) -> None:
    assert refused(series(tmp_path, **header)) == code


def test_a_header_tilt_that_positions_deny_is_told(tmp_path: Path) -> None:
    scan = read_ct(edit(series(tmp_path), lambda d, n: setattr(d, "GantryDetectorTilt", "12")))
    assert codes(scan) == {"TILT_MISMATCH"}


@pytest.mark.parametrize("tilt_deg", [0, 18])
def test_multi_frame_takes_position_and_rescale_of_each_frame(tmp_path: Path, tilt_deg: float) -> None:
    scan = read_ct(multi_frame(tmp_path / "enhanced.dcm", grid(tilt_deg=tilt_deg)))
    assert agreement(scan.volume) > 0.9999
    assert scan.source is not None and sorted(scan.source.frame_numbers) == list(range(1, 33))
