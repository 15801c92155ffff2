"""Which places of a scan speak for a subtype, as far as the ICH network is concerned: heat maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from monai_ich.bundle import Bundle, network_input
from monai_ich.core.geometry import Box, Geometry
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Cavity, Subtype
from monai_ich.core.relabel import resample_labels
from monai_ich.core.resample import resample_image
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.parts.explanation import RegionScore, weigh_features

_BLUR_MM = 3.0
_MOST_PROBABLE = 64  # voxels
_WINDOW = (96, 112, 40)  # voxels: the larger of the windows that the network was trained with
Method: TypeAlias = Callable[[RegionScore, int, torch.Tensor, torch.Tensor], torch.Tensor]


def explain_ich(
    ct: CTVolume,
    labels: LabelMap,
    subtypes: Sequence[Subtype],
    *,
    cavity: Mask,
    within: Box | None = None,
    strip: bool = False,
    bundle: Bundle,
    method: Method = weigh_features,
) -> tuple[HeatMap, ...]:
    """A heat map of each subtype: where in the cavity the features lie that raise its score.

    The score is the mean log odds of the subtype over the voxels labeled so; over the 64 most
    probable of the cavity where none is. What lowers it gets no heat, nor does what lies outside of
    the cavity. The network sees one window of the size it was trained with, about the middle of
    these voxels; beyond it, no heat.

    The method is what the sanity check of Adebayo 2018 left (`benchmarks/heatmaps.py`, weights
    0.15.0): maps of real and of randomized weights have little in common, and with randomized
    weights blood is no brighter than the rest. Maps by gradients of the image fail it.

    Args:
        ct, labels, cavity: on one grid, sheared too.
        subtypes: those to explain.
        within: voxel box that the network looks at.
        strip: as for `segment_ich`; give both the same.
        bundle: the one that labeled them.
        method: score, index of the class, image ``(1, channels, I, J, K)`` and the cavity ``(I, J,
            K)`` to heat ``(I, J, K)``.

    References:
        Adebayo 2018 doi:10.48550/arXiv.1810.03292
    """
    if not subtypes:
        return ()
    shown = cavity if strip else None
    image, grid = network_input(bundle, ct, within, shown)
    there, inside = resample_labels(labels, grid).voxels, _on(grid, cavity)
    maps = []
    for subtype in subtypes:
        region, most = there == int(subtype), None
        if not region.any():
            region, most = inside, _MOST_PROBABLE
        box = _window(region)
        at, there_is = (torch.from_numpy(mask[box]).to(image.device) for mask in (region, inside))
        score = RegionScore(bundle.network, at, most)
        heat = method(score, int(subtype) - 1, image[(None, ..., *box)], there_is) * there_is
        native = _to_native(heat.cpu().numpy(), grid, box, ct.geometry)
        maps.append(HeatMap(subtype, native, ct.geometry))
    return tuple(maps)


def _on(grid: Geometry, cavity: Mask) -> NDArray[np.bool_]:
    return (
        resample_labels(
            LabelMap(cavity.voxels.astype(np.uint8), cavity.geometry, Cavity), grid
        ).voxels
        > 0
    )


def _window(region: NDArray[np.bool_]) -> Box:
    """As large as what the network was trained with, or the image, around the middle of a
    region.
    """
    shape = np.array(region.shape)
    size = np.minimum(_WINDOW, shape)
    where = np.argwhere(region)
    middle = where[
        ((where - where.mean(axis=0)) ** 2).sum(axis=1).argmin()
    ]  # in the region, even if it is in pieces
    first = np.clip(middle - size // 2, 0, shape - size)
    i, j, k = (slice(int(a), int(a + n)) for a, n in zip(first, size, strict=True))
    return i, j, k


def _to_native(
    heat: NDArray[np.float32], grid: Geometry, box: Box, native: Geometry
) -> NDArray[np.uint8]:
    """What raises the score, blurred by 3 mm, on the CT's own grid; 255 where it is highest."""
    window = grid.crop(box)
    smooth = gaussian_filter(heat, [_BLUR_MM / step for step in window.spacing_mm])
    there = resample_image(smooth.clip(0), window, native, outside=0.0)
    there *= 255 / max(float(there.max()), 1e-30)  # all zeros where nothing speaks for it
    return np.rint(there, out=there).astype(np.uint8)
