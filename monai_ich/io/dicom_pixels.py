"""Stored pixels of one image to Hounsfield units; padding becomes air before anything else touches it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from monai_ich.core.errors import SeriesError
from monai_ich.core.volume import AIR_HU


@dataclass(frozen=True, eq=False)
class Slice:
    """One image: float32 HU ``(I, J)`` (columns, rows), and whether its border held values that are no HU."""

    hu: NDArray[np.float32]
    odd_padding: bool


def read_slice(path: Path, *, assume_hu: bool) -> Slice:
    """Decode one image and rescale it.

    Raises:
        SeriesError: ``NO_RESCALE``, ``UNSUPPORTED_TRANSFER_SYNTAX``, ``CORRUPT_PIXEL_DATA``, ``TRUNCATED_FILE``.
    """
    try:
        image = pydicom.dcmread(path)
    except Exception as error:
        raise SeriesError("TRUNCATED_FILE", "An image of the series cannot be read to its end.") from error
    slope, intercept = image.get("RescaleSlope"), image.get("RescaleIntercept")
    if slope is None or intercept is None:
        if not assume_hu:
            raise SeriesError(
                "NO_RESCALE", "An image has no rescale to Hounsfield units: pass --assume-hu if it is HU."
            )
        slope, intercept = 1.0, 0.0
    stored = _stored(image)
    padding = _padding(image, stored)
    hu = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    hu[padding] = AIR_HU
    border, odd = _odd_border(hu)
    hu[border] = AIR_HU
    return Slice(np.ascontiguousarray(hu.T), odd)


def _stored(image: Any) -> NDArray[Any]:
    if "PixelData" not in image:
        raise SeriesError("CORRUPT_PIXEL_DATA", "An image of the series holds no pixels.")
    syntax = image.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        expected = int(image.Rows) * int(image.Columns) * int(image.BitsAllocated) // 8
        if len(image.PixelData) < expected:
            raise SeriesError("TRUNCATED_FILE", "An image of the series ends before its last pixel.")
    try:
        stored: NDArray[Any] = image.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        raise SeriesError(
            "UNSUPPORTED_TRANSFER_SYNTAX",
            f"Images in {syntax.name} need a decoder that is not installed (see pylibjpeg[all]), or are damaged.",
        ) from error
    except Exception as error:
        raise SeriesError("CORRUPT_PIXEL_DATA", "The pixels of an image cannot be decoded.") from error
    if stored.ndim != 2:
        raise SeriesError("CORRUPT_PIXEL_DATA", f"A CT image has two dimensions, found shape {stored.shape}.")
    return stored


def _padding(image: Any, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels that hold the padding value or lie in its range; compared as stored, sign by PixelRepresentation."""
    value, limit = image.get("PixelPaddingValue"), image.get("PixelPaddingRangeLimit")
    if value is None:
        return np.zeros(stored.shape, np.bool_)
    bits = int(image.BitsAllocated)

    def as_stored(number: Any) -> int:
        whole = int(number) % (1 << bits)
        signed = int(image.PixelRepresentation) == 1 and whole >= 1 << (bits - 1)
        return whole - (1 << bits) if signed else whole

    ends = sorted((as_stored(value), as_stored(limit if limit is not None else value)))
    return np.asarray((stored >= ends[0]) & (stored <= ends[1]))


def _odd_border(hu: NDArray[np.float32]) -> tuple[NDArray[np.bool_], bool]:
    """A constant border that is far above any tissue: padding that no tag announced."""
    corners = {float(hu[r, c]) for r in (0, -1) for c in (0, -1)}
    value = corners.pop()
    if corners or value < 1500.0:
        return np.zeros(hu.shape, np.bool_), False
    return np.asarray(hu == value), True
