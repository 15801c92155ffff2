"""Hypothesis strategies, all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import LabelMap

_small = st.floats(-3, 3).map(lambda v: round(v, 3))


@st.composite
def rotations(draw: st.DrawFn) -> np.ndarray:
    """Proper rotations, any direction."""
    axes = np.linalg.qr(
        np.array([[draw(_small) for _ in range(3)] for _ in range(3)]) + 4 * np.eye(3)
    )[0]
    return axes * [1, 1, np.linalg.det(axes)]


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Small grids anywhere in space, sheared or not, mirrored or not."""
    spacing = [draw(st.floats(0.3, 7.0)) for _ in range(3)]
    shear = draw(st.floats(-0.5, 0.5))
    axes = draw(rotations()) * [1, 1, draw(st.sampled_from([-1, 1]))]
    affine = np.eye(4)
    affine[:3, :3] = axes @ np.array([[1, 0, 0], [0, 1, shear], [0, 0, 1]]) * spacing
    affine[:3, 3] = [draw(st.floats(-200, 200)) for _ in range(3)]
    return Geometry(
        (draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 9))), affine
    )


@st.composite
def slice_positions(draw: st.DrawFn) -> np.ndarray:
    """Increasing positions of blocks with their own spacing, as scanners plan them: multiples of
    0.5 mm.
    """
    gaps = [
        gap
        for _ in range(draw(st.integers(1, 3)))
        for gap in [draw(st.integers(2, 14)) / 2] * draw(st.integers(2, 8))
    ]
    return draw(st.integers(-100, 100)) + np.concatenate([[0.0], np.cumsum(gaps)])


def reoriented(image: LabelMap, order: Sequence[int], flips: Sequence[bool]) -> LabelMap:
    """The same labels at the same places, axes in another order and direction."""
    voxels, affine = image.voxels.transpose(order), image.geometry.affine[:, [*order, 3]].copy()
    for axis in np.flatnonzero(flips):
        voxels = np.flip(voxels, axis)
        affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
        affine[:3, axis] *= -1
    return LabelMap(np.ascontiguousarray(voxels), Geometry(voxels.shape, affine), image.labels)
