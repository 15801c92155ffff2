"""`monai-ich calibrate`: a study of scans with masks, then what was learned of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monai_ich.calibration.scans import calibrate_on
from monai_ich.core.errors import ManifestError
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from monai_ich.manifest.manifest import Case, Manifest, write_manifest
from tests.study.stub import build, write_head

HEADS = 10


def _manifest(folder: Path, *, mapping: dict[int, str]) -> Path:
    """Heads whose masks hold 160 voxels of value 2."""
    image, label = write_head(folder / "ct.nii.gz"), folder / "mask.nii.gz"
    ct = read_ct(image).volume
    voxels = np.zeros(ct.geometry.shape, np.uint8)
    voxels[20:24, 20:24, 5:15] = Subtype.IPH
    write_nifti(label, LabelMap(voxels, ct.geometry, Subtype))
    cases = tuple(Case(f"case_{n}", "validation", (image,), label) for n in range(HEADS))
    write_manifest(folder / "m.json", Manifest("made up", cases, mapping))
    return folder / "m.json"


@pytest.mark.slow
def test_calibration_holds_what_the_study_found(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, mapping={2: "IPH"})
    found, failed = calibrate_on(
        manifest, tmp_path / "study", split="validation", build=build, settings="s"
    )
    assert (
        failed == 0
        and found.data == "made up, validation split, 10 scans"
        and len(found.weights_sha256) == 64
    )
    iph = found.of["IPH"]
    assert (iph.present, iph.scans) == (HEADS, HEADS) and found.of["EDH"].present == 0
    true_ml = 160 * read_ct(tmp_path / "ct.nii.gz").volume.geometry.voxel_ml
    found_ml = json.loads((tmp_path / "study/cases/case_0/measurements.json").read_text())[
        "total_volume_ml"
    ]
    error = (
        true_ml - found_ml
    ) / 0.1  # the stub has no evidence, so that nothing but the least scale is left
    assert iph.where_found == pytest.approx((error, error), abs=0.01)


def test_what_cannot_be_calibrated_on_is_refused(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, mapping={2: "any"})
    with pytest.raises(ManifestError, match="NO_SUBTYPE"):
        calibrate_on(manifest, tmp_path / "study", split="validation", build=build, settings="s")
    manifest = _manifest(tmp_path, mapping={2: "IPH"})
    with pytest.raises(ManifestError, match="NO_MASKS"):
        calibrate_on(manifest, tmp_path / "study", split="test", build=build, settings="s")
    assert not (tmp_path / "study").exists()
