"""The app of examples/monai_deploy on MONAI Deploy's own runtime: its SEG holds the mask of
``inference.yaml`` on a straight and on a tilted series.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import CTVolume
from monai_ich.dicom.write import write_ct_series
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from monai_ich.pacs.seg_read import read_dicom_seg
from tests.bundles.tiny import tiny_head
from tests.conftest import ROOT

DEPLOY = ROOT / ".deploy-venv" / "bin" / "python"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not DEPLOY.exists(), reason=f"MONAI Deploy is not installed ({DEPLOY} is missing)"
    ),
]


@pytest.mark.parametrize("tilt_deg", [0.0, 15.0])
def test_seg_of_deploy_holds_the_mask_of_inference(tilt_deg: float, tmp_path: Path) -> None:
    hu, _, _, affine = tiny_head(1, tilt_deg=tilt_deg)
    head = CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine))
    write_ct_series(head, tmp_path / "study", seed=1, slice_thickness_mm=6.0)
    bundle = ROOT / "bundles" / "ich_segmentation"
    command = [DEPLOY, ROOT / "examples" / "monai_deploy" / "app.py"]
    command += ["-i", tmp_path / "study", "-o", tmp_path / "out", "-m", bundle]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        ["bash", "-c", 'ulimit -s 32768; exec "$@"', "deploy", *map(str, command)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert found.returncode == 0, found.stderr[-2000:]

    ct = read_ct(tmp_path / "study").volume
    write_nifti(tmp_path / "scans" / "ct.nii.gz", ct)
    run = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(bundle)]
    run += ["--config_file", str(bundle / "configs" / "inference.yaml")]
    run += ["--dataset_dir", str(tmp_path / "scans"), "--output_dir", str(tmp_path / "masks")]
    subprocess.run(run, check=True, cwd=tmp_path, capture_output=True)
    (path,) = (tmp_path / "masks").rglob("*.nii.gz")
    mask = np.asarray(nib.load(path).dataobj)
    seg = read_dicom_seg(tmp_path / "out" / "seg.dcm", Subtype, grid=ct.geometry)
    assert np.array_equal(seg.voxels, np.where(mask <= len(Subtype), mask, 0)) and mask.any()
