from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.core.errors import IchError
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import read_nifti_ct, read_nifti_labels, write_nifti
from tests.phantom import grid, phantom


@pytest.mark.parametrize("tilt_deg", [0, 18])
def test_written_and_read_voxels_keep_value_and_place(tmp_path: Path, tilt_deg: float) -> None:
    ct = phantom(grid(tilt_deg=tilt_deg))
    write_nifti(tmp_path / "ct.nii.gz", ct)
    again = read_nifti_ct(tmp_path / "ct.nii.gz")
    assert np.array_equal(np.clip(ct.hu, -1024, 3071), again.hu)
    assert again.geometry.same_grid(ct.geometry, tolerance_mm=1e-3)
    assert nib.load(tmp_path / "ct.nii.gz").get_data_dtype() == np.int16
    assert [p.name for p in tmp_path.iterdir()] == ["ct.nii.gz"]


def test_labels_keep_value_and_place(tmp_path: Path) -> None:
    geometry = grid(tilt_deg=-12)
    labels = LabelMap(np.random.default_rng(0).integers(0, 6, geometry.shape).astype(np.uint8), geometry, Subtype)
    write_nifti(tmp_path / "ich.nii.gz", labels)
    again = read_nifti_labels(tmp_path / "ich.nii.gz", Subtype)
    assert np.array_equal(again.voxels, labels.voxels) and again.geometry.same_grid(geometry, tolerance_mm=1e-3)


def _save(path: Path, data: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    return path


def test_bad_files_are_refused_with_a_code(tmp_path: Path) -> None:
    ct = phantom(grid()).hu
    cases = {
        "NOT_NIFTI": tmp_path / "text.nii.gz",
        "NOT_3D": _save(tmp_path / "flat.nii.gz", ct[:, :, 0]),
        "NOT_HU": _save(tmp_path / "window.nii.gz", np.clip(ct / 80, 0, 1)),
        "INPUT_NOT_FOUND": tmp_path / "none.nii.gz",
    }
    cases["NOT_NIFTI"].write_text("this is not an image")
    for code, path in cases.items():
        with pytest.raises(IchError) as error:
            read_nifti_ct(path)
        assert error.value.code == code
    for name, data in {"8-bit": np.clip(ct * 3, 0, 255), "4D": np.stack([ct, ct], -1)}.items():
        with pytest.raises(IchError):
            read_nifti_ct(_save(tmp_path / f"{name}.nii.gz", data.astype(np.float32)))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii.gz", phantom(grid()))
    whole = (tmp_path / "ct.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IchError, match="NOT_NIFTI"):
        read_nifti_ct(tmp_path / "cut.nii.gz")


def test_a_fraction_is_no_label(tmp_path: Path) -> None:
    with pytest.raises(IchError, match="UNKNOWN_LABEL"):
        read_nifti_labels(_save(tmp_path / "l.nii.gz", np.full((3, 3, 3), 0.5, np.float32)), Subtype)
