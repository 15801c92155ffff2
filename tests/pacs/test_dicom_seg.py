"""A DICOM SEG lies on its source slices: all orientations, oblique, tilted, uneven, multi-frame;
and is read back.
"""

from __future__ import annotations

import warnings
from itertools import product
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

from monai_ich.core.errors import GeometryError, SeriesError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Cavity, Subtype, label_of
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import read_ct
from monai_ich.pacs.seg import make_dicom_seg
from tests import dicom_writers as write
from tests.phantom import edit, grid, series
from tests.seg_contract import (
    PROVENANCE,
    origin_of,
    require_truth,
    seg_by_source,
    true_labels,
    write_seg,
)

AXES = [sign * np.eye(3)[axis] for axis in range(3) for sign in (1, -1)]
ORIENTATIONS = [(row, column) for row, column in product(AXES, AXES) if not row @ column]
HOW = {
    "ascending": (series, 0.0),
    "descending": (write.descending, 0.0),
    "tilt +18": (lambda folder: series(folder, grid(tilt_deg=18)), 0.0),
    "tilt -25": (lambda folder: series(folder, grid(tilt_deg=-25)), 0.0),
    "oblique": (lambda folder: write.rotated(folder, (20, 10, 30)), 0.0),
    "decubitus": (lambda folder: write.rotated(folder, (0, 0, 90), PatientPosition="HFDR"), 0.0),
    "prone": (lambda folder: write.flipped(folder, (0, 1), "HFP"), 0.0),
    "feet first": (lambda folder: write.flipped(folder, (0,), "FFS"), 0.0),
    "pixels not square": (write.anisotropic, 0.0),
    "2.5 + 5 mm": (write.mixed_spacing, 0.13),
    "2.5 + 5 mm, tilt +18": (lambda folder: write.mixed_spacing(folder, 18), 0.13),
    "2.5 + 5 + 7 mm": (write.three_spacings, 0.51),
    "overlapping blocks": (write.overlapping_blocks, 0.51),
    "enhanced": (lambda folder: write.enhanced(folder, 0), 0.0),
    "enhanced, tilt +18": (lambda folder: write.enhanced(folder, 18), 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
def test_every_label_is_where_it_truly_is(tmp_path: Path, how: str) -> None:
    writer, blur_mm = HOW[how]
    writer(tmp_path / "ct")
    scan = read_ct(tmp_path / "ct")
    seg = write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    require_truth(seg, tmp_path / "ct", blur_mm=blur_mm)


@pytest.mark.slow
@pytest.mark.parametrize(
    "axes", ORIENTATIONS, ids=lambda axes: "/".join("".join(f"{v:+.0f}" for v in a) for a in axes)
)
def test_every_orientation_of_an_image(tmp_path: Path, axes: tuple[np.ndarray, np.ndarray]) -> None:
    row, column = axes
    normal = np.cross(row, column)

    def turn(d: pydicom.Dataset, n: int) -> None:
        d.ImageOrientationPatient = [*row, *column]
        d.ImagePositionPatient = (-60 * row - 60 * column + (4.5 * n - 63) * normal).tolist()
        d.PixelSpacing = [4.5, 3.75]

    edit(series(tmp_path / "ct", grid(pixels=32, pixel_mm=6.4)), turn)
    scan = read_ct(tmp_path / "ct")
    seg = write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    require_truth(seg, tmp_path / "ct")


@pytest.mark.slow
def test_flipping_the_patient_flips_the_masks_and_nothing_else(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    labels = true_labels(scan.volume.geometry)
    mirrored = LabelMap(
        np.ascontiguousarray(labels.voxels[::-1]), labels.geometry, Subtype
    )  # the grid is symmetric
    right, left = (
        seg_by_source(write_seg(tmp_path / "s.dcm", scan, m), tmp_path / "ct")
        for m in (labels, mirrored)
    )
    assert right.keys() == left.keys()
    for key, masks in right.items():
        assert masks.keys() == left[key].keys()
        for number, mask in masks.items():
            assert np.array_equal(mask[:, ::-1], left[key][number])
            assert not np.array_equal(mask, left[key][number])


@pytest.mark.slow
def test_a_label_map_encoding_holds_the_same(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct", grid(tilt_deg=18)))
    seg = write_seg(
        tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry), encoding="LABELMAP"
    )
    assert seg.SegmentationType == "LABELMAP"
    require_truth(seg, tmp_path / "ct")


@pytest.mark.slow
def test_segments_say_what_they_are_and_who_made_them(tmp_path: Path) -> None:
    scan = read_ct(
        series(tmp_path / "ct", PatientName="DOE^JANE", PatientID="4711", StudyDate="20200102")
    )
    write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    seg = hd.seg.segread(tmp_path / "seg.dcm")
    source = pydicom.dcmread(next((tmp_path / "ct").iterdir()))
    for name in (
        "PatientName",
        "PatientID",
        "StudyInstanceUID",
        "StudyDate",
        "FrameOfReferenceUID",
    ):
        assert seg[name].value == source[name].value
    assert seg.SeriesNumber == 901 and seg.SeriesDescription.startswith("AI ")
    assert seg.ContentDate == "20200102"
    assert [s.SegmentLabel for s in seg.SegmentSequence] == [label_of(s).name for s in Subtype]
    for subtype in Subtype:
        said, label = seg.get_segment_description(int(subtype)), label_of(subtype)
        assert said.segmented_property_type.value == "50960005" and said.tracking_id == subtype.name
        assert said.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == "1.2.3"
        assert (
            PROVENANCE.weights["ich_segmentation"]
            in said.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters
        )
        shown = hd.color.CIELabColor.from_dicom_value(said.RecommendedDisplayCIELabValue).to_rgb()
        assert np.abs(np.array(shown) - label.color).max() <= 2


def test_cavity_and_anatomy_may_overlap(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    voxels = true_labels(scan.volume.geometry).voxels
    anatomy = LabelMap(voxels, scan.volume.geometry, Anatomy)
    cavity = LabelMap((voxels > 0).astype(np.uint8), scan.volume.geometry, Cavity)
    origin = origin_of(scan)
    origin.write(
        tmp_path / "a.dcm",
        make_dicom_seg([anatomy, cavity], origin, what="anatomy", series_number=902),
    )
    for masks in seg_by_source(pydicom.dcmread(tmp_path / "a.dcm"), tmp_path / "ct").values():
        assert np.array_equal(
            masks[6], np.bitwise_or.reduce([m for n, m in masks.items() if n < 6])
        )


def test_without_hemorrhage_all_segments_are_there_and_empty(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    geometry = scan.volume.geometry
    seg = write_seg(
        tmp_path / "seg.dcm", scan, LabelMap(np.zeros(geometry.shape, np.uint8), geometry, Subtype)
    )
    assert len(seg.SegmentSequence) == 5 and seg.NumberOfFrames == 5 and not seg.pixel_array.any()


@pytest.mark.slow
def test_same_input_same_bytes_other_masks_other_uids(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    labels = true_labels(scan.volume.geometry)
    first, again = (write_seg(tmp_path / f"{name}.dcm", scan, labels) for name in "ab")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    voxels = labels.voxels.copy()
    voxels[0, 0, 0] = 1
    other = write_seg(tmp_path / "c.dcm", scan, LabelMap(voxels, labels.geometry, Subtype))
    assert first.SOPInstanceUID == again.SOPInstanceUID != other.SOPInstanceUID
    assert (
        first.SeriesInstanceUID != other.SeriesInstanceUID
        and first.StudyInstanceUID == other.StudyInstanceUID
    )


def test_labels_of_another_grid_are_refused(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    shape = (64, 64, 40)
    labels = LabelMap(
        np.zeros(shape, np.uint8), Geometry(shape, scan.volume.geometry.affine), Subtype
    )
    with pytest.raises(GeometryError, match="GRID_MISMATCH"):
        write_seg(tmp_path / "seg.dcm", scan, labels)


def test_a_source_without_frame_of_reference_is_refused(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct", FrameOfReferenceUID=""))
    with pytest.raises(SeriesError, match=r"BAD_SOURCE.*FrameOfReferenceUID"):
        origin_of(scan)


def test_a_header_that_dicom_forbids_is_carried_and_not_said(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct", PatientSex="UNKNOWN", PatientBirthDate="around 1950"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        origin = origin_of(scan)
        made = make_dicom_seg(
            [true_labels(scan.volume.geometry)], origin, what="hemorrhage", series_number=901
        )
        origin.write(tmp_path / "seg.dcm", made)
    assert not [w for w in said if "1950" in str(w.message)]
    assert pydicom.dcmread(tmp_path / "seg.dcm").PatientSex == "UNKNOWN"


@pytest.mark.slow
def test_real_tilted_uneven_head(shared_data: Path, tmp_path: Path) -> None:
    scan = read_ct(shared_data / "ge_head_tilted")
    geometry = scan.volume.geometry
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[200:260, 220:300] = Subtype.IPH  # on every slice
    seg = write_seg(tmp_path / "seg.dcm", scan, LabelMap(voxels, geometry, Subtype))
    masks = seg_by_source(seg, shared_data / "ge_head_tilted")
    assert len(masks) == seg.NumberOfFrames == 28
    for by_segment in masks.values():
        assert np.array_equal(by_segment[2], voxels[:, :, 0].T == Subtype.IPH)
