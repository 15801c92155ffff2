"""Labels of blood where blood can be seen."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform


class VisibleBloodd(MapTransform):
    """Clear labels of voxels that are too dense for blood, once a scan is on the grid of a network.

    Between thick slices, and between pixels, resampling mixes a clot with the bone that it lies on;
    a label taken from the nearest voxel then holds up to one half of bone. On the synthetic heads
    the median of thin subdural clots was 140 HU that way, the 75th percentile 300 HU, and networks
    learned the inner table instead of blood.

    Args:
        keys: label maps ``(1, I, J, K)``, 0 where nothing is labeled.
        image_key: the scan on the same grid.
        offset: what was added to HU in the scan.
        max_hu: clotted blood does not exceed some 100 HU; the rest is for noise.

    References:
        New PF, Aronow S. Attenuation measurements of whole blood and blood fractions in computed
        tomography. Radiology 1976;121:635-640.
    """

    def __init__(
        self, keys: KeysCollection, image_key: str, offset: float = 0.0, max_hu: float = 120.0
    ) -> None:
        super().__init__(keys)
        self.image_key, self.limit = image_key, offset + max_hu

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = out[key] * (out[self.image_key] <= self.limit).to(out[key].dtype)
        return out
