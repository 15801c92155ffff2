"""Perihematomal edema: its volume, alone and relative to the hemorrhage."""

from __future__ import annotations

import numpy as np

from monai_ich.core.exam import Edema
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import LabelMap, Mask
from monai_ich.measure.volume import METHOD

_RATIO = "volume of edema over volume of IPH"


def measure_edema(edema: Mask | None, labels: LabelMap) -> Edema:
    """Volume of edema, and that over the volume of IPH; what is labeled blood is none of it.

    Args:
        edema: None where whoever labeled the scan does not know edema.
        labels: map of `Subtype` on the same grid.

    References:
        Gebel 2002, Stroke 33:2631 (absolute and relative edema volume)
    """
    if edema is None:
        return _edema(None, None, "no edema labels were given", "no edema labels were given")
    wet = np.count_nonzero(edema.voxels & (labels.voxels == 0)) * labels.geometry.voxel_ml
    iph = labels.volume_ml(Subtype.IPH)
    return _edema(wet, wet / iph if iph else None, None, None if iph else "no IPH was found")


def _edema(
    ml: float | None, ratio: float | None, no_volume: str | None, no_ratio: str | None
) -> Edema:
    return Edema(
        Measurement("edema_volume", ml, "mL", "edema", METHOD, reason=no_volume),
        Measurement("edema_iph_ratio", ratio, "1", "edema", _RATIO, reason=no_ratio),
    )
