"""A DICOM SEG is read as labels on the slices that it was drawn on, whoever wrote it; what is not
known is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.coding import Code

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Cavity, Subtype
from monai_ich.core.regrid import even_positions
from monai_ich.core.relabel import fill_slices
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import Scan, interpolation_warnings, read_ct, read_labels
from monai_ich.pacs.seg import make_dicom_seg
from tests import dicom_writers as write
from tests.pacs.test_dicom_seg import HOW, ORIENTATIONS
from tests.phantom import edit, grid, series
from tests.seg_contract import origin_of, true_labels, write_seg

EVEN = [how for how, (_, blur_mm) in HOW.items() if not blur_mm]
UNEVEN = [how for how in HOW if how not in EVEN]
HEMORRHAGE, BRAIN = Code("50960005", "SCT", "Hemorrhage"), Code("12738006", "SCT", "Brain")


def _on(scan: Scan) -> dict[str, object]:
    return {"grid": scan.volume.geometry, "source": scan.source}


def _refused(path: Path, labels: type = Subtype, **how: object) -> str:
    with pytest.raises(IchError) as error:
        read_labels(path, labels, **how)  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("how", EVEN)
def test_what_was_written_comes_back_voxel_by_voxel(
    tmp_path: Path, how: str, encoding: str
) -> None:
    HOW[how][0](tmp_path / "ct")
    scan = read_ct(tmp_path / "ct")
    truth = true_labels(scan.volume.geometry)
    write_seg(tmp_path / "seg.dcm", scan, truth, encoding=encoding)
    for on in (_on(scan), {"grid": scan.volume.geometry}):
        got = read_labels(tmp_path / "seg.dcm", Subtype, **on)
        assert got.geometry == scan.volume.geometry and np.array_equal(got.voxels, truth.voxels)
    alone = read_labels(tmp_path / "seg.dcm", Subtype)
    assert alone.geometry.tilt_deg == pytest.approx(scan.volume.geometry.tilt_deg, abs=0.01)
    for subtype in Subtype:
        places = [x.geometry.to_world(np.argwhere(x.voxels == subtype)) for x in (alone, truth)]
        assert np.allclose(*(p[np.lexsort(np.round(p, 1).T)] for p in places), atol=0.01)
        assert alone.volume_ml(subtype) == pytest.approx(truth.volume_ml(subtype), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "axes", ORIENTATIONS, ids=lambda axes: "/".join("".join(f"{v:+.0f}" for v in a) for a in axes)
)
def test_every_orientation_of_an_image_comes_back(
    tmp_path: Path, axes: tuple[np.ndarray, np.ndarray]
) -> None:
    row, column = axes

    def turn(d: pydicom.Dataset, n: int) -> None:
        d.ImageOrientationPatient = [*row, *column]
        d.ImagePositionPatient = (
            -60 * row - 60 * column + (4.5 * n - 63) * np.cross(row, column)
        ).tolist()
        d.PixelSpacing = [4.5, 3.75]

    edit(series(tmp_path / "ct", grid(pixels=32, pixel_mm=6.4)), turn)
    scan = read_ct(tmp_path / "ct")
    truth = true_labels(scan.volume.geometry)
    write_seg(tmp_path / "seg.dcm", scan, truth)
    assert np.array_equal(
        read_labels(tmp_path / "seg.dcm", Subtype, **_on(scan)).voxels, truth.voxels
    )
    alone = read_labels(tmp_path / "seg.dcm", Subtype)
    for subtype in Subtype:
        middles = [
            x.geometry.to_world(np.argwhere(x.voxels == subtype).mean(axis=0))
            for x in (alone, truth)
        ]
        assert np.allclose(*middles, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("how", UNEVEN)
def test_on_uneven_slices_only_what_lay_between_them_is_lost(tmp_path: Path, how: str) -> None:
    HOW[how][0](tmp_path / "ct")
    scan = read_ct(tmp_path / "ct")
    truth = true_labels(scan.volume.geometry)
    write_seg(tmp_path / "seg.dcm", scan, truth)
    got = read_labels(tmp_path / "seg.dcm", Subtype, **_on(scan))
    assert scan.source is not None
    along = np.array(scan.source.positions_mm)
    held = np.unique(np.abs(even_positions(along)[:, None] - along).argmin(axis=0))
    between = np.setdiff1d(np.arange(got.geometry.shape[2]), held)
    assert len(between) and np.array_equal(got.voxels[:, :, held], truth.voxels[:, :, held])
    for subtype in Subtype:
        assert got.volume_ml(subtype) == pytest.approx(truth.volume_ml(subtype), rel=0.03)
    assert [w.code for w in interpolation_warnings(scan, tmp_path / "seg.dcm", None)] == [
        "MASK_INTERPOLATED"
    ]
    assert interpolation_warnings(scan, tmp_path / "ich.nii.gz", None) == ()
    for on in (
        {},
        {"grid": scan.volume.geometry},
    ):  # without the source nobody knows which slices there were
        assert "UNKNOWN_SPACING" in _refused(tmp_path / "seg.dcm", **on)


def test_a_label_between_two_slices_keeps_the_mean_of_their_areas() -> None:
    voxels = np.zeros((30, 30, 5), np.uint8)
    voxels[5:25, 5:25, 0], voxels[10:20, 10:20, 4] = Subtype.IPH, Subtype.IPH
    voxels[0:4, 0:4, 0] = Subtype.SDH  # ends there
    got = fill_slices(voxels, np.array([0.0, 4.0]))
    assert [int((got[:, :, k] == Subtype.IPH).sum()) for k in range(5)] == [400, 325, 250, 175, 100]
    assert [int((got[:, :, k] == Subtype.SDH).sum()) for k in range(5)] == [16, 12, 8, 4, 0]
    assert (got[12:18, 12:18] == Subtype.IPH).all()


@pytest.mark.slow
def test_flipping_the_patient_flips_what_is_read(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    labels = true_labels(scan.volume.geometry)
    mirrored = LabelMap(np.ascontiguousarray(labels.voxels[::-1]), labels.geometry, Subtype)
    for name, written in (("a", labels), ("b", mirrored)):
        write_seg(tmp_path / f"{name}.dcm", scan, written)
    one, other = (
        read_labels(tmp_path / f"{name}.dcm", Subtype, **_on(scan)).voxels for name in "ab"
    )
    assert np.array_equal(one, other[::-1]) and not np.array_equal(one, other)


def test_anatomy_is_read_from_beside_the_cavity(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    geometry, origin = scan.volume.geometry, origin_of(scan)
    anatomy = LabelMap(true_labels(geometry).voxels, geometry, Anatomy)
    cavity = LabelMap((anatomy.voxels > 0).astype(np.uint8), geometry, Cavity)
    made = make_dicom_seg([anatomy, cavity], origin, what="anatomy", series_number=902)
    origin.write(tmp_path / "a.dcm", made)
    assert np.array_equal(
        read_labels(tmp_path / "a.dcm", Anatomy, **_on(scan)).voxels, anatomy.voxels
    )
    assert "UNKNOWN_LABEL" in _refused(tmp_path / "a.dcm", Subtype)  # no blood there is no answer


def test_no_blood_is_read_as_none(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    geometry = scan.volume.geometry
    write_seg(
        tmp_path / "seg.dcm", scan, LabelMap(np.zeros(geometry.shape, np.uint8), geometry, Subtype)
    )
    assert not read_labels(tmp_path / "seg.dcm", Subtype, **_on(scan)).voxels.any()
    assert not read_labels(tmp_path / "seg.dcm", Subtype).voxels.any()


def _others(
    path: Path,
    scan: Scan,
    masks: dict[str, np.ndarray],
    kind: Code,
    region: Code | None = None,
    **how,
) -> Path:
    """A SEG of another maker, by highdicom alone: segments called `masks`, all of one type."""
    assert scan.source is not None
    images = [pydicom.dcmread(p) for p in scan.source.paths]
    segments = [
        hd.seg.SegmentDescription(
            segment_number=n,
            segment_label=name,
            segmented_property_category=Code(
                "49755003", "SCT", "Morphologically Abnormal Structure"
            ),
            segmented_property_type=kind,
            algorithm_type="MANUAL",
            anatomic_regions=[region] if region else None,
        )
        for n, name in enumerate(masks, start=1)
    ]
    made = hd.seg.Segmentation(
        images,
        np.stack([mask.transpose(2, 1, 0) for mask in masks.values()], axis=-1),
        **{"segmentation_type": "BINARY"} | how,
        segment_descriptions=segments,
        series_instance_uid="1.2.3.9",
        series_number=7,
        sop_instance_uid="1.2.3.9.1",
        instance_number=1,
        manufacturer="Others",
        manufacturer_model_name="Drawing",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(path)
    return path


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return read_ct(series(tmp_path_factory.mktemp("ct") / "ct", grid(tilt_deg=18)))


KNOWN: dict[str, tuple[str, Code, Code | None, Subtype]] = {
    "our abbreviation": ("sdh", HEMORRHAGE, None, Subtype.SDH),
    "our name": ("Epidural Hematoma", HEMORRHAGE, BRAIN, Subtype.EDH),
    "its type": ("clot", Code("21454007", "SCT", "Subarachnoid hemorrhage"), None, Subtype.SAH),
    "its region": ("clot", HEMORRHAGE, Code("35764002", "SCT", "Brain ventricle"), Subtype.IVH),
    "an old code of its region": (
        "clot",
        HEMORRHAGE,
        Code("T-A1600", "SRT", "Brain ventricle"),
        Subtype.IVH,
    ),
}


@pytest.mark.parametrize("by", KNOWN)
def test_a_segment_of_others_is_known_by(tmp_path: Path, scan: Scan, by: str) -> None:
    name, kind, region, subtype = KNOWN[by]
    mask = true_labels(scan.volume.geometry).voxels == 3
    path = _others(tmp_path / "s.dcm", scan, {name: mask, "nothing": mask & False}, kind, region)
    got = read_labels(path, Subtype, **_on(scan))
    assert np.array_equal(got.voxels, np.where(mask, int(subtype), 0))


UNKNOWN: dict[str, tuple[str, Code, Code | None]] = {
    "blood anywhere in the brain": ("blood", HEMORRHAGE, BRAIN),
    "something else": ("DOE^JANE", Code("79654002", "SCT", "Edema"), BRAIN),
    "name and code at odds": ("SDH", Code("21454007", "SCT", "Subarachnoid hemorrhage"), None),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_a_segment_is_refused_that_is(tmp_path: Path, scan: Scan, what: str) -> None:
    name, kind, region = UNKNOWN[what]
    mask = true_labels(scan.volume.geometry).voxels == 3
    said = _refused(_others(tmp_path / "s.dcm", scan, {name: mask}, kind, region), **_on(scan))
    assert said.startswith("UNKNOWN_LABEL") and kind.value in said and "DOE" not in said


def test_two_segments_of_one_label_are_one_and_of_two_may_not_overlap(
    tmp_path: Path, scan: Scan
) -> None:
    blood = true_labels(scan.volume.geometry).voxels
    halves = {"SDH": blood == 1, "subdural hematoma": blood > 0}
    got = read_labels(_others(tmp_path / "a.dcm", scan, halves, HEMORRHAGE), Subtype, **_on(scan))
    assert np.array_equal(got.voxels > 0, blood > 0) and set(np.unique(got.voxels)) == {0, 5}
    both = {"SDH": blood == 1, "EDH": blood > 0}
    assert "NOT_DICOM_SEG" in _refused(
        _others(tmp_path / "b.dcm", scan, both, HEMORRHAGE), **_on(scan)
    )


def test_probabilities_are_refused(tmp_path: Path, scan: Scan) -> None:
    half = (true_labels(scan.volume.geometry).voxels == 1) * 0.5
    path = _others(
        tmp_path / "p.dcm", scan, {"SDH": half}, HEMORRHAGE, segmentation_type="FRACTIONAL"
    )
    assert "NOT_DICOM_SEG" in _refused(path, **_on(scan))


@pytest.mark.slow
def test_a_header_that_says_a_wrong_spacing_is_not_believed(tmp_path: Path) -> None:
    """2.5 mm at the base, 5 mm above, 2.5 mm in every header: empty slices and such that never were
    look alike.
    """
    write.mixed_spacing(tmp_path / "ct")
    scan = read_ct(tmp_path / "ct")
    assert scan.source is not None
    at = np.rint((np.array(scan.source.positions_mm) - scan.source.positions_mm[0]) / 2.5).astype(
        int
    )
    source_slices = true_labels(scan.volume.geometry).voxels[:, :, at] == 1
    path = _others(tmp_path / "s.dcm", scan, {"SDH": source_slices}, HEMORRHAGE)
    assert (
        pydicom.dcmread(path)
        .SharedFunctionalGroupsSequence[0]
        .PixelMeasuresSequence[0]
        .SpacingBetweenSlices
        == 2.5
    )
    for on in ({}, {"grid": scan.volume.geometry}):
        assert "UNEVEN_FRAMES" in _refused(path, **on)
    assert read_labels(path, Subtype, **_on(scan)).volume_ml(Subtype.SDH) > 0


def test_positions_that_are_rounded_anew_in_each_frame_are_one_place(
    tmp_path: Path, scan: Scan
) -> None:
    truth = true_labels(scan.volume.geometry)
    d = write_seg(tmp_path / "seg.dcm", scan, truth)
    for n, group in enumerate(d.PerFrameFunctionalGroupsSequence):
        place = group.PlanePositionSequence[0]
        place.ImagePositionPatient = [float(v) + 2e-3 * (n % 5) for v in place.ImagePositionPatient]
    d.save_as(tmp_path / "seg.dcm")
    assert np.array_equal(
        read_labels(tmp_path / "seg.dcm", Subtype, **_on(scan)).voxels, truth.voxels
    )
    assert read_labels(tmp_path / "seg.dcm", Subtype).volume_ml(2) == pytest.approx(
        truth.volume_ml(2), rel=1e-3
    )


def test_a_frame_far_away_is_refused_without_its_ct(tmp_path: Path, scan: Scan) -> None:
    d = write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    place = d.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence[0]
    place.ImagePositionPatient = [
        float(v) + n * 1e6 for v, n in zip(place.ImagePositionPatient, (0, 0, 5), strict=True)
    ]
    d.save_as(tmp_path / "seg.dcm")
    assert "UNEVEN_FRAMES" in _refused(tmp_path / "seg.dcm")


def test_on_another_grid_it_stays_on_its_own(tmp_path: Path, scan: Scan) -> None:
    write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    for other in (
        grid(),
        grid(tilt_deg=18, slice_mm=2.5, count=64),
        grid(tilt_deg=18, pixel_mm=3.0),
    ):
        got = read_labels(tmp_path / "seg.dcm", Subtype, grid=other)
        assert got.geometry.tilt_deg == pytest.approx(18, abs=0.01) and not got.geometry.same_grid(
            other
        )


def test_on_a_crop_of_its_grid_it_is_placed_voxel_by_voxel(tmp_path: Path, scan: Scan) -> None:
    write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    crop = grid(tilt_deg=18, pixels=62)
    got = read_labels(tmp_path / "seg.dcm", Subtype, grid=crop)
    assert got.geometry.same_grid(crop) and np.array_equal(got.voxels, true_labels(crop).voxels)


def test_another_frame_of_reference_is_refused(tmp_path: Path, scan: Scan) -> None:
    write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    other = read_ct(series(tmp_path / "other", grid(tilt_deg=18), seed=2))
    assert "GRID_MISMATCH" in _refused(tmp_path / "seg.dcm", **_on(other))


def test_a_folder_needs_one_segmentation(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "study"))
    truth = true_labels(scan.volume.geometry)
    assert "NOT_LABELS" in _refused(tmp_path / "study")
    write_seg(tmp_path / "study" / "seg", scan, truth)  # names do not matter
    assert np.array_equal(
        read_labels(tmp_path / "study", Subtype, **_on(scan)).voxels, truth.voxels
    )
    write_seg(tmp_path / "study" / "again.dcm", scan, truth)
    assert "found 2" in _refused(tmp_path / "study")


DAMAGE: dict[str, Callable[[pydicom.Dataset], object]] = {
    "no pixels": lambda d: d.pop("PixelData"),
    "pixels cut short": lambda d: setattr(d, "PixelData", d.PixelData[: len(d.PixelData) // 2]),
    "no positions": lambda d: d.pop("PerFrameFunctionalGroupsSequence"),
    "a frame less described": lambda d: d.PerFrameFunctionalGroupsSequence.pop(),
    "no orientation": lambda d: d.SharedFunctionalGroupsSequence[0].pop("PlaneOrientationSequence"),
    "a position that is no number": lambda d: setattr(
        d.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0],
        "ImagePositionPatient",
        ["nan", "0", "0"],
    ),
    "pixels of no size": lambda d: setattr(
        d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], "PixelSpacing", [0, 0]
    ),
    "no segments": lambda d: setattr(d, "SegmentSequence", []),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_refused(tmp_path: Path, scan: Scan, how: str) -> None:
    d = write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    DAMAGE[how](d)
    d.save_as(tmp_path / "seg.dcm")
    assert "NOT_DICOM_SEG" in _refused(tmp_path / "seg.dcm", **_on(scan))


def test_a_text_that_is_called_dcm_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_text("no image")
    assert "NOT_LABELS" in _refused(tmp_path / "x.dcm", grid=Geometry((2, 2, 2), np.eye(4)))
