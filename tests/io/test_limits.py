"""What a header claims costs no memory, and no file but the given one is opened."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import read_ct, read_labels
from monai_ich.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("shape", [(20_000, 20_000, 1_000), (2_000, 2_000, 71)])
def test_a_nifti_that_claims_too_much_is_refused_before_it_is_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    header.set_sform(np.eye(4), 1)
    header["vox_offset"] = 352
    path = tmp_path / "large.nii"
    with path.open("wb") as stream:
        stream.write(header.binaryblock + bytes(1000))
    before = _peak_mb()
    for read in (read_ct, lambda p: read_labels(p, Subtype)):
        with pytest.raises(IchError, match="TOO_LARGE"):
            read(path)
    assert _peak_mb() - before < 100


def _edited(tmp_path: Path, *lines: bytes) -> Path:
    labels = LabelMap(np.zeros((4, 5, 6), np.uint8), Geometry((4, 5, 6), np.diag([1.0, 1, 5, 1])), Subtype)
    path = tmp_path / "a.seg.nrrd"
    write_seg_nrrd(path, labels)
    header, data = path.read_bytes().split(b"\n\n", 1)
    kept = [line for line in header.split(b"\n") if not any(line.startswith(new.split(b":")[0]) for new in lines)]
    path.write_bytes(b"\n".join([*kept, *lines]) + b"\n\n" + data)
    return path


@pytest.mark.parametrize(
    "line",
    [b"line skip: 2000000000", b"byte skip: 12", b"data file: /etc/hostname", b"datafile: LIST", b"data file: fifo"],
)
def test_a_segmentation_holds_its_own_voxels(tmp_path: Path, line: bytes) -> None:
    os.mkfifo(tmp_path / "fifo")  # opening it would never end
    with pytest.raises(IchError, match="NOT_SEG_NRRD") as error:
        read_seg_nrrd(_edited(tmp_path, line), Subtype)
    assert "hostname" not in str(error.value)


@pytest.mark.parametrize("line", [b"sizes: 4000 4000 4000", b"sizes: -4 5 6"])
def test_a_segmentation_that_claims_too_much_is_refused(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(IchError, match="TOO_LARGE"):
        read_seg_nrrd(_edited(tmp_path, line), Subtype)


@pytest.mark.parametrize(
    "line", [b"space origin: (x,0,0)", b"sizes: none", b"encoding: bzip9", b"space directions: 1 2 3"]
)
def test_a_damaged_header_is_a_refusal(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(IchError, match="NOT_SEG_NRRD"):
        read_seg_nrrd(_edited(tmp_path, line), Subtype)


def test_damaged_voxels_are_a_refusal(tmp_path: Path) -> None:
    path = _edited(tmp_path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-20] + bytes(20))
    with pytest.raises(IchError, match="NOT_SEG_NRRD"):
        read_seg_nrrd(path, Subtype)
