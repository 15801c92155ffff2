"""What is no head is refused; a head is analyzed on the head, whatever lies below it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from monai_ich.anatomy.cavity import segment_anatomy
from monai_ich.bundle import load_bundle
from monai_ich.cli.app import main
from monai_ich.io.nifti import write_nifti
from monai_ich.measure.plausibility import require_head
from monai_ich.synth.dataset import design_case, write_case
from tests.bodies import BODIES, STEP_MM, on_shoulders, scan

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", BODIES)
def test_another_part_of_the_body_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_nifti(tmp_path / "ct.nii.gz", scan(BODIES[name]()))
    assert main(["analyze", str(tmp_path / "ct.nii.gz"), "-o", str(tmp_path / "out")]) == 3
    assert "NO_HEAD" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_head_on_neck_and_shoulders_is_analyzed_on_the_head(tmp_path: Path) -> None:
    case = design_case(720_001, pixels=128, thickness_mm=4.0)
    case = replace(case, scanner=replace(case.scanner, window_hu=None, pictures=None))
    image = nib.as_closest_canonical(
        nib.load(write_case(case, tmp_path, thickness=False) / "ct.nii.gz")
    )
    steps = np.linalg.norm(image.affine[:3, :3], axis=0) / STEP_MM
    head = ndimage.zoom(np.asarray(image.dataobj, float), steps, order=1)
    alone, whole = scan(head), scan(on_shoulders(head))
    bundle = load_bundle("head_ct_anatomy", device="cpu")
    expected, found = (segment_anatomy(ct, bundle=bundle) for ct in (alone, whole))
    require_head(whole, found)
    below = whole.hu.shape[2] - head.shape[2]
    assert not found.voxels[:, :, : below - 1].any(), "no cavity in neck and chest"
    assert found.mask().volume_ml == pytest.approx(expected.mask().volume_ml, rel=0.03)
