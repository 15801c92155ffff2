"""Whatever grid a scan comes on, a consumer that walks through ``inference.yaml`` gets labels on
that grid.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import SaveImaged
from scipy.spatial.transform import Rotation

pytestmark = pytest.mark.slow

TURN = Rotation.from_rotvec([6.0, 8.0, 15.0], degrees=True).as_matrix()
GRIDS = {
    "RAS": np.diag([2.0, 2.0, 6.0]),
    "LPS": np.diag([-2.0, -2.0, 6.0]),
    "oblique": TURN @ np.diag([-2.0, -2.0, 6.0]),
    "tilted": np.array([[-2.0, 0, 0], [0, -2.0, 2.2], [0, 0, 6.0]]),
    "thin": np.diag([-2.0, -2.0, 0.7]),
}


@pytest.mark.parametrize("grid", GRIDS)
def test_labels_come_back_on_the_grid_of_the_scan(
    bundle: Path, grid: str, random_weights: Path, tmp_path: Path
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = GRIDS[grid]
    shape = (72, 80, 14)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    hu = np.random.default_rng(0).normal(30, 25, shape).astype(np.int16)
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "ct.nii.gz")

    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.yaml"))
    parser.config.update({"bundle_root": str(bundle), "device": "cpu"})  # type: ignore[union-attr]
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(random_weights, weights_only=True))
    item = parser.get_parsed_content("preprocessing")({"image": str(tmp_path / "ct.nii.gz")})
    with torch.inference_mode():
        item["pred"] = parser.get_parsed_content("inferer")(item["image"][None], network)[0]
    for step in parser.get_parsed_content("postprocessing").transforms:
        item = item if isinstance(step, SaveImaged) else step(item)

    labels = np.asarray(item["pred"])
    assert labels.shape == (1, *shape) and set(np.unique(labels)) <= set(range(6))
    assert len(np.unique(labels)) > 1
    np.testing.assert_allclose(np.asarray(item["pred"].affine), affine, atol=1e-4)
