"""Whether values can be Hounsfield units of a head CT."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import InputError


def require_hu(hu: NDArray[np.float32]) -> None:
    """Refuse what cannot be a head CT in HU: it needs air or fat (below -100) and soft tissue (0 to 100).

    A CT cut to a window such as [-200, 400] passes, since soft tissue keeps its values; one scaled to 0..1 or
    0..255 has no negative values and does not.

    Raises:
        InputError: ``NOT_HU``.
    """
    sample = hu[tuple(slice(None, None, max(1, n // 128)) for n in hu.shape)]
    low, high = float(sample.min()), float(sample.max())
    soft = float(((sample > 0) & (sample < 100)).mean())
    if low > -100.0 or high < 50.0 or soft < 0.01:
        raise InputError(
            "NOT_HU",
            f"Hounsfield units need air or fat below -100 and soft tissue between 0 and 100, found values from "
            f"{low:.4g} to {high:.4g}: give the CT before windowing.",
        )
