"""Stored pixels to Hounsfield units, slice by slice; padding becomes air before anything else
touches it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import HTJ2K, JPEG2000

from monai_ich.core.errors import SeriesError
from monai_ich.core.volume import AIR_HU
from monai_ich.dicom.frames import decode_frame
from monai_ich.dicom.instance import Instance, is_same_image, open_dicom
from monai_ich.io.limits import require_size
from monai_ich.io.quiet import quiet

_SURELY_AIR_HU = -900.0
_MAX_SIDE = 4096


class Slices(NamedTuple):
    """Decoded images of a series.

    Args:
        hu: ``(I, J, N)`` (columns, rows, slices), each slice contiguous.
        odd_border: whether a border held values that are no air though no tag announced padding.
        lossy: whether pixels were coded with loss, by their own account.
    """

    hu: NDArray[np.float32]
    odd_border: bool
    lossy: bool


def read_slices(instances: list[Instance], *, assume_hu: bool) -> Slices:
    """Decode and rescale images, several at a time.

    Args:
        instances: in slice order, all of one size.
        assume_hu: take stored values as HU where an image has no rescale.

    Raises:
        InputError: ``TOO_LARGE``.
        SeriesError: ``CHANGED_WHILE_READING``, ``NO_RESCALE``, ``UNSUPPORTED_TRANSFER_SYNTAX``,
            ``CORRUPT_PIXEL_DATA``, ``TRUNCATED_FILE``.
    """
    first = instances[0]
    if not 0 < min(first.rows, first.columns) <= max(first.rows, first.columns) <= _MAX_SIDE:
        raise SeriesError(
            "CORRUPT_PIXEL_DATA", f"Images of {first.columns} x {first.rows} pixels are no CT."
        )
    require_size((len(instances), first.rows, first.columns))
    hu = np.empty((len(instances), first.rows, first.columns), np.float32)
    with quiet("pydicom"), ThreadPoolExecutor() as pool:
        shared = {path: _open(path) for path in {i.path for i in instances if i.frame is not None}}

        def read(n: int) -> tuple[bool, bool]:
            instance = instances[n]
            image = shared[instance.path] if instance.path in shared else _open(instance.path)
            try:
                require_same_image(is_same_image(image, instance))
                return _read_slice(image, instance, hu[n], assume_hu=assume_hu), _is_lossy(image)
            except SeriesError:
                raise
            except (
                Exception
            ) as error:  # damaged attributes fail in many ways, when they are first looked at
                raise SeriesError(
                    "CORRUPT_PIXEL_DATA", "The pixels of an image cannot be described."
                ) from error

        odd, lossy = zip(*pool.map(read, range(len(instances))), strict=True)
    return Slices(hu.transpose(2, 1, 0), any(odd), any(lossy))


def require_same_image(is_same: bool) -> None:
    """Refuse a file that is not what it was when the series was chosen.

    Raises:
        SeriesError: ``CHANGED_WHILE_READING``.
    """
    if not is_same:
        raise SeriesError(
            "CHANGED_WHILE_READING",
            "A file of the series was exchanged or removed while it was read, so its images may "
            "be of two patients: "
            "wait until all files are there, then start again.",
        )


def _open(path: Path) -> Any:
    try:
        return open_dicom(path, header_only=False)
    except FileNotFoundError:
        return None
    except Exception as error:
        raise SeriesError(
            "TRUNCATED_FILE", "An image of the series cannot be read to its end."
        ) from error


def _read_slice(
    image: Any, instance: Instance, hu: NDArray[np.float32], *, assume_hu: bool
) -> bool:
    if instance.rescale is None and not assume_hu:
        raise SeriesError(
            "NO_RESCALE",
            "An image has no rescale to Hounsfield units: pass --assume-hu if it is HU.",
        )
    slope, intercept = instance.rescale or (1.0, 0.0)
    stored = _stored(image, instance)
    np.multiply(stored, np.float32(slope), out=hu, casting="unsafe")
    hu += np.float32(intercept)
    padding = _padding(image, stored)
    if padding is not None:
        seen = hu[padding]
        hu[
            padding if not seen.size or seen.max() <= _SURELY_AIR_HU else _touching_border(padding)
        ] = AIR_HU
    border = _odd_border(hu)
    if border is not None:
        hu[border] = AIR_HU
    return border is not None


def _stored(image: Any, instance: Instance) -> NDArray[Any]:
    if "PixelData" not in image:
        raise SeriesError("TRUNCATED_FILE", "An image of the series ends before its pixels.")
    stored = decode_frame(image, instance.frame or 0)
    if stored.shape != (instance.rows, instance.columns):
        raise SeriesError(
            "CORRUPT_PIXEL_DATA", f"An image is {stored.shape}, not as large as its header says."
        )
    return stored


def _is_lossy(image: Any) -> bool:
    """Whether a JPEG 2000 or HTJ2K stream that may hold either is coded by the irreversible (9-7)
    wavelet.

    References:
        ISO/IEC 15444-1 A.6.1: the last byte of the COD segment is 0 for 9-7, 1 for the reversible
        5-3.
    """
    if image.file_meta.TransferSyntaxUID not in (JPEG2000, HTJ2K):
        return False
    data = image.PixelData
    at = data.find(b"\xff\x4f\xff\x51") + 2
    while at >= 2 and data[at : at + 1] == b"\xff":
        if data[at + 1] == 0x52:
            return bool(data[at + 13] == 0)
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return False


def _padding(image: Any, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Pixels that hold the padding value or lie in its range; compared as stored, sign by
    PixelRepresentation.

    Where the value would read as tissue (0 of a signed image, say) the caller takes only what
    touches the border, since single voxels of tissue may hold it too.
    """
    value, limit = image.get("PixelPaddingValue"), image.get("PixelPaddingRangeLimit")
    if value is None:
        return None
    bits = int(image.BitsStored)

    def as_stored(number: Any) -> int:
        whole = int(number) % (1 << bits)
        signed = int(image.PixelRepresentation) == 1 and whole >= 1 << (bits - 1)
        return whole - (1 << bits) if signed else whole

    ends = sorted((as_stored(value), as_stored(limit if limit is not None else value)))
    return np.asarray((stored >= ends[0]) & (stored <= ends[1]))


def _touching_border(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy import ndimage  # a third of the time of an import; seldom needed

    pieces = ndimage.label(region)[0]
    edge = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    return np.asarray(np.isin(pieces, np.unique(edge[edge > 0])))


def _odd_border(hu: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """A constant border that is not air, all four corners in it: padding that no tag announced.
    None if there is none.

    A real image has air there, or noise.
    """
    corners = {float(hu[r, c]) for r in (0, -1) for c in (0, -1)}
    value = corners.pop()
    if corners or value <= _SURELY_AIR_HU:
        return None
    return _touching_border(hu == value)
