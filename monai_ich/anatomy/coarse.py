"""A label map with fewer voxels, for what needs no finer ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import LabelMap, box_around


def coarse_copy(
    labels: LabelMap, step_mm: float
) -> tuple[NDArray[np.uint8], Geometry, list[int], list[int]]:
    """The box of what is labeled with a margin of a voxel, every n-th voxel where finer than
    `step_mm`; its grid, its first voxel and the steps.
    """
    box = box_around(labels.voxels > 0) or (slice(0, 1),) * 3
    steps = [max(1, int(step_mm / mm + 0.2)) for mm in labels.geometry.spacing_mm]
    starts = [max(0, s.start - step) for s, step in zip(box, steps, strict=True)]
    stops = [s.stop + step for s, step in zip(box, steps, strict=True)]
    voxels = labels.voxels[tuple(slice(*ends) for ends in zip(starts, stops, steps, strict=True))]
    affine = labels.geometry.affine.copy()
    affine[:3, :3] *= steps
    affine[:3, 3] = labels.geometry.to_world(starts)
    i, j, k = voxels.shape
    return voxels, Geometry((i, j, k), affine), starts, steps
