import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.io.nifti import read_nifti_ct, read_nifti_labels, write_nifti
from monai_ich.io.read import read_ct, read_labels
from tests.phantom import density, grid, phantom
from tests.strategies import geometries


def test_a_heat_map_is_read_as_0_to_1(tmp_path: Path) -> None:
    geometry = grid(pixels=4, pixel_mm=50, tilt_deg=15)
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[1, 2, 3], voxels[3, 2, 1] = 255, 51
    write_nifti(tmp_path / "heat.nii.gz", HeatMap(Subtype.SDH, voxels, geometry))
    image = nib.load(tmp_path / "heat.nii.gz")
    assert (
        np.allclose(image.get_fdata(), voxels / 255, atol=1e-6)
        and image.get_data_dtype() == np.uint8
    )
    assert image.get_fdata()[3, 2, 1] == pytest.approx(0.2) and np.allclose(
        image.affine, geometry.affine
    )


@pytest.mark.parametrize("tilt_deg", [0, 18])
def test_written_and_read_voxels_keep_value_and_place(tmp_path: Path, tilt_deg: float) -> None:
    ct = phantom(grid(tilt_deg=tilt_deg))
    write_nifti(tmp_path / "ct.nii.gz", ct)
    again = read_nifti_ct(tmp_path / "ct.nii.gz")
    assert np.array_equal(np.clip(ct.hu, -1024, 3071), again.hu)
    assert again.geometry.same_grid(ct.geometry, tolerance_mm=1e-3)
    assert nib.load(tmp_path / "ct.nii.gz").get_data_dtype() == np.int16
    assert [p.name for p in tmp_path.iterdir()] == ["ct.nii.gz"]


@pytest.mark.parametrize("tilt_deg", [0, 18])
def test_monai_reads_the_same_affine(tmp_path: Path, tilt_deg: float) -> None:
    """Its reader falls back to the identity, silently, where zooms and affine of a file
    disagree.
    """
    from monai.transforms import LoadImage

    ct = phantom(grid(tilt_deg=tilt_deg))
    write_nifti(tmp_path / "ct.nii.gz", ct)
    seen = LoadImage(reader="NibabelReader", image_only=True)(tmp_path / "ct.nii.gz")
    assert np.allclose(seen.affine, ct.geometry.affine, atol=1e-3)


def test_the_affine_in_the_file_is_ras(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii", phantom(grid(tilt_deg=18)))
    image = nib.load(tmp_path / "ct.nii")
    ras = np.moveaxis(np.indices(image.shape), 0, -1) @ image.affine[:3, :3].T + image.affine[:3, 3]
    assert np.abs(np.asarray(image.dataobj) - density(ras)).max() < 0.6


def test_labels_keep_value_and_place(tmp_path: Path) -> None:
    geometry = grid(tilt_deg=-12)
    labels = LabelMap(
        np.random.default_rng(0).integers(0, 6, geometry.shape).astype(np.uint8), geometry, Subtype
    )
    write_nifti(tmp_path / "ich.nii.gz", labels)
    again = read_nifti_labels(tmp_path / "ich.nii.gz", Subtype)
    assert np.array_equal(again.voxels, labels.voxels) and again.geometry.same_grid(
        geometry, tolerance_mm=1e-3
    )


def _save(path: Path, data: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    return path


def _refused(path: Path) -> str:
    with pytest.raises(IchError) as error:
        read_nifti_ct(path)
    return error.value.code


def test_what_is_no_volume_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nii.gz").write_text("this is not an image")
    hu = phantom(grid(pixels=32, pixel_mm=6.4)).hu
    assert _refused(tmp_path / "text.nii.gz") == "NOT_NIFTI"
    assert _refused(tmp_path / "none.nii.gz") == "INPUT_NOT_FOUND"
    assert _refused(_save(tmp_path / "flat.nii.gz", hu[:, :, 0])) == "NOT_3D"
    assert _refused(_save(tmp_path / "one.nii.gz", hu[:, :, :1])) == "NOT_3D"
    assert _refused(_save(tmp_path / "4d.nii.gz", np.stack([hu, hu], -1))) == "NOT_3D"
    color = np.zeros(hu.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert _refused(_save(tmp_path / "color.nii.gz", color)) == "NOT_3D"
    assert (
        read_nifti_ct(_save(tmp_path / "trailing.nii.gz", hu[..., None])).geometry.shape == hu.shape
    )


@pytest.mark.parametrize(
    "scale",
    [
        lambda hu: np.clip(hu / 80, 0, 1),
        lambda hu: np.clip(hu * 3, 0, 255),
        lambda hu: np.clip(hu, -100, 300),
        lambda hu: hu + 1024,
        lambda hu: hu - 1024,
        lambda hu: (hu - hu.mean()) / hu.std(),
        lambda hu: np.where(hu > 0, 500, hu),
        lambda hu: np.zeros_like(hu),
    ],
    ids=[
        "0..1",
        "0..255",
        "cut at -100",
        "offset kept",
        "offset twice",
        "standardized",
        "no tissue",
        "empty",
    ],
)
def test_values_that_are_no_hu_are_refused(
    tmp_path: Path, scale: Callable[[np.ndarray], np.ndarray]
) -> None:
    hu = phantom(grid(pixels=32, pixel_mm=6.4)).hu
    assert _refused(_save(tmp_path / "ct.nii.gz", scale(hu).astype(np.float32))) == "NOT_HU"


def test_a_window_of_hu_is_read_where_it_is_said_to_be_hu_and_the_result_says_so(
    tmp_path: Path,
) -> None:
    whole, path = phantom(grid(pixels=32, pixel_mm=6.4)), tmp_path / "ct.nii.gz"
    window = CTVolume(np.clip(whole.hu, 0, 80), whole.geometry)
    write_nifti(path, window)
    assert _refused(path) == "NOT_HU"
    scan = read_ct(path, assume_hu=True)
    assert [w.code for w in scan.warnings] == ["ASSUMED_HU"] and float(scan.volume.hu.max()) == 80.0
    write_nifti(path, whole)
    assert read_ct(path, assume_hu=True).warnings == ()


def test_a_ct_cut_below_air_keeps_its_tissue_and_is_read(tmp_path: Path) -> None:
    hu = np.clip(phantom(grid(pixels=32, pixel_mm=6.4)).hu, -200, 400)
    assert np.array_equal(read_nifti_ct(_save(tmp_path / "ct.nii.gz", hu)).hu, hu)


def test_nan_at_the_edge_is_air_nan_inside_and_infinity_are_refused(tmp_path: Path) -> None:
    hu = phantom(grid(pixels=32, pixel_mm=6.4)).hu
    hu[:3], hu[20:, 30:] = np.nan, np.nan
    found = read_nifti_ct(_save(tmp_path / "edge.nii.gz", hu)).hu
    assert (found[:3] == -1024).all() and np.array_equal(found[3:20], hu[3:20])
    hu[16, 16, 16] = np.nan
    assert _refused(_save(tmp_path / "inside.nii.gz", hu)) == "NON_FINITE"
    hu[16, 16, 16] = np.inf
    assert _refused(_save(tmp_path / "infinity.nii.gz", hu)) == "NON_FINITE"


def test_a_file_that_does_not_say_which_side_is_left_is_refused(tmp_path: Path) -> None:
    image = nib.Nifti1Image(phantom(grid(pixels=32, pixel_mm=6.4)).hu, None)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nib.save(image, tmp_path / "nowhere.nii.gz")
    assert _refused(tmp_path / "nowhere.nii.gz") == "NO_ORIENTATION"


@pytest.mark.parametrize("scale", [0.001, 0.3, 10.0])
def test_a_grid_that_no_head_has_is_refused(tmp_path: Path, scale: float) -> None:
    geometry = grid(pixels=32, pixel_mm=6.4)
    hu = phantom(geometry).hu
    write_nifti(
        tmp_path / "ct.nii",
        CTVolume(hu, Geometry(hu.shape, geometry.affine @ np.diag([scale] * 3 + [1]))),
    )
    with pytest.raises(IchError, match="INSUFFICIENT_COVERAGE"):
        read_ct(tmp_path / "ct.nii")


def test_a_nifti_file_has_no_series_to_number(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii", phantom(grid()))
    with pytest.raises(IchError, match="NO_CT_SERIES"):
        read_ct(tmp_path / "ct.nii", series_uid="2")
    assert read_ct(tmp_path / "ct.nii", series_uid="1.2.3").series == ()


def test_only_the_sform_carries_a_shear(tmp_path: Path) -> None:
    for name, tilt_deg, code in (("plain", 0, 1), ("tilted", 18, 0)):
        geometry = grid(tilt_deg=tilt_deg)
        write_nifti(tmp_path / f"{name}.nii.gz", phantom(geometry))
        header = nib.load(tmp_path / f"{name}.nii.gz").header
        assert (int(header["sform_code"]), int(header["qform_code"])) == (1, code)
        assert header.get_xyzt_units()[0] == "mm"
        assert header.get_zooms() == pytest.approx(geometry.spacing_mm, abs=1e-4)


def test_fractions_are_kept_as_floats_and_masks_are_written(tmp_path: Path) -> None:
    ct = phantom(grid(pixels=32, pixel_mm=6.4))
    write_nifti(tmp_path / "ct.nii", CTVolume(ct.hu + np.float32(0.25), ct.geometry))
    assert nib.load(tmp_path / "ct.nii").get_data_dtype() == np.float32
    assert np.array_equal(read_nifti_ct(tmp_path / "ct.nii").hu, ct.hu + np.float32(0.25))
    write_nifti(tmp_path / "mask.nii.gz", Mask(ct.hu > 0, ct.geometry))
    image = nib.load(tmp_path / "mask.nii.gz")
    assert image.get_data_dtype() == np.uint8 and np.array_equal(
        np.asarray(image.dataobj) > 0, ct.hu > 0
    )


@pytest.mark.slow
@given(geometries())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_grid_is_written_and_read_back(tmp_path: Path, geometry: Geometry) -> None:
    geometry = Geometry(
        (geometry.shape[0] + 1, geometry.shape[1] + 1, geometry.shape[2] + 1), geometry.affine
    )
    voxels = (np.arange(np.prod(geometry.shape)) % 6).astype(np.uint8).reshape(geometry.shape)
    write_nifti(tmp_path / "x.nii", LabelMap(voxels, geometry, Subtype))
    again = read_nifti_labels(tmp_path / "x.nii", Subtype)
    assert np.array_equal(again.voxels, voxels) and again.geometry.same_grid(geometry)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii.gz", phantom(grid()))
    whole = (tmp_path / "ct.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IchError, match="NOT_NIFTI"):
        read_nifti_ct(tmp_path / "cut.nii.gz")


def test_a_fraction_is_no_label(tmp_path: Path) -> None:
    with pytest.raises(IchError, match="UNKNOWN_LABEL"):
        read_nifti_labels(
            _save(tmp_path / "l.nii.gz", np.full((3, 3, 3), 0.5, np.float32)), Subtype
        )


def test_labels_come_from_nifti_or_nrrd_only(tmp_path: Path) -> None:
    (tmp_path / "labels.mha").write_bytes(b"")
    with pytest.raises(IchError, match="NOT_LABELS"):
        read_labels(tmp_path / "labels.mha", Subtype)
    with pytest.raises(IchError, match="INPUT_NOT_FOUND"):
        read_labels(tmp_path / "none.nii", Subtype)


def test_a_file_has_the_rights_that_the_umask_leaves_and_nothing_stays_of_one_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o077)
    try:
        write_nifti(tmp_path / "private.nii.gz", phantom(grid()))
        os.umask(0o002)
        write_nifti(tmp_path / "shared.nii", phantom(grid()))
    finally:
        os.umask(before)
    rights = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert rights == {"private.nii.gz": "0o600", "shared.nii": "0o664"}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    whole = (tmp_path / "shared.nii").read_bytes()
    with pytest.raises(OSError, match="space"):
        write_nifti(tmp_path / "shared.nii", phantom(grid(count=30)))
    assert (tmp_path / "shared.nii").read_bytes() == whole and len(list(tmp_path.iterdir())) == 2
