"""The toolkit's own resampling as a step of a bundle, and its way back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from numpy.typing import NDArray

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import AnyLabel
from monai_ich.core.relabel import resample_labels
from monai_ich.core.resample import Spacing, orthogonal_grid, resample_image
from monai_ich.core.volume import AIR_HU, LabelMap


class OrthogonalSpacingd(MapTransform, InvertibleTransform):
    """Straighten and resample, as ``monai-ich import --spacing`` does: the field of view grows, air
    outside, the mean over each target voxel where that is larger. `Invertd` brings a mask, or
    probabilities, back to the original slices.

    MONAI's `Spacingd` cannot straighten a tilted series, and skips slices where it goes coarser.

    Args:
        keys: scans and label maps, channel first ``(C, I, J, K)`` with metadata, none of them
            turned before.
        spacing_mm: along right, front, top; None keeps the scan's own.
        label_keys: which of them are label maps; each label keeps its volume.
        air: what scans hold outside.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing_mm: Sequence[float | None] = (None, None, None),
        label_keys: Sequence[Hashable] = (),
        air: float = AIR_HU,
    ) -> None:
        MapTransform.__init__(self, keys)
        right, front, top = spacing_mm
        self.spacing_mm: Spacing = (right, front, top)
        self.label_keys, self.air = tuple(label_keys), air

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            source = _geometry(out[key])
            grid = orthogonal_grid(source, self.spacing_mm)
            is_label = key in self.label_keys
            moved = (
                _labels(out[key], source, grid)
                if is_label
                else _image(out[key], source, grid, air=self.air)
            )
            told = {"affine": source.affine.tolist(), "shape": list(source.shape)}
            self.push_transform(moved, orig_size=source.shape, extra_info=told)  # type: ignore[no-untyped-call]  # MONAI's
            out[key] = moved
        return out

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Whole numbers are label maps, others are averaged; outside of the grid both are 0."""
        out = dict(data)
        for key in self.key_iterator(out):
            told = self.pop_transform(out[key])["extra_info"]
            i, j, k = (int(n) for n in told["shape"])
            source, grid = _geometry(out[key]), Geometry((i, j, k), np.array(told["affine"], float))
            whole = not torch.is_floating_point(out[key])
            out[key] = (
                _labels(out[key], source, grid)
                if whole
                else _image(out[key], source, grid, air=0.0)
            )
        return out


def _geometry(image: MetaTensor) -> Geometry:
    i, j, k = image.shape[1:]
    return Geometry((i, j, k), np.asarray(image.affine, float))


def _image(image: MetaTensor, source: Geometry, grid: Geometry, *, air: float) -> MetaTensor:
    channels = [
        resample_image(channel, source, grid, outside=air, circular_field=air != 0.0)
        for channel in image.detach().cpu().numpy()
    ]
    return _like(image, np.stack(channels), grid)


def _labels(image: MetaTensor, source: Geometry, grid: Geometry) -> MetaTensor:
    maps = [LabelMap(c.astype(np.uint8), source, AnyLabel) for c in image.detach().cpu().numpy()]
    return _like(image, np.stack([resample_labels(labels, grid).voxels for labels in maps]), grid)


def _like(image: MetaTensor, voxels: NDArray[Any], grid: Geometry) -> MetaTensor:
    meta = {name: value for name, value in image.meta.items() if name != "affine"}
    affine, operations = torch.as_tensor(grid.affine.copy()), list(image.applied_operations)
    return MetaTensor(torch.as_tensor(voxels, device=image.device), affine, meta, operations)
