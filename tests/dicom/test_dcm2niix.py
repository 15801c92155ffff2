"""Where nothing is resampled and the gantry is not tilted, dcm2niix and we write the same voxels at
the same places.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from tests.dicom_cases import CASES, Case

DCM2NIIX = Path(sys.executable).parent / "dcm2niix"
ALIKE = (
    "ascending",
    "descending",
    "InstanceNumber scrambled",
    "overlapping slices",
    "head turned 20, 10, 30 degrees",
    "decubitus right",
    "decubitus left",
    "prone",
    "feet first",
    "pixels 2.56 x 3.2 mm",
    "rescale of each slice its own",
    "big endian",
    "RLE",
    "JPEG lossless (70)",
    "JPEG-LS",
    "JPEG 2000",
)


@pytest.mark.slow
@pytest.mark.skipif(not DCM2NIIX.exists(), reason="dcm2niix is not installed")
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in ALIKE], ids=lambda case: case.name
)
def test_voxel_for_voxel_as_dcm2niix(tmp_path: Path, case: Case) -> None:
    for name in ("dicom", "out"):
        (tmp_path / name).mkdir()
    case.write(tmp_path / "dicom")
    options = ["-z", "n", "-b", "n", "-f", "theirs", "-o", str(tmp_path / "out")]
    subprocess.run(
        [str(DCM2NIIX), *options, str(tmp_path / "dicom")], check=True, capture_output=True
    )
    write_nifti(tmp_path / "ours.nii", read_ct(tmp_path / "dicom").volume)
    theirs = nib.as_closest_canonical(nib.load(tmp_path / "out" / "theirs.nii"))
    ours = nib.as_closest_canonical(nib.load(tmp_path / "ours.nii"))
    assert np.allclose(ours.affine, theirs.affine, atol=1e-3)
    assert np.array_equal(
        np.asarray(ours.dataobj), np.clip(np.rint(theirs.get_fdata()), -1024, 3071)
    )


def test_every_case_named_here_is_in_the_table() -> None:
    assert set(ALIKE) <= {case.name for case in CASES}
