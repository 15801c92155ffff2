"""Which places of a scan speak for a subtype, as far as the ICH network is concerned: heat maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
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
from monai_ich.parts.explanation import RegionScore, integrate_gradients

BRAIN_HU = (
    40.0  # gray matter, the densest brain: clots are denser, and all else speaks against blood
)
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
    method: Method = integrate_gradients,
) -> tuple[HeatMap, ...]:
    """A heat map of each subtype: what raises its score when the densities inside of the cavity
    appear.

    The score is the mean log odds of the subtype over the voxels labeled so; over the 64 most
    probable of the cavity where none is. Explained is its rise from the same head with a cavity of
    even 40 HU (gray matter): what lies outside stays as it is and gets no heat, but for a blur of 3
    mm. What lowers the score gets none either. The network sees one window of the size it was
    trained with, about the middle of these voxels; beyond it, no heat.

    The method is what the sanity check of Adebayo 2018 left of MONAI's (`benchmarks/heatmaps.py`,
    three synthetic heads, the U-Net of weights 0.9.0): its maps of real and of randomized weights
    had a rank correlation of 0.34 at most (SmoothGrad 0.78, occlusion 0.57, Grad-CAM 0.48 at the
    best level), and were at least 45 times higher in true blood than in the rest of the cavity
    (Grad-CAM 3.8 times). Of weights 0.10.0 it is 0.44 and 414 times on one head; from 33 HU on, the
    mean of brain, it would be 0.56. A subtype takes about 4 CPU seconds.

    Args:
        ct, labels, cavity: on one grid, sheared too.
        subtypes: those to explain.
        within: voxel box that the network looks at.
        strip: as for `segment_ich`; give both the same.
        bundle: the one that labeled them.
        method: score, index of the class, image, image to start from ``(1, channels, I, J, K)`` to
            heat ``(I, J, K)``.

    References:
        Adebayo 2018 doi:10.48550/arXiv.1810.03292
    """
    if not subtypes:
        return ()
    shown = cavity if strip else None
    image, grid = network_input(bundle, ct, within, shown)
    even = replace(ct, hu=np.where(cavity.voxels, np.float32(BRAIN_HU), ct.hu))
    start, _ = network_input(bundle, even, within, shown)
    there = resample_labels(labels, grid).voxels
    maps = []
    for subtype in subtypes:
        region, most = there == int(subtype), None
        if not region.any():
            region, most = _on(grid, cavity), _MOST_PROBABLE
        box = _window(region)
        score = RegionScore(bundle.network, torch.from_numpy(region)[box].to(image.device), most)
        heat = method(score, int(subtype) - 1, image[(None, ..., *box)], start[(None, ..., *box)])
        maps.append(
            HeatMap(subtype, _to_native(heat.cpu().numpy(), grid, box, ct.geometry), ct.geometry)
        )
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
