"""Written series are real CT series: every voxel back in its place, viewers' orientation, same seed
same bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.dicom.write import write_ct_series
from monai_ich.io.read import read_ct
from tests.phantom import agreement, density, files, grid, phantom

# Type 1 and type 2 attributes of the CT Image IOD (DICOM PS3.3 A.3)
FILLED = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID Modality "
    "ImageType "
    "PixelSpacing ImageOrientationPatient ImagePositionPatient SliceThickness SamplesPerPixel Rows "
    "Columns BitsStored PhotometricInterpretation BitsAllocated HighBit PixelRepresentation "
    "PixelData StudyDescription "
    "RescaleIntercept RescaleSlope KVP AcquisitionNumber InstanceNumber PatientPosition "
    "RescaleType "
    "WindowCenter WindowWidth "
)
MAY_BE_EMPTY = (
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName "
    "StudyID "
    "AccessionNumber SeriesNumber Manufacturer PositionReferenceIndicator "
)


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
def test_any_axis_direction_is_written_in_display_order(
    tmp_path: Path, flips: tuple[int, int, int]
) -> None:
    geometry = grid(tilt_deg=15)
    affine = geometry.affine @ np.diag([*flips, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(geometry.shape) - 1) / 2)
    write_ct_series(
        phantom(Geometry(geometry.shape, affine)), tmp_path, seed=3, slice_thickness_mm=5
    )
    d = pydicom.dcmread(files(tmp_path)[0])
    assert d.ImageOrientationPatient[0] == pytest.approx(1) and d.ImageOrientationPatient[4] > 0.9
    assert abs(float(d.GantryDetectorTilt)) == pytest.approx(15, abs=1e-3)
    assert agreement(read_ct(tmp_path).volume) > 0.9999


@pytest.mark.parametrize("tilt_deg", [0, 18])
def test_each_pixel_lies_where_its_own_header_says(tmp_path: Path, tilt_deg: float) -> None:
    write_ct_series(phantom(grid(tilt_deg=tilt_deg)), tmp_path, seed=1, slice_thickness_mm=5)
    for path in files(
        tmp_path
    ):  # by DICOM PS3.3 C.7.6.2.1.1 alone: nothing of ours takes part but the phantom
        d = pydicom.dcmread(path)
        r, c = np.mgrid[: d.Rows, : d.Columns][..., None]
        iop, ipp = (
            np.array(d.ImageOrientationPatient, float),
            np.array(d.ImagePositionPatient, float),
        )
        lps = ipp + c * d.PixelSpacing[1] * iop[:3] + r * d.PixelSpacing[0] * iop[3:]
        assert np.abs(d.pixel_array - 1024 - density(lps * [-1, -1, 1])).max() < 0.51


def test_same_seed_same_files_other_seed_other_patient(tmp_path: Path) -> None:
    volume = phantom(grid(pixels=16, pixel_mm=12))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_ct_series(volume, tmp_path / name, seed=seed, slice_thickness_mm=5)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert [p.read_bytes() for p in a] == [p.read_bytes() for p in b]
    one, other = pydicom.dcmread(a[0]), pydicom.dcmread(c[0])
    assert one.StudyInstanceUID != other.StudyInstanceUID and one.PatientID == "SYNTH-1"
    assert one.PatientName == "SYNTHETIC^HEAD"
    assert len({pydicom.dcmread(p).SOPInstanceUID for p in a}) == len(a)


def test_padding_is_announced_and_read_as_air(tmp_path: Path) -> None:
    volume = phantom(grid())
    volume.hu[:5] = -1024
    write_ct_series(volume, tmp_path, seed=1, slice_thickness_mm=5, padding=-1500)
    d = pydicom.dcmread(files(tmp_path)[0])
    assert d.PixelPaddingValue == -1500 and d.pixel_array.min() == -1500
    hu = read_ct(tmp_path).volume.hu
    assert hu.min() == -1024 and np.array_equal(np.sort(hu.ravel()), np.sort(volume.hu.ravel()))


def test_required_attributes_of_a_ct_image_are_there(tmp_path: Path) -> None:
    write_ct_series(phantom(grid(pixels=16, pixel_mm=12)), tmp_path, seed=1, slice_thickness_mm=5)
    d = pydicom.dcmread(files(tmp_path)[0])
    assert [name for name in FILLED.split() if d.get(name) in (None, "")] == []
    assert [name for name in MAY_BE_EMPTY.split() if name not in d] == []
