"""Voxels lie where they were scanned, whatever the order, orientation, tilt and gaps of the
slices.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume
from monai_ich.dicom.series import SourceSeries
from monai_ich.dicom.write import write_ct_series
from monai_ich.io.read import read_ct
from tests.dicom.refusal import codes, refused
from tests.dicom_writers import drop, mixed_spacing
from tests.phantom import agreement, edit, files, grid, multi_frame, phantom, series
from tests.strategies import rotations


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_phantom_notices_a_flip_and_a_shift_by_one_voxel(axis: int) -> None:
    volume = phantom(grid())
    assert agreement(volume) == pytest.approx(1)
    assert agreement(CTVolume(np.flip(volume.hu, axis), volume.geometry)) < 0.8
    assert agreement(CTVolume(np.roll(volume.hu, 1, axis), volume.geometry)) < 0.99


@pytest.mark.slow
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rotations(), st.floats(-25, 25))
def test_any_orientation_and_tilt_reads_back_to_the_same_places(
    tmp_path: Path, turn: np.ndarray, tilt_deg: float
) -> None:
    upright = grid(pixels=32, pixel_mm=6.4, tilt_deg=tilt_deg)
    affine = upright.affine.copy()
    affine[:3] = turn @ affine[:3]
    shutil.rmtree(tmp_path / "ct", ignore_errors=True)
    write_ct_series(
        phantom(Geometry(upright.shape, affine)), tmp_path / "ct", seed=1, slice_thickness_mm=5
    )
    assert agreement(read_ct(tmp_path / "ct").volume) > 0.9999


def test_a_missing_slice_of_an_overlapping_series_is_noticed(tmp_path: Path) -> None:
    series(tmp_path, grid(slice_mm=2.5, count=64))  # 5 mm thick, 2.5 mm apart
    files(tmp_path)[30].unlink()
    assert refused(tmp_path) == "MISSING_SLICES"


@pytest.mark.parametrize("lost", [slice(0, 2), slice(30, None)])
def test_slices_lost_at_an_end_are_noticed_where_the_header_counts_them(
    tmp_path: Path, lost: slice
) -> None:
    series(tmp_path, ImagesInAcquisition=32)
    assert codes(read_ct(tmp_path)) == set()
    for path in files(tmp_path)[lost]:
        path.unlink()
    assert refused(tmp_path) == "MISSING_SLICES"
    assert codes(read_ct(tmp_path, mode="lenient")) == {"MISSING_SLICES"}


def test_a_count_that_covers_other_series_too_says_nothing(tmp_path: Path) -> None:
    assert codes(read_ct(series(tmp_path, ImagesInAcquisition=64))) == set()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"ImagePositionPatient": [0, 0, 0]}, "DUPLICATE_POSITION"),
        ({"ImagePositionPatient": None}, "MISSING_POSITION"),
        ({"PixelSpacing": [0, 0]}, "NON_FINITE_GEOMETRY"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 1, 0]}, "NON_ORTHOGONAL_IOP"),
    ],
)
def test_what_has_no_geometry_is_refused(
    tmp_path: Path, header: dict[str, object], code: str
) -> None:
    assert refused(series(tmp_path, **header)) == code


def test_the_rounding_edge_of_an_orientation_does_not_part_a_series(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)

    def change(d: pydicom.Dataset, n: int) -> None:
        d.ImageOrientationPatient = [
            f"{v + rng.uniform(-4e-4, 4e-4):.9f}" for v in (1, 0, 0, 0, 1, 0)
        ]

    scan = read_ct(edit(series(tmp_path), change))
    assert len(scan.series) == 1 and agreement(scan.volume) > 0.999


def test_uneven_slices_keep_their_true_widths_and_whole_hu(tmp_path: Path) -> None:
    mixed_spacing(tmp_path)
    volume = read_ct(tmp_path).volume
    assert volume.slab_widths_mm == (2.5,) * 32 + (3.75,) + (5.0,) * 15
    assert np.array_equal(volume.hu, np.rint(volume.hu))


def test_a_filled_slice_is_named(tmp_path: Path) -> None:
    drop(series(tmp_path), 12)
    scan = read_ct(tmp_path, mode="lenient")
    assert "13 of 32" in scan.warnings[0].message and scan.volume.geometry.shape[2] == 32


def test_a_source_series_needs_a_file_for_each_slice_and_increasing_positions() -> None:
    for paths, positions in (((), (0.0, 5.0)), ((Path("a"), Path("b")), (5.0, 0.0))):
        with pytest.raises(IchError, match="BAD_SOURCE"):
            SourceSeries("1", "2", "3", ("4", "5"), paths, positions)


def test_multi_frame_slices_know_their_frames(tmp_path: Path) -> None:
    scan = read_ct(multi_frame(tmp_path / "enhanced.dcm"))
    assert scan.source is not None and sorted(scan.source.frame_numbers) == list(range(1, 33))
