"""A NIfTI header places its voxels in the patient, once, or is refused: masks and CTs alike."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import AnyLabel, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import read_nifti_grid, write_nifti
from monai_ich.io.read import read_ct, read_labels
from tests.conftest import ROOT
from tests.phantom import grid, phantom
from tests.strategies import geometries

CASES = ROOT.parent / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases here")
SDH = LabelMeaning(only=Subtype.SDH)
FLIP = np.diag([-1.0, 1.0, 1.0, 1.0])


def _turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0, 4.0], [s, c, 0, -7.0], [0, 0, 1, 2.0], [0, 0, 0, 1]])


def _saved(
    folder: Path, sform: tuple[np.ndarray, int], qform: tuple[np.ndarray, int], kind: str
) -> Path:
    """A CT or mask of another program; pixdim is that of the qform."""
    hu = phantom(grid()).hu.astype(np.int16)
    image = nib.Nifti1Image(hu if kind == "ct" else (hu > 60).astype(np.uint8), None)
    image.set_qform(qform[0], code=qform[1])
    image.set_sform(sform[0], code=sform[1])
    nib.save(image, folder / f"{kind}.nii.gz")
    return folder / f"{kind}.nii.gz"


def _read(path: Path) -> Geometry:
    if path.name.startswith("ct"):
        return read_ct(path).volume.geometry
    return read_labels(path, Subtype, meaning=SDH).geometry


A = grid().affine
CONTRADICTORY = {
    "a template's sform": ((A * 1.12, 4), (A, 1), "TEMPLATE_SPACE"),
    "Talairach": ((A, 3), (A, 1), "TEMPLATE_SPACE"),
    "another template": ((A, 5), (A, 0), "TEMPLATE_SPACE"),
    "a template's qform alone": ((A, 0), (A, 4), "TEMPLATE_SPACE"),
    "scaled": ((A * np.array([1.12, 1.12, 1.12, 1]), 1), (A, 1), "CONTRADICTORY_GRID"),
    "scaled along one axis, qform not in use": (
        (A * np.array([1, 1, 1.1, 1]), 2),
        (A, 0),
        "CONTRADICTORY_GRID",
    ),
    "mirrored": ((FLIP @ A, 1), (A, 1), "CONTRADICTORY_GRID"),
    "turned by half a circle": ((_turned(180) @ A, 2), (A, 1), "CONTRADICTORY_GRID"),
}


@pytest.mark.parametrize("kind", ["ct", "mask"])
@pytest.mark.parametrize(("sform", "qform", "code"), CONTRADICTORY.values(), ids=CONTRADICTORY)
def test_a_header_that_contradicts_itself_is_refused(
    tmp_path: Path,
    sform: tuple[np.ndarray, int],
    qform: tuple[np.ndarray, int],
    code: str,
    kind: str,
) -> None:
    path = _saved(tmp_path, sform, qform, kind)
    with pytest.raises(IchError, match=code):
        _read(path)
    with pytest.raises(IchError, match=code):
        read_nifti_grid(path)


@pytest.mark.parametrize("kind", ["ct", "mask"])
@pytest.mark.parametrize(
    ("sform", "qform"),
    [
        ((A, 1), (A, 1)),
        ((A, 2), (A, 0)),
        ((A, 0), (A, 1)),
        ((A, 1), (A, 4)),
        ((_turned(30) @ A, 2), (A, 1)),
        (
            (grid(tilt_deg=25).affine, 1),
            (grid(tilt_deg=25).affine, 1),
        ),  # nibabel strips the shear for the qform
        ((grid(tilt_deg=-25).affine, 1), (A, 1)),  # pixdim holds the distance of planes
    ],
    ids=[
        "both",
        "sform",
        "qform",
        "sform beside a template's qform",
        "registered",
        "tilted",
        "tilted, planes",
    ],
)
def test_headers_of_registered_and_tilted_scans_are_read(
    tmp_path: Path, sform: tuple[np.ndarray, int], qform: tuple[np.ndarray, int], kind: str
) -> None:
    wanted = sform[0] if sform[1] else qform[0]
    assert np.allclose(_read(_saved(tmp_path, sform, qform, kind)).affine, wanted, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "affine",
    [
        np.eye(4),
        np.diag([-1.0, -1.0, 1.0, 1.0]),
        np.array([[1.4, 0, 0, -112], [0, 1.4, 0, -112], [0, 0, 2.0, 4900], [0, 0, 0, 1]]),
        np.array([[1.4, 0, 0, -112], [0, 1.4, 0, 1e6], [0, 0, 2.0, -90], [0, 0, 0, 1]]),
    ],
    ids=["nibabel", "ITK", "beyond the table", "unit lost"],
)
@pytest.mark.parametrize("kind", ["ct", "mask"])
def test_a_grid_that_a_program_has_lost_is_refused(
    tmp_path: Path, affine: np.ndarray, kind: str
) -> None:
    shape = (160, 160, 90)  # as a head would be
    middle = np.array([[1.4, 0, 0, -112], [0, 1.4, 0, -112], [0, 0, 2.0, -90], [0, 0, 0, 1]])
    hu = phantom(Geometry(shape, middle))
    voxels = hu.hu.astype(np.int16) if kind == "ct" else (hu.hu > 60).astype(np.uint8)
    nib.save(nib.Nifti1Image(voxels, affine), tmp_path / f"{kind}.nii.gz")
    with pytest.raises(IchError, match="LOST_GRID"):
        _read(tmp_path / f"{kind}.nii.gz")
    with pytest.raises(IchError, match="LOST_GRID"):
        read_nifti_grid(tmp_path / f"{kind}.nii.gz")


@pytest.mark.parametrize("unit", ["meter", "micron"])
@pytest.mark.parametrize("kind", ["ct", "mask"])
def test_lengths_in_another_unit_are_refused(tmp_path: Path, unit: str, kind: str) -> None:
    image = nib.load(_saved(tmp_path, (A, 1), (A, 1), kind))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / f"{kind}.other.nii")
    with pytest.raises(IchError, match="NOT_MILLIMETERS"):
        _read(tmp_path / f"{kind}.other.nii")


@pytest.mark.slow
@given(geometries())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_grid_of_ours_contradicts_itself(tmp_path: Path, geometry: Geometry) -> None:
    shape = (geometry.shape[0] + 1, geometry.shape[1] + 1, geometry.shape[2] + 1)
    labels = LabelMap(np.ones(shape, np.uint8), Geometry(shape, geometry.affine), AnyLabel)
    write_nifti(tmp_path / "x.nii", labels)
    assert read_labels(tmp_path / "x.nii", AnyLabel).geometry.same_grid(labels.geometry)
    assert read_nifti_grid(tmp_path / "x.nii").same_grid(labels.geometry)


@needs_cases
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("mask_eye_affine", "LOST_GRID"),
        ("mask_far_away", "LOST_GRID"),
        ("mask_sform_template", "TEMPLATE_SPACE"),
    ],
)
def test_masks_that_went_wrong_are_refused(name: str, code: str) -> None:
    with pytest.raises(IchError, match=code):
        read_labels(CASES / f"{name}.nii.gz", Subtype, meaning=SDH)
