"""DICOM images in every transfer syntax that CT comes in, each coded by a real encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid
from pydicom.encaps import encapsulate

LOSSLESS = {
    "implicit little endian": uid.ImplicitVRLittleEndian,
    "explicit little endian": uid.ExplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "JPEG lossless (57)": uid.JPEGLossless,
    "JPEG lossless (70)": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG 2000": uid.JPEG2000Lossless,
    "HTJ2K": uid.HTJ2KLossless,
}
LOSSY = {
    "JPEG lossy, 12 bit": uid.JPEGExtended12Bit,
    "JPEG-LS near lossless": uid.JPEGLSNearLossless,
    "JPEG 2000 lossy": uid.JPEG2000,
}


def transcode(d: pydicom.Dataset, syntax: uid.UID) -> pydicom.Dataset:
    """Pixels of `d` (classic, 16 bit) in another transfer syntax, in place.

    JPEG, JPEG-LS and HTJ2K code the bits as unsigned numbers, as scanners do; the sign is told by
    the header.
    """
    import imagecodecs

    stored = d.pixel_array
    bits = stored.view(np.uint16)
    coded: bytes | None = None
    if syntax == uid.JPEGLossless:
        coded = imagecodecs.jpeg8_encode(bits, lossless=True, predictor=4, bitspersample=16)
    elif syntax == uid.JPEGLosslessSV1:
        coded = imagecodecs.jpeg8_encode(bits, lossless=True, predictor=1, bitspersample=16)
    elif syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless):
        coded = imagecodecs.jpegls_encode(bits, level=0 if syntax == uid.JPEGLSLossless else 1)
    elif syntax == uid.HTJ2KLossless:
        coded = imagecodecs.htj2k_encode(bits, reversible=True)
    elif syntax == uid.JPEGExtended12Bit:
        coded = imagecodecs.jpeg8_encode(_twelve_bits(d, stored), level=98, bitspersample=12)
    elif syntax in (uid.RLELossless, uid.JPEG2000Lossless):
        d.compress(syntax, generate_instance_uid=False)
    elif syntax == uid.JPEG2000:
        d.compress(syntax, j2k_psnr=[90], generate_instance_uid=False)
    else:
        d.PixelData = stored.astype(">i2" if syntax == uid.ExplicitVRBigEndian else "<i2").tobytes()
    if coded is not None:
        d.PixelData = encapsulate([coded])
        d["PixelData"].is_undefined_length = True
    d.file_meta.TransferSyntaxUID = syntax
    return d


def _twelve_bits(d: pydicom.Dataset, stored: np.ndarray) -> np.ndarray:
    hu = stored * float(d.RescaleSlope) + float(d.RescaleIntercept)
    d.RescaleSlope, d.RescaleIntercept = "1", "-1024"
    d.BitsStored, d.HighBit, d.PixelRepresentation = 12, 11, 0
    return np.clip(hu + 1024, 0, 4095).astype(np.uint16)


def transcode_folder(folder: Path, syntax: uid.UID, target: Path) -> Path:
    """Each DICOM file of `folder` in another transfer syntax, in `target`."""
    target.mkdir(parents=True, exist_ok=True)
    little, implicit = syntax != uid.ExplicitVRBigEndian, syntax == uid.ImplicitVRLittleEndian
    for path in sorted(folder.glob("*.dcm")):
        d = transcode(pydicom.dcmread(path), syntax)
        pydicom.dcmwrite(
            target / path.name, d, implicit_vr=implicit, little_endian=little, force_encoding=True
        )
    return target
