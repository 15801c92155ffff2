"""What speaks for a subtype, as an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import require_shape


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What of a scan a network's score for one subtype rests on; no probability, and no proof that
    it is there.

    Args:
        subtype: whose score.
        voxels: uint8 ``(I, J, K)``: 255 where the map is highest, 0 where nothing speaks for the
            subtype. Maps of two subtypes, or of two scans, each have a scale of their own.
        geometry: the grid.
    """

    subtype: Subtype
    voxels: NDArray[np.uint8]
    geometry: Geometry

    def __post_init__(self) -> None:
        require_shape(self.voxels.shape, self.geometry, "heat map")
