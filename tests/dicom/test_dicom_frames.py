"""Decoders are ours to choose: none under the GPL, none that ends the process, none that takes
memory for a claim.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from monai_ich.core.errors import IchError
from monai_ich.dicom.frames import decode_frame, stream_size
from tests.conftest import ROOT
from tests.dicom_syntax import LOSSLESS, LOSSY, transcode
from tests.phantom import files, series

COMPRESSED = {n: s for n, s in {**LOSSLESS, **LOSSY}.items() if s.is_encapsulated}
WITH_SIZE = [name for name in COMPRESSED if name != "RLE"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slice through the middle of the phantom."""
    return files(series(tmp_path_factory.mktemp("plain")))[15]


@pytest.mark.parametrize("name", COMPRESSED)
def test_stored_values_come_back(plain: Path, name: str) -> None:
    original = pydicom.dcmread(plain)
    hu = original.pixel_array * float(original.RescaleSlope) + float(original.RescaleIntercept)
    d = transcode(pydicom.dcmread(plain), COMPRESSED[name])
    found = decode_frame(d) * float(d.RescaleSlope) + float(d.RescaleIntercept)
    assert np.abs(found - hu).max() <= (20 if name in LOSSY else 0)


@pytest.mark.parametrize(
    "name", [n for n in COMPRESSED if n.startswith("JPEG") and "2000" not in n]
)
def test_another_decoder_sees_the_same(plain: Path, tmp_path: Path, name: str) -> None:
    """What encodes in these tests must not be believed only by what decodes."""
    d = transcode(pydicom.dcmread(plain), COMPRESSED[name])
    path = tmp_path / "one.dcm"
    pydicom.dcmwrite(path, d, implicit_vr=False, little_endian=True, force_encoding=True)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]
    ours = decode_frame(d) * float(d.RescaleSlope) + float(d.RescaleIntercept)
    assert np.abs(theirs - ours).max() <= (1 if name in LOSSY else 0)


def test_neither_the_gpl_decoder_nor_gdcm_is_needed(plain: Path, tmp_path: Path) -> None:
    """All syntaxes are read in a process in which neither can be imported."""
    for n, syntax in enumerate(COMPRESSED.values()):
        d = transcode(pydicom.dcmread(plain), syntax)
        pydicom.dcmwrite(
            tmp_path / f"{n}.dcm", d, implicit_vr=False, little_endian=True, force_encoding=True
        )
    code = """
import importlib.metadata, sys
sys.modules["libjpeg"] = sys.modules["gdcm"] = None
found = importlib.metadata.entry_points
def without(**how):
    return [e for e in found(**how) if not e.value.startswith("libjpeg")]
importlib.metadata.entry_points = without
import pathlib, pydicom
from monai_ich.dicom.frames import decode_frame
for path in pathlib.Path(sys.argv[1]).iterdir():
    decode_frame(pydicom.dcmread(path))
    print(path.name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and len(done.stdout.split()) == len(COMPRESSED), done.stderr


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("signed", [0, 1])
def test_a_sign_is_told_by_the_header_and_unused_bits_are_taken_off(
    plain: Path, bits: int, signed: int
) -> None:
    import imagecodecs

    values = np.arange(64, dtype=np.int16).reshape(8, 8) - (32 if signed else 0)
    d = pydicom.dcmread(plain)
    d.Rows = d.Columns = 8
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = (16, bits, bits - 1, signed)
    stored = (values & ((1 << bits) - 1)).astype(np.uint16)
    coded = imagecodecs.jpeg8_encode(
        stored, lossless=True, predictor=1, bitspersample=bits if bits > 8 else 16
    )
    d.PixelData, d.file_meta.TransferSyntaxUID = encapsulate([coded]), uid.JPEGLosslessSV1
    assert np.array_equal(decode_frame(d), values)


@pytest.mark.parametrize("name", WITH_SIZE)
def test_a_stream_that_claims_another_size_takes_no_memory(plain: Path, name: str) -> None:
    d = transcode(pydicom.dcmread(plain), COMPRESSED[name])
    stream = bytearray(get_frame(d.PixelData, 0, number_of_frames=1))
    assert stream_size(bytes(stream)) == (d.Rows, d.Columns)
    rows, columns = (int(n).to_bytes(2, "big") for n in (d.Rows, d.Columns))
    both = {
        rows + columns: b"\xff\xf0\xff\xf0",
        b"\0\0" + columns + b"\0\0" + rows: b"\0\0\xff\xf0\0\0\xff\xf0",
    }
    for old, new in both.items():
        stream = stream.replace(old, new, 1)
    assert stream_size(bytes(stream)) == (0xFFF0, 0xFFF0)
    d.PixelData = encapsulate([bytes(stream)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(IchError, match="CORRUPT_PIXEL_DATA"):
        decode_frame(d)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_cut_stream_is_refused(plain: Path, name: str) -> None:
    d = transcode(pydicom.dcmread(plain), COMPRESSED[name])
    stream = get_frame(d.PixelData, 0, number_of_frames=1)
    d.PixelData = encapsulate([stream[: len(stream) // 3]])
    with pytest.raises(IchError, match="CORRUPT_PIXEL_DATA"):
        decode_frame(d)


def test_a_damaged_run_length_stream_is_refused_though_its_decoder_panics(plain: Path) -> None:
    """The decoder is written in Rust: its panic is no `Exception` (pydicom 3.0, pylibjpeg-rle
    2.2).
    """
    d = transcode(pydicom.dcmread(plain), uid.RLELossless)
    stream = get_frame(d.PixelData, 0, number_of_frames=1)
    rng = np.random.default_rng(0)
    panicked = 0
    for _ in range(40):
        damaged = bytearray(stream)
        for place in rng.integers(64, len(stream), 3):
            damaged[place] = rng.integers(256)
        d.PixelData = encapsulate([bytes(damaged)])
        try:
            decode_frame(d)
        except IchError as error:
            panicked += type(error.__cause__).__name__ == "PanicException"
            assert error.code == "CORRUPT_PIXEL_DATA"
    assert panicked
