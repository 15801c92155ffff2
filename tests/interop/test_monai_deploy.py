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

from monai_ich.core.labels import Subtype
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from monai_ich.pacs.seg_read import read_dicom_seg
from monai_ich.synth.dataset import design_case, write_case
from tests.conftest import ROOT

DEPLOY = ROOT / ".deploy-venv" / "bin" / "python"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not DEPLOY.exists(), reason=f"MONAI Deploy is not installed ({DEPLOY} is missing)"
    ),
]


@pytest.mark.parametrize("tilt_deg", [15.0, 0.0])
def test_seg_of_deploy_holds_the_mask_of_inference(tilt_deg: float, tmp_path: Path) -> None:
    case = design_case(77, pixels=96, thickness_mm=6.0, tilt_deg=tilt_deg)
    study = write_case(case, tmp_path / "head", dicom=True, thickness=False) / "dicom"
    bundle = ROOT / "bundles" / "ich_segmentation"
    command = [DEPLOY, ROOT / "examples" / "monai_deploy" / "app.py"]
    command += ["-i", study, "-o", tmp_path / "out", "-m", bundle]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        ["bash", "-c", 'ulimit -s 32768; exec "$@"', "deploy", *map(str, command)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,  # a graph that never ends is an error
    )
    assert found.returncode == 0, found.stderr[-2000:]

    ct = read_ct(study).volume
    write_nifti(tmp_path / "scans" / "ct.nii.gz", ct)
    run = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(bundle)]
    run += ["--config_file", str(bundle / "configs" / "inference.yaml")]
    run += ["--dataset_dir", str(tmp_path / "scans"), "--output_dir", str(tmp_path / "masks")]
    subprocess.run(run, check=True, cwd=tmp_path, capture_output=True)
    (path,) = (tmp_path / "masks").rglob("*.nii.gz")
    mask = np.asarray(nib.load(path).dataobj)
    seg = read_dicom_seg(tmp_path / "out" / "seg.dcm", Subtype, grid=ct.geometry)
    assert np.array_equal(seg.voxels, np.where(mask <= len(Subtype), mask, 0)) and mask.any()
