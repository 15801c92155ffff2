"""How large an input may say it is, before any memory is taken for it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import BinaryIO

from monai_ich.core.errors import InputError

MOST_VOXELS = 200_000_000  # 512 x 512 x 762: more than any head CT, 0.8 GB in float32
_MOST_FLOATS = 112_000_000  # where more than one copy of 4 bytes is needed meanwhile
_MOST_STORED_BYTES = 1_100_000_000
_BLOCK = 1 << 20


def require_size(shape: Iterable[int]) -> None:
    """Refuse a size that no head CT has: of a damaged or hostile header, not of an image.

    Raises:
        InputError: ``TOO_LARGE``.
    """
    sizes = [int(n) for n in shape]
    if min(sizes, default=0) < 0 or math.prod(sizes) > MOST_VOXELS:
        found = " x ".join(map(str, sizes[:6]))
        raise InputError(
            "TOO_LARGE",
            f"A head CT has at most {MOST_VOXELS // 1_000_000} million voxels, the header says "
            f"{found}.",
        )


def require_stored_size(shape: Iterable[int], item_bytes: int, *, fractions: bool) -> None:
    """As `require_size`, for voxels that are stored in `item_bytes` each.

    Raises:
        InputError: ``TOO_LARGE``.
    """
    sizes = [int(n) for n in shape]
    require_size(sizes)
    count = math.prod(sizes)
    if count * item_bytes > _MOST_STORED_BYTES or (fractions and count > _MOST_FLOATS):
        raise InputError(
            "TOO_LARGE",
            "The voxels take more memory than any head CT: store whole numbers in 16 bits.",
        )


def require_inflated(stream: BinaryIO, most_bytes: int, *, wbits: int) -> None:
    """Refuse what unpacks to more than it should: 5 MB of zeros that were packed are 5 GB.

    Args:
        stream: packed data, from where it stands to its end.
        most_bytes: that it may unpack to.
        wbits: of zlib: -15 for a bare deflate stream, 31 for gzip.

    Raises:
        InputError: ``TOO_LARGE``.
        zlib.error: where it is damaged.
    """
    unpack, count = zlib.decompressobj(wbits), 0
    waiting = stream.read(_BLOCK)
    while waiting and not unpack.eof:
        count += len(unpack.decompress(waiting, _BLOCK))
        if count > most_bytes:
            raise InputError(
                "TOO_LARGE",
                "The file unpacks to more than its header says, or than any image takes.",
            )
        waiting = unpack.unconsumed_tail or stream.read(_BLOCK)
