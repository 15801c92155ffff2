"""Whether values can be Hounsfield units of a head CT."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import InputError

_AIR_BELOW_HU = -200.0
_TISSUE_HU = (-20.0, 100.0)
_BIN_HU = 20.0


def require_hu(hu: NDArray[np.float32], *, made_air_hu: float | None = None) -> None:
    """Refuse what cannot be a head CT in HU: values below -200 (air), and soft tissue as the
    commonest value above.

    The commonest value, in bins of 20 HU from -180 up, must lie in -20..100: brain does, in any
    head CT. So a CT cut to [-200, 400] passes, since its tissue keeps its values. One scaled to
    0..1 or 0..255, one cut at -100, a standardized one and one whose offset was never applied
    (brain near 1060) do not.

    Args:
        hu: ``(I, J, K)``.
        made_air_hu: a value that the reader itself put in place of padding, so that it proves
            nothing; None if none.

    Raises:
        InputError: ``NOT_HU``.
    """
    sample = hu[tuple(slice(None, None, max(1, n // 128)) for n in hu.shape)].ravel()
    if made_air_hu is not None:
        sample = sample[sample != made_air_hu]
    low, high = float(sample.min(initial=0.0)), float(sample.max(initial=0.0))
    edges = np.arange(-180.0, 3080.0, _BIN_HU)
    counts, _ = np.histogram(sample, edges)
    commonest = float(edges[int(counts.argmax())]) + _BIN_HU / 2
    share = float(counts.max()) / max(1, sample.size)
    if low > _AIR_BELOW_HU or share < 0.002 or not _TISSUE_HU[0] < commonest < _TISSUE_HU[1]:
        raise InputError(
            "NOT_HU",
            "Hounsfield units of a head have air below -200 and most tissue between 0 and 100, "
            "found values from "
            f"{low:.4g} to {high:.4g}, most near {commonest:.0f}: give the CT before windowing or "
            "scaling.",
        )
