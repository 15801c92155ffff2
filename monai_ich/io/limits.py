"""How large an input may say it is, before any memory is taken for it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from monai_ich.core.errors import InputError

MOST_VOXELS = 280_000_000  # 512 x 512 x 1,068: more than any head CT, 1.1 GB in float32


def require_size(shape: Iterable[int]) -> None:
    """Refuse a size that no head CT has: of a damaged or hostile header, not of an image.

    Raises:
        InputError: ``TOO_LARGE``.
    """
    sizes = [int(n) for n in shape]
    if min(sizes, default=0) < 0 or math.prod(sizes) > MOST_VOXELS:
        found = " x ".join(map(str, sizes[:6]))
        raise InputError(
            "TOO_LARGE", f"A head CT has at most {MOST_VOXELS // 1_000_000} million voxels, the header says {found}."
        )
