"""Resampling as a step of a bundle, there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirstd, EnsureTyped, Invertd, LoadImaged

from monai_ich.core.labels import Subtype
from monai_ich.core.resample import orthogonal_grid, resample_ct
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.parts.resampling import OrthogonalSpacingd
from tests.phantom import grid, phantom

SPACING_MM = (3.0, 3.0, None)


@pytest.fixture
def head(tmp_path: Path) -> dict[str, str]:
    """A tilted head and a clot in it, as NIfTI."""
    ct = phantom(grid(tilt_deg=18))
    ras = ct.geometry.to_world(np.moveaxis(np.indices(ct.hu.shape), 0, -1))
    clot = np.linalg.norm(ras - [22, 24, -4], axis=-1) < 18
    write_nifti(tmp_path / "ct.nii.gz", ct)
    write_nifti(tmp_path / "ich.nii.gz", LabelMap(clot.astype(np.uint8) * 5, ct.geometry, Subtype))
    return {"image": str(tmp_path / "ct.nii.gz"), "label": str(tmp_path / "ich.nii.gz")}


def test_a_bundle_step_is_what_import_writes_and_its_inverse_goes_back(
    head: dict[str, str],
) -> None:
    keys = ["image", "label"]
    there = Compose(
        [
            LoadImaged(keys, reader="NibabelReader", image_only=True),
            EnsureChannelFirstd(keys),
            EnsureTyped("label", dtype=torch.uint8),
            OrthogonalSpacingd(keys, SPACING_MM, label_keys=["label"]),
        ]
    )
    data = there(head)
    ct = phantom(grid(tilt_deg=18))
    expected = resample_ct(ct, orthogonal_grid(ct.geometry, SPACING_MM))
    assert np.allclose(data["image"][0].numpy(), expected.hu, atol=1e-3)
    assert np.allclose(data["image"].affine.numpy(), expected.geometry.affine, atol=1e-4)
    assert tuple(data["label"].shape) == tuple(data["image"].shape)

    data["pred"], data["shares"] = data["label"].clone(), (data["label"] > 0).float()
    back = Invertd(
        ["pred", "shares"], there, orig_keys="image", nearest_interp=False, to_tensor=True
    )(data)
    voxels = np.asarray(
        LabelMap(back["pred"][0].numpy().astype(np.uint8), ct.geometry, Subtype).voxels
    )
    truth = there.transforms[0](dict(head))["label"].numpy()
    assert voxels.shape == ct.hu.shape
    assert 2 * ((voxels > 0) & (truth > 0)).sum() / ((voxels > 0).sum() + (truth > 0).sum()) > 0.97
    assert voxels.max() == 5 and voxels.astype(bool).sum() == pytest.approx(
        truth.astype(bool).sum(), rel=0.01
    )
    assert float(back["shares"].min()) >= 0 and float(back["shares"].max()) <= 1.0
    assert np.allclose(back["pred"].affine.numpy(), ct.geometry.affine, atol=1e-4)
