"""A heat map lies on its source images as a Parametric Map, whatever their order and tilt."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Subtype
from monai_ich.io.read import Scan, read_ct
from monai_ich.pacs.heat_map import make_dicom_heat_map
from tests import dicom_writers as write
from tests.phantom import grid, series
from tests.seg_contract import origin_of

HOW = {
    "descending": write.descending,
    "tilt +18": lambda folder: series(folder, grid(tilt_deg=18), PatientID="ZQ4711"),
    "enhanced": lambda folder: write.enhanced(folder, 0),
}


def _heat(scan: Scan) -> HeatMap:
    """A ramp that no flip, turn or order of slices leaves as it is."""
    i, j, k = np.indices(scan.volume.geometry.shape)
    return HeatMap(Subtype.SDH, (i + 2 * j + 3 * k).astype(np.uint8), scan.volume.geometry)


def _planes(made: pydicom.Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Position and pixels of each frame."""
    groups = made.PerFrameFunctionalGroupsSequence
    shared = made.SharedFunctionalGroupsSequence[0]
    found = []
    for group, pixels in zip(groups, made.pixel_array, strict=True):
        position = group.get("PlanePositionSequence") or shared.PlanePositionSequence
        found.append((np.array(position[0].ImagePositionPatient, float), pixels))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
def test_every_value_is_where_it_truly_is(how: str, tmp_path: Path) -> None:
    HOW[how](tmp_path / "ct")
    scan = read_ct(tmp_path / "ct")
    heat, origin = _heat(scan), origin_of(scan)
    made = make_dicom_heat_map(heat, origin, series_number=915)
    origin.write(tmp_path / "heat.dcm", made)
    read = pydicom.dcmread(tmp_path / "heat.dcm")
    planes = _planes(read)
    assert len(planes) == heat.voxels.shape[2]
    for position, pixels in planes:
        ras = position * [-1, -1, 1]
        i, j, k = np.rint(heat.geometry.to_voxel(ras)).astype(int)
        slice_ = heat.voxels[:, :, k].T
        assert (i, j) == (0, 0) and np.array_equal(pixels, slice_)
    mapping = read.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.RealWorldValueSlope * 255 == pytest.approx(1.0)
    assert mapping.RealWorldValueIntercept == 0.0
    seen = hd.imread(tmp_path / "heat.dcm").get_frame(
        len(planes) // 2, apply_real_world_transform=False, apply_voi_transform=True
    )
    stored = read.pixel_array[len(planes) // 2 - 1]
    assert np.corrcoef(seen.ravel(), stored.ravel())[0, 1] > 0.999, "bright is what is high"
    assert read.ContentLabel == "HEAT_MAP_SDH" and "research" in read.SeriesDescription
    again = make_dicom_heat_map(heat, origin, series_number=915)
    origin.write(tmp_path / "again.dcm", again)
    assert (tmp_path / "again.dcm").read_bytes() == (tmp_path / "heat.dcm").read_bytes()


def test_slices_lie_as_far_apart_as_they_do_whatever_the_source_says(tmp_path: Path) -> None:
    series(tmp_path / "ct", grid(slice_mm=5.0), SpacingBetweenSlices=0.5)
    scan = read_ct(tmp_path / "ct")
    made = make_dicom_heat_map(_heat(scan), origin_of(scan), series_number=915)
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SpacingBetweenSlices) == pytest.approx(5.0)
