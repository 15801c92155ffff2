"""A tilted scan for what cannot hold a shear, to look at: its slices as they are, each moved within
its plane.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import Geometry
from monai_ich.core.relabel import resample_labels
from monai_ich.core.resample import resample_ct
from monai_ich.core.volume import AIR_HU, CTVolume, LabelMap

Image = TypeVar("Image", CTVolume, LabelMap)


def straighten(image: Image) -> Image:
    """The image on the orthogonal copy of its grid (`Geometry.orthogonal`); itself where its grid
    is orthogonal.

    Each slice moves by whole pixels: no value is interpolated, no voxel of a label lost, and slices
    keep their number. So what is seen lies at most half a pixel off; `resample_ct` and
    `resample_labels` are exact in place instead, take ten times as long, and step in where the
    shear is within the slices.
    """
    if image.geometry.is_orthogonal:
        return image
    grid = image.geometry.orthogonal()
    moved: dict[str, Any] = {"hu" if isinstance(image, CTVolume) else "voxels": _onto(image, grid)}
    return replace(image, geometry=grid, **moved)


def _onto(image: CTVolume | LabelMap, grid: Geometry) -> NDArray[Any]:
    source = image.geometry
    if not _shear_is_from_slice_to_slice(source):
        return (
            resample_ct(image, grid).hu
            if isinstance(image, CTVolume)
            else resample_labels(image, grid).voxels
        )
    values, outside = (image.hu, AIR_HU) if isinstance(image, CTVolume) else (image.voxels, 0)
    out = np.full(grid.shape, outside, values.dtype, order="F")
    rows, columns, count = source.shape
    starts = grid.to_voxel(source.to_world([(0, 0, k) for k in range(count)]))
    for k, (i, j) in enumerate(np.rint(starts[:, :2]).astype(int).tolist()):
        out[i : i + rows, j : j + columns, k] = values[:, :, k]
    return out


def _shear_is_from_slice_to_slice(geometry: Geometry) -> bool:
    i, j, _ = geometry.affine[:3, :3].T / np.array(geometry.spacing_mm)[:, None]
    return bool(abs(i @ j) < 1e-3)
