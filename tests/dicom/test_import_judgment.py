"""What a series says of itself is believed only where it does not contradict itself (kinds of
faults met elsewhere).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_ich.io.read import read_ct
from tests import dicom_writers as write
from tests.conftest import ROOT
from tests.dicom.refusal import codes, refused
from tests.phantom import agreement, edit, files, grid, multi_frame, series

CASES = ROOT.parent / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases here")


@pytest.mark.parametrize("offset_mm", [1.0, 2.5])
def test_a_partial_second_pass_is_left_out(tmp_path: Path, offset_mm: float) -> None:
    scan = read_ct(write.second_pass(tmp_path, count=12, offset_mm=offset_mm))
    assert scan.volume.geometry.shape[2] == 32 and agreement(scan.volume) > 0.999


@pytest.mark.parametrize("offset_mm", [1.0, 2.5])
def test_two_whole_passes_are_never_one_volume(tmp_path: Path, offset_mm: float) -> None:
    assert refused(write.second_pass(tmp_path, offset_mm=offset_mm)) == "AMBIGUOUS_SERIES"


def test_acquisitions_that_follow_each_other_are_one_volume(tmp_path: Path) -> None:
    folder = edit(
        series(tmp_path / "s"), lambda d, n: setattr(d, "AcquisitionNumber", str(1 + n // 16))
    )
    assert read_ct(folder).volume.geometry.shape[2] == 32


def test_each_rotation_may_have_a_number_of_its_own(tmp_path: Path) -> None:
    folder = edit(series(tmp_path / "s"), lambda d, n: setattr(d, "AcquisitionNumber", str(n)))
    assert read_ct(folder).volume.geometry.shape[2] == 32


def test_a_comb_of_two_passes_in_one_acquisition_is_seen_in_the_images(tmp_path: Path) -> None:
    assert refused(write.two_passes(tmp_path / "s")) == "INTERLEAVED"


@pytest.mark.parametrize("kept", [2, 3])
def test_slices_lost_at_every_place_are_missed_by_what_headers_say(
    tmp_path: Path, kept: int
) -> None:
    folder = write.evenly_lost(tmp_path / "s", kept=kept)
    assert refused(folder) == "MISSING_SLICES"
    assert "MISSING_SLICES" in codes(read_ct(folder, mode="lenient"))


def test_slices_with_gaps_that_were_planned_are_whole(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", SpacingBetweenSlices="5", SliceThickness="2.5")
    assert "MISSING_SLICES" not in codes(read_ct(folder))


@pytest.mark.parametrize("stated", ["1e-310", "0", "-0.0001"])
def test_a_distance_of_slices_that_is_none_says_nothing(tmp_path: Path, stated: str) -> None:
    folder = series(tmp_path / "s", SpacingBetweenSlices=stated, SliceThickness=stated)
    assert agreement(read_ct(folder).volume) > 0.999


def test_one_uid_for_two_images_is_refused(tmp_path: Path) -> None:
    folder = write.one_uid_twice(tmp_path / "s")
    assert refused(folder) == "DUPLICATE_UID"
    first, second = files(folder)[10:12]
    d, other = pydicom.dcmread(first), pydicom.dcmread(second)
    other.ImagePositionPatient = d.ImagePositionPatient
    other.save_as(second)
    assert refused(folder) in ("DUPLICATE_POSITION", "MISSING_SLICES"), (
        "two images, one place, one UID"
    )


def test_a_true_copy_of_a_file_is_only_told(tmp_path: Path) -> None:
    folder = series(tmp_path / "s")
    (folder / "copy.dcm").write_bytes(files(folder)[10].read_bytes())
    assert codes(read_ct(folder)) == {"DUPLICATE_POSITION"}


@pytest.mark.parametrize("intercept", ["0", "-964"])
def test_a_slice_of_another_level_is_named(tmp_path: Path, intercept: str) -> None:
    folder = edit(
        series(tmp_path / "s"),
        lambda d, n: setattr(d, "RescaleIntercept", intercept if n == 14 else "-1024"),
    )
    with pytest.raises(Exception, match=r"SLICE_LEVEL: Slice 15 of 32"):
        read_ct(folder)


def test_a_blank_slice_is_named(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"SLICE_LEVEL: Slice 21 of 32"):
        read_ct(write.one_slice(tmp_path / "s", write.blank, 20))


def _stored(d: pydicom.Dataset, hu: np.ndarray) -> None:
    d.PixelData = (hu + 1024).astype("<i2").tobytes()


@pytest.mark.parametrize("value", [-1024, 0, 40, 2000])
@pytest.mark.parametrize("numbers", [(20,), (15, 16, 17)])
def test_slices_of_one_value_are_named(
    tmp_path: Path, value: int, numbers: tuple[int, ...]
) -> None:
    def blank(d: pydicom.Dataset, n: int) -> None:
        if n in numbers:
            _stored(d, np.full(d.pixel_array.shape, value))

    first = numbers[0] + 1
    with pytest.raises(
        Exception, match=rf"SLICE_LEVEL: Slice {first} of 32 \(InstanceNumber {first}\)"
    ):
        read_ct(edit(series(tmp_path / "s"), blank))


@pytest.mark.parametrize("end", [0, -1])
def test_a_blank_slice_where_the_head_is_cut_is_named(tmp_path: Path, end: int) -> None:
    folder = series(tmp_path / "s", grid(count=20))  # from 48 mm below the middle to 48 mm above
    d = pydicom.dcmread(files(folder)[end])
    _stored(d, np.full(d.pixel_array.shape, -1000))
    d.save_as(files(folder)[end])
    with pytest.raises(
        Exception, match=rf"SLICE_LEVEL: Slice {1 if end == 0 else 20} of 20 .*blank"
    ):
        read_ct(folder)


def test_slices_of_air_around_the_head_are_no_blank_ones(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "s", grid(count=60)))
    assert (scan.volume.hu[:, :, 0] == -1000).all() and agreement(scan.volume) > 0.999


@pytest.mark.parametrize(("copy", "of"), [(20, 19), (20, 21), (12, 11), (8, 9)])
def test_a_slice_with_the_pixels_of_its_neighbor_is_named(
    tmp_path: Path, copy: int, of: int
) -> None:
    folder = series(tmp_path / "s")
    write.renumber(folder, lambda n: 32 - n)  # a viewer counts from the top
    paths = sorted(folder.glob("*.dcm"), reverse=True)
    d = pydicom.dcmread(paths[copy])
    d.PixelData = pydicom.dcmread(paths[of]).PixelData
    d.save_as(paths[copy])
    slice_text = rf"Slice {copy + 1} of 32 \(InstanceNumber {32 - copy}\)"
    said = rf"SLICE_LEVEL: {slice_text} holds the same pixels as slice {of + 1}:"
    with pytest.raises(Exception, match=said):
        read_ct(folder)


def test_a_copied_frame_of_an_enhanced_object_is_named(tmp_path: Path) -> None:
    d = pydicom.dcmread(multi_frame(tmp_path / "e.dcm"))
    frames, size = (
        np.frombuffer(d.PixelData, "<i2").reshape(32, -1).copy(),
        d.PerFrameFunctionalGroupsSequence,
    )
    low = {
        round(float(item.PlanePositionSequence[0].ImagePositionPatient[2]), 1): n
        for n, item in enumerate(size)
    }
    at = [low[z] for z in sorted(low)]
    values = [size[n].PixelValueTransformationSequence[0] for n in (at[10], at[11])]
    values[1].RescaleSlope, values[1].RescaleIntercept = (
        values[0].RescaleSlope,
        values[0].RescaleIntercept,
    )
    frames[at[11]] = frames[at[10]]
    d.PixelData = frames.tobytes()
    d.save_as(tmp_path / "e.dcm")
    with pytest.raises(Exception, match=rf"SLICE_LEVEL: Slice 12 of 32 \(frame {at[11] + 1}\)"):
        read_ct(tmp_path)


def test_half_a_slice_is_named(tmp_path: Path) -> None:
    def cut(d: pydicom.Dataset, n: int) -> None:
        if n == 17:
            hu = d.pixel_array.astype(int) - 1024
            hu[38:] = -1024
            _stored(d, hu)

    with pytest.raises(Exception, match=r"SLICE_LEVEL: Slice 18 of 32"):
        read_ct(edit(series(tmp_path / "s"), cut))


@pytest.mark.parametrize("spoiled", [0, 1])
def test_on_uneven_slices_it_is_the_users_slice_that_is_named(tmp_path: Path, spoiled: int) -> None:
    write.mixed_spacing(
        tmp_path / "s"
    )  # 33 slices of 2.5 mm, then 5 mm, interpolated to 64 of 2.5 mm

    def blank(d: pydicom.Dataset, n: int) -> None:
        if n == 40 and spoiled:
            _stored(d, np.full(d.pixel_array.shape, -1024))

    folder = edit(tmp_path / "s", blank)
    if not spoiled:
        assert codes(read_ct(folder)) == {"VARIABLE_SPACING"}
        return
    with pytest.raises(Exception, match=r"SLICE_LEVEL: Slice 41 of 48 \(InstanceNumber 49\)"):
        read_ct(folder)


@pytest.mark.parametrize("spacing", [[0.32, 0.32], [32.0, 32.0]])
def test_pixels_in_another_unit_are_refused(tmp_path: Path, spacing: list[float]) -> None:
    assert refused(series(tmp_path / "s", PixelSpacing=spacing)) == "INSUFFICIENT_COVERAGE"


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel", ["YB", "Hr59f", "DETAIL", "LUNG", "HUESO", "OS", "BONEPLUS", "D"]
)
def test_a_sharp_kernel_loses_whatever_its_maker_calls_it(tmp_path: Path, kernel: str) -> None:
    series(
        tmp_path / "a",
        grid(slice_mm=2.5, count=64),
        seed=1,
        ConvolutionKernel=kernel,
        SliceThickness="1",
        **write.STUDY,
    )
    soft = series(tmp_path / "b", seed=2, ConvolutionKernel="UB", **write.STUDY)
    scan = read_ct(tmp_path)
    assert scan.source is not None and {p.parent for p in scan.source.paths} == {soft}


@pytest.mark.parametrize("text", ["CTA HEAD NECK 1.0", "ANGIO SCHAEDEL", "HEAD VENOUS"])
def test_an_enhanced_scan_loses_though_only_its_description_says_so(
    tmp_path: Path, text: str
) -> None:
    series(tmp_path / "a", seed=1, SeriesDescription=text, SliceThickness="1", **write.STUDY)
    native = series(tmp_path / "b", seed=2, SeriesDescription="HEAD W/O CONTRAST", **write.STUDY)
    scan = read_ct(tmp_path)
    assert scan.source is not None and {p.parent for p in scan.source.paths} == {native}


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["N/A", "NO CONTRAST", "OHNE", "SANS INJECTION", "none."])
@pytest.mark.parametrize("part", ["KOPF", "CABEZA", "UNKNOWN", "TÊTE"])
def test_words_in_other_languages_warn_of_nothing(tmp_path: Path, agent: str, part: str) -> None:
    folder = series(
        tmp_path / "s",
        SpecificCharacterSet="ISO_IR 192",
        ContrastBolusAgent=agent,
        BodyPartExamined=part,
    )
    assert codes(read_ct(folder)) == set()


@pytest.mark.parametrize(
    ("text", "refusal"), [("Mono+ 40 keV", True), ("MONO 190KEV", True), ("Mono+ 70 keV", False)]
)
def test_a_virtual_energy_is_taken_where_its_densities_are_those_of_ct(
    tmp_path: Path, text: str, refusal: bool
) -> None:
    folder = series(
        tmp_path / "s", SeriesDescription=text, ImageType=["DERIVED", "PRIMARY", "AXIAL", "VMI"]
    )
    if refusal:
        assert refused(folder) == "NOT_HU"
    else:
        assert agreement(read_ct(folder).volume) > 0.999


@pytest.mark.parametrize("tag", ["GantryDetectorTilt", "SliceThickness"])
@pytest.mark.parametrize("value", [b"N/A ", b"5,0 "])
def test_text_in_a_number_that_nothing_depends_on_damages_no_image(
    tmp_path: Path, tag: str, value: bytes
) -> None:
    old = {"GantryDetectorTilt": b"0.0 ", "SliceThickness": b"5 "}[tag]
    folder = series(tmp_path / "s")
    for path in files(folder):
        d = pydicom.dcmread(path)
        element = pydicom.dataelem.RawDataElement(
            pydicom.tag.Tag(tag),
            "DS",
            len(value),
            value,
            0,
            False,
            True,
            True,  # type: ignore[arg-type]
        )
        d._dict[pydicom.tag.Tag(tag)] = element
        assert old
        d.save_as(path)
    assert agreement(read_ct(folder).volume) > 0.999


@needs_cases
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("multipass_interleaved", "AMBIGUOUS_SERIES"),
        ("every_second_slice_lost_announced", "MISSING_SLICES"),
        ("same_sop_other_pixels_some", "DUPLICATE_POSITION"),
        ("monoe_40kev", "NOT_HU"),
        ("one_slice_wrong_intercept", "SLICE_LEVEL"),
        ("pixelspacing_cm", "INSUFFICIENT_COVERAGE"),
    ],
)
def test_inputs_that_went_wrong_are_refused(name: str, code: str) -> None:
    assert refused(CASES / f"{name}.zip") == code


@needs_cases
@pytest.mark.parametrize(
    "name",
    [
        "kernels_philips_UB_YB",
        "cta_without_agent_tag",
        "vmi_photon_counting",
        "tilt_text",
        "agent_NA_bodypart_KOPF",
    ],
)
def test_inputs_that_went_wrong_are_read_right(name: str) -> None:
    scan = read_ct(CASES / f"{name}.zip")
    assert (
        scan.volume.geometry.spacing_mm[2] == pytest.approx(5.0, abs=0.01) and codes(scan) == set()
    )
