"""One image of a DICOM object, decoded: by which decoder, and only where its stream is as large as
the header says.

Decoders are named, not left to what is installed: `pylibjpeg-libjpeg` is GPL-3.0, and GDCM ends the
whole process at a damaged JPEG stream. JPEG (baseline, extended, lossless) is read by libjpeg-turbo
through imagecodecs, JPEG-LS by CharLS through pyjpegls, JPEG 2000 and HTJ2K by OpenJPEG, RLE by
pylibjpeg-rle: BSD and MIT all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array

from monai_ich.core.errors import SeriesError, is_failure

JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
PLUGINS: Mapping[str, str] = {
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "pyjpegls"),
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), "pylibjpeg"),
    **dict.fromkeys((uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), "pylibjpeg"),
    uid.RLELossless: "pylibjpeg",
}
_NO_FRAME = frozenset(
    {0xC4, 0xC8, 0xCC}
)  # tables and reserved markers among those that begin a JPEG frame


def decode_frame(image: Any, frame: int = 0) -> NDArray[Any]:
    """Stored values of one frame, as the header describes them (signed or not, unused bits taken
    off).

    Args:
        image: a dataset with pixel data.
        frame: its number, from 0.

    Returns:
        ``(rows, columns)``.

    Raises:
        SeriesError: ``UNSUPPORTED_TRANSFER_SYNTAX``, ``TRUNCATED_FILE``, ``CORRUPT_PIXEL_DATA``.
    """
    syntax = image.file_meta.TransferSyntaxUID
    if not can_decode(syntax):
        raise SeriesError(
            "UNSUPPORTED_TRANSFER_SYNTAX",
            f"Images in {_name(syntax)} are not read: decompress them.",
        )
    if not syntax.is_compressed:
        bits = (
            int(image.Rows)
            * int(image.Columns)
            * int(image.BitsAllocated)
            * int(image.get("NumberOfFrames") or 1)
        )
        if len(image.PixelData) < bits // 8:
            raise SeriesError(
                "TRUNCATED_FILE", "An image of the series ends before its last pixel."
            )
    try:
        if syntax.is_compressed and syntax != uid.DeflatedExplicitVRLittleEndian:
            _require_same_size(stream := _stream(image, frame), image)
            if syntax in JPEG:
                return _decode_jpeg(stream, image)
        decoded: NDArray[Any] = pixel_array(
            image, index=frame, decoding_plugin=PLUGINS.get(syntax, "")
        )
    except BaseException as error:
        if not is_failure(error):
            raise
        raise SeriesError(
            "CORRUPT_PIXEL_DATA", f"The pixels of an image ({_name(syntax)}) cannot be decoded."
        ) from error
    return decoded


def can_decode(syntax: Any) -> bool:
    """Whether images of a transfer syntax can be read, by the decoder that was chosen for it."""
    try:
        if not syntax.is_transfer_syntax:
            return False
        if syntax in JPEG:
            return True
        decoder = get_decoder(syntax)
    except (NotImplementedError, ValueError):
        return False
    return syntax not in PLUGINS or PLUGINS[syntax] in decoder.available_plugins


def _name(syntax: Any) -> str:
    """What DICOM calls a syntax; the UID of a private one may be anybody's."""
    return (
        str(syntax.name)
        if syntax.is_transfer_syntax and not syntax.is_private
        else "a private transfer syntax"
    )


def _stream(image: Any, frame: int) -> bytes:
    table = image.get("ExtendedOffsetTable"), image.get("ExtendedOffsetTableLengths")
    count = int(image.get("NumberOfFrames") or 1)
    return get_frame(
        image.PixelData,
        frame,
        number_of_frames=count,
        extended_offsets=table if all(table) else None,
    )


def _require_same_size(stream: bytes, image: Any) -> None:
    """Before anything is decoded: a stream that claims another size takes as much memory as it
    likes.
    """
    said = stream_size(stream)
    if said is not None and said != (int(image.Rows), int(image.Columns)):
        raise ValueError("the stream holds an image of another size")


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS, JPEG 2000 or HTJ2K stream claims; None of RLE.

    References:
        ISO/IEC 10918-1 B.2.2 (start of frame), 14495-1 C.2.2, 15444-1 A.5.1 (SIZ).

    Raises:
        ValueError: for a JPEG stream without a frame.
    """
    if stream[:4] == b"\xff\x4f\xff\x51":
        right, lower, left, upper = (
            int.from_bytes(stream[at : at + 4], "big") for at in (8, 12, 16, 20)
        )
        return lower - upper, right - left
    if stream[:2] != b"\xff\xd8":
        return None
    at = _frame_header(stream)
    return int.from_bytes(stream[at + 5 : at + 7], "big"), int.from_bytes(
        stream[at + 7 : at + 9], "big"
    )


def _frame_header(stream: bytes) -> int:
    """Where the frame of a JPEG stream is described."""
    at = 2
    while stream[at : at + 1] == b"\xff":
        marker = stream[at + 1]
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME):
            return at
        at += 1 if marker == 0xFF else 2 + max(2, int.from_bytes(stream[at + 2 : at + 4], "big"))
    raise ValueError("a JPEG stream without a frame")


def _decode_jpeg(stream: bytes, image: Any) -> NDArray[Any]:
    """A gray JPEG image: samples are unsigned in the stream, the sign is told by the header."""
    from imagecodecs import jpeg8_decode

    if not stream.rstrip(b"\0").endswith(
        b"\xff\xd9"
    ):  # the decoder makes up what lies beyond a cut
        raise ValueError("the stream ends too early")
    samples = jpeg8_decode(stream)
    if samples.ndim != 2:
        raise ValueError("not one gray value for a pixel")
    allocated, stored = int(image.BitsAllocated), int(image.BitsStored)
    if allocated not in (8, 16) or not 0 < stored <= allocated or samples.itemsize * 8 > allocated:
        raise ValueError("samples that do not fit into the header's bits")
    whole = samples.astype(f"u{allocated // 8}") << (allocated - stored)
    signed = int(image.PixelRepresentation) == 1
    return np.asarray(
        whole.view(f"i{allocated // 8}" if signed else whole.dtype) >> (allocated - stored)
    )
