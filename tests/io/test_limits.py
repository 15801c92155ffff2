"""What a header claims costs no memory, and no file but the given one is opened."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom import uid

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import read_ct, read_labels
from monai_ich.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from tests.conftest import ROOT
from tests.dicom_syntax import transcode_folder
from tests.phantom import series


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("shape", [(20_000, 20_000, 1_000), (2_000, 2_000, 71)])
def test_a_nifti_that_claims_too_much_is_refused_before_it_is_read(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
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
    labels = LabelMap(
        np.zeros((4, 5, 6), np.uint8), Geometry((4, 5, 6), np.diag([1.0, 1, 5, 1])), Subtype
    )
    path = tmp_path / "a.seg.nrrd"
    write_seg_nrrd(path, labels)
    header, data = path.read_bytes().split(b"\n\n", 1)
    kept = [
        line
        for line in header.split(b"\n")
        if not any(line.startswith(new.split(b":")[0]) for new in lines)
    ]
    path.write_bytes(b"\n".join([*kept, *lines]) + b"\n\n" + data)
    return path


@pytest.mark.parametrize(
    "line",
    [
        b"line skip: 2000000000",
        b"byte skip: 12",
        b"data file: /etc/hostname",
        b"datafile: LIST",
        b"data file: fifo",
    ],
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
    "line",
    [b"space origin: (x,0,0)", b"sizes: none", b"encoding: bzip9", b"space directions: 1 2 3"],
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


def _packed_nifti(
    path: Path, shape: tuple[int, int, int], dtype: type, *, slope: float = 1.0
) -> Path:
    """A small file that unpacks to a large one of zeros."""
    import gzip

    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(np.diag([0.4, 0.4, 0.4, 1.0]), 1)
    header.set_slope_inter(slope, 0)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(header.binaryblock + bytes(4))
        for _ in range(shape[2]):
            stream.write(bytes(shape[0] * shape[1] * np.dtype(dtype).itemsize))
    return path


PEAK = """
import re, sys
from pathlib import Path
from monai_ich.core.errors import IchError
from monai_ich.core.labels import Subtype
from monai_ich.io.read import read_ct, read_labels
try:
    read_labels(sys.argv[2], Subtype) if sys.argv[1] == "labels" else read_ct(sys.argv[2])
    said = "read"
except IchError as error:
    said = error.code
print(said, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def _peak_gb_of(what: str, path: Path) -> tuple[str, float]:
    """What a process of its own says, and the most memory it held, GB."""
    words = [sys.executable, "-c", PEAK, what, str(path)]
    said, kilobytes = subprocess.run(
        words, capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    return said, int(kilobytes) / 1e6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "dtype", "slope"),
    [
        ("labels", np.int32, 1.0),
        ("labels", np.float64, 1.0),
        ("ct", np.int16, 2.0),
        ("ct", np.float64, 1.0),
    ],
)
def test_a_small_file_costs_less_than_2_gb(
    tmp_path: Path, what: str, dtype: type, slope: float
) -> None:
    path = _packed_nifti(tmp_path / "packed.nii.gz", (500, 500, 500), dtype, slope=slope)
    assert path.stat().st_size < 50 << 20
    _, peak_gb = _peak_gb_of(what, path)
    assert peak_gb < 2.0


def test_a_segmentation_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    import gzip

    path = _edited(tmp_path)
    header, data = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(header + b"\n\n" + gzip.compress(gzip.decompress(data) + bytes(1 << 20)))
    with pytest.raises(IchError, match="TOO_LARGE"):
        read_seg_nrrd(path, Subtype)


@pytest.mark.slow
def test_a_deflated_image_that_unpacks_to_more_than_any_image_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    series(folder / "plain")
    transcode_folder(folder / "plain", uid.DeflatedExplicitVRLittleEndian, folder)
    first = sorted(folder.glob("*.dcm"))[15]
    raw = first.read_bytes()
    start = 144 + int.from_bytes(raw[140:144], "little")
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = pack.compress(zlib.decompress(raw[start:], -15))
    for _ in range(700):
        bomb += pack.compress(bytes(1 << 20))
    first.write_bytes(raw[:start] + bomb + pack.flush())
    for path in (folder / "plain").iterdir():
        path.unlink()
    said, peak_gb = _peak_gb_of("ct", folder)
    assert said != "read" and peak_gb < 0.8
