"""Generated series of a world-defined chiral phantom: right within the phantom, or refused with the right code."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_ich.core.errors import IchError
from monai_ich.io.read import Scan, read_ct
from tests.phantom import agreement, files, grid, phantom, series


def _codes(scan: Scan) -> set[str]:
    return {w.code for w in scan.warnings}


def _refused(path: Path, **how: object) -> str:
    with pytest.raises(IchError) as error:
        read_ct(path, **how)  # type: ignore[arg-type]
    return error.value.code


@pytest.mark.parametrize("tilt_deg", [0, -25, 18])
def test_series_lies_where_it_was_scanned(tmp_path: Path, tilt_deg: float) -> None:
    scan = read_ct(series(tmp_path, grid(tilt_deg=tilt_deg)))
    assert agreement(scan.volume) > 0.9999
    assert ("GANTRY_TILT" in _codes(scan)) == (tilt_deg != 0)
    assert "TILT_MISMATCH" not in _codes(scan)
    assert scan.volume.geometry.tilt_deg == pytest.approx(abs(tilt_deg), abs=0.01)


def test_order_comes_from_positions_not_numbers_or_names(tmp_path: Path) -> None:
    series(tmp_path)
    order = np.random.default_rng(3).permutation(len(files(tmp_path)))
    for path, number in zip(files(tmp_path), order, strict=True):
        d = pydicom.dcmread(path)
        d.InstanceNumber = int(number) + 1
        d.save_as(tmp_path / f"x{number:03d}")
        path.unlink()
    assert agreement(read_ct(tmp_path).volume) > 0.9999


def test_pixels_need_not_be_square(tmp_path: Path) -> None:
    geometry = grid()
    affine = geometry.affine.copy()
    affine[:3, 0] *= 0.8
    affine[:3, 3] += geometry.affine[:3, 0] * 0.2 * 31.5
    wide = type(geometry)(geometry.shape, affine)
    scan = read_ct(series(tmp_path, wide))
    assert agreement(scan.volume) > 0.9999
    assert sorted(round(s, 2) for s in scan.volume.geometry.spacing_mm) == [2.56, 3.2, 5.0]


def test_rescale_is_per_slice(tmp_path: Path) -> None:
    for n, path in enumerate(files(series(tmp_path))):
        d = pydicom.dcmread(path)
        stored = d.pixel_array.astype(int) - 1024
        slope, intercept = (2, -1024) if n % 2 else (1, -500 - n)
        d.RescaleSlope, d.RescaleIntercept = str(slope), str(intercept)
        d.PixelData = ((stored - intercept) / slope).round().astype("<i2").tobytes()
        d.save_as(path)
    assert agreement(read_ct(tmp_path).volume) > 0.9999


def test_unsigned_padding_becomes_air(tmp_path: Path) -> None:
    for path in files(series(tmp_path)):
        d = pydicom.dcmread(path)
        stored = (d.pixel_array.astype(np.int32)).astype(np.uint16)
        stored[:6], stored[-6:] = 63536, 63536
        d.PixelRepresentation, d.PixelPaddingValue = 0, 63536
        d["PixelPaddingValue"].VR = "US"
        d.PixelData = stored.tobytes()
        d.save_as(path)
    scan = read_ct(tmp_path)
    assert scan.volume.hu.max() < 900 and scan.volume.hu[:, :6].max() == -1024


def test_mixed_spacing_is_put_on_true_positions(tmp_path: Path) -> None:
    series(tmp_path, grid(slice_mm=2.5, count=64))
    for path in files(tmp_path)[33:][::2]:
        path.unlink()
    for path in files(tmp_path)[33:]:
        d = pydicom.dcmread(path)
        d.SliceThickness = "5"
        d.save_as(path)
    scan = read_ct(tmp_path)
    assert "VARIABLE_SPACING" in _codes(scan)
    assert agreement(scan.volume) > 0.998
    assert scan.volume.slab_widths_mm is not None and sum(scan.volume.slab_widths_mm) == pytest.approx(160, abs=3)
    inside = phantom(scan.volume.geometry).hu > -500
    assert (scan.volume.hu > -500).sum() == pytest.approx(inside.sum(), rel=0.01)


def test_missing_slices_are_refused_or_filled_when_asked(tmp_path: Path) -> None:
    series(tmp_path)
    files(tmp_path)[12].unlink()
    assert _refused(tmp_path) == "MISSING_SLICES"
    scan = read_ct(tmp_path, mode="lenient")
    assert "SLICES_INTERPOLATED" in _codes(scan) and agreement(scan.volume) > 0.998
    for path in files(tmp_path)[20:22]:
        path.unlink()
    assert _refused(tmp_path, mode="lenient") == "MISSING_SLICES"


def test_doubled_images_are_dropped_other_images_at_one_place_are_refused(tmp_path: Path) -> None:
    series(tmp_path)
    for n, path in enumerate(files(tmp_path)):
        d = pydicom.dcmread(path)
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"{d.SOPInstanceUID[:40]}.9{n}"
        d.save_as(tmp_path / f"again{n}.dcm")
    assert agreement(read_ct(tmp_path).volume) > 0.9999
    d = pydicom.dcmread(tmp_path / "again5.dcm")
    d.PixelData = (d.pixel_array + 7).astype("<i2").tobytes()
    d.save_as(tmp_path / "again5.dcm")
    assert _refused(tmp_path) == "DUPLICATE_POSITION"


def test_best_series_wins_and_a_named_one_always(tmp_path: Path) -> None:
    series(tmp_path / "a", seed=1, StudyInstanceUID="1.2.9")
    series(tmp_path / "b", grid(slice_mm=2.5, count=64), seed=2, ConvolutionKernel="BONE", StudyInstanceUID="1.2.9")
    scan = read_ct(tmp_path)
    assert scan.volume.geometry.shape[2] == 32 and len(scan.series) == 2
    other = scan.series[1].series_uid
    assert read_ct(tmp_path, series_uid=other).volume.geometry.shape[2] == 64
    assert _refused(tmp_path, series_uid="1.2.3") == "NO_CT_SERIES"


def test_equal_series_are_ambiguous(tmp_path: Path) -> None:
    series(tmp_path / "a", seed=1)
    series(tmp_path / "b", seed=2)
    assert _refused(tmp_path) == "AMBIGUOUS_SERIES"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"Modality": "MR"}, "NO_CT_SERIES"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "LOCALIZER_ONLY"),
        ({"RescaleSlope": None}, "NO_RESCALE"),
        ({"ImagePositionPatient": [0, 0, 0]}, "DUPLICATE_POSITION"),
        ({"ImagePositionPatient": None}, "MISSING_POSITION"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 1, 0]}, "NON_ORTHOGONAL_IOP"),
    ],
)
def test_what_cannot_be_a_volume_is_refused(tmp_path: Path, header: dict[str, object], code: str) -> None:
    assert _refused(series(tmp_path, **header)) == code


def test_few_slices_short_coverage_empty_folder_cut_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert _refused(tmp_path / "empty") == "NO_DICOM"
    assert _refused(tmp_path / "nowhere") == "INPUT_NOT_FOUND"
    folder = series(tmp_path / "a")
    for path in files(folder)[10:]:
        path.unlink()
    assert _refused(folder) == "INSUFFICIENT_COVERAGE"
    for path in files(folder)[2:]:
        path.unlink()
    assert _refused(folder) == "TOO_FEW_SLICES"
    folder = series(tmp_path / "b")
    path = files(folder)[3]
    path.write_bytes(path.read_bytes()[:-3000])
    assert _refused(folder) == "TRUNCATED_FILE"


def test_values_that_are_no_hu_are_refused(tmp_path: Path) -> None:
    assert _refused(series(tmp_path, RescaleIntercept="0")) == "NOT_HU"


def test_warnings_about_contrast_body_part_loss_and_tilt(tmp_path: Path) -> None:
    header = {"ContrastBolusAgent": "X", "BodyPartExamined": "CHEST", "LossyImageCompression": "01"}
    scan = read_ct(series(tmp_path, **header))
    assert {"CONTRAST", "NOT_HEAD", "LOSSY"} <= _codes(scan)
    for path in files(tmp_path):
        d = pydicom.dcmread(path)
        d.GantryDetectorTilt = "12"
        d.save_as(path)
    assert "TILT_MISMATCH" in _codes(read_ct(tmp_path))


def test_compressed_syntax_gives_the_same_voxels(tmp_path: Path) -> None:
    series(tmp_path)
    plain = read_ct(tmp_path).volume
    for path in files(tmp_path):
        d = pydicom.dcmread(path)
        d.compress(pydicom.uid.RLELossless)
        d.save_as(path)
    assert np.array_equal(read_ct(tmp_path).volume.hu, plain.hu)


def test_a_zip_reads_like_its_folder_and_a_hostile_one_is_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in files(folder):
            archive.write(path, f"deep/{path.name}")
    assert np.array_equal(read_ct(tmp_path / "a.zip").volume.hu, read_ct(folder).volume.hu)
    for name, data in {"../out.dcm": b"x", "/etc/x": b"x", "bomb": bytes(30_000_000)}.items():
        with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        assert _refused(tmp_path / "bad.zip") == "UNSAFE_ARCHIVE"


def test_messages_hold_no_patient_data(tmp_path: Path) -> None:
    folder = series(tmp_path / "a", PatientName="DOE^JANE", PatientID="4711", Modality="MR")
    with pytest.raises(IchError) as error:
        read_ct(folder)
    assert "DOE" not in str(error.value) and "4711" not in str(error.value)


def test_real_tilted_uneven_head_keeps_every_pixel_in_its_place(shared_data: Path) -> None:
    from scipy.ndimage import map_coordinates

    scan = read_ct(shared_data / "ge_head_tilted")
    assert {"GANTRY_TILT", "VARIABLE_SPACING"} <= _codes(scan)
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


@pytest.mark.parametrize("name", ["gantrytilting", "notavolume", "sliceincrement"])
def test_scrambled_real_series_are_refused(shared_data: Path, name: str) -> None:
    for folder in (shared_data / "dicom2nifti_failing" / name).iterdir():
        assert _refused(folder) in {"INSUFFICIENT_COVERAGE", "DUPLICATE_POSITION"}


def test_a_perfusion_map_is_refused(shared_data: Path) -> None:
    assert _refused(shared_data / "enhanced_ct") == "NOT_HU"
