"""CT onto another grid: straightened, finer or coarser, without false edges and without noise
folding in.

A source voxel is a box of its own size; a target voxel takes the share of each box that lies in it.
So the result of going coarser is the mean over the target voxel (what a scanner with thicker slices
would have shown), and noise falls as averaging predicts. Where the target is finer, its voxel is
taken to be as large as the source's, which is linear interpolation: one rule, continuous from one
to the other, and the identity where the grids are the same.

Slices are resampled in their plane first, each with its own offset, then along the planes' normal.
So a tilted (sheared) series is straightened without smearing along the tilt, and nothing larger
than a slice is ever copied.

What was not measured takes no part in any mean: what lies outside of the source, and padding
outside the circular field. A target voxel is air where most of it is that, else the mean of what
was measured: no false rim of -500 HU.

References:
    Cardoso 2015 doi:10.1007/978-3-319-24571-3_81: the full width at half maximum of the result must
    be the target's spacing. A box meets that exactly; `benchmarks/resample.py` compares it with
    their Gaussian.
"""

from __future__ import annotations

from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import Geometry
from monai_ich.core.planes import Planes, blend, match_planes, shares, within
from monai_ich.core.volume import AIR_HU, CTVolume

Spacing: TypeAlias = tuple[float | None, float | None, float | None]
_MOST_VOXELS = 2**30


def orthogonal_grid(source: Geometry, spacing_mm: Spacing = (None, None, None)) -> Geometry:
    """The smallest orthogonal grid along the slices' own axes that holds all of `source`.

    The in-plane axes are kept and the third is the planes' normal: slices are never turned, a
    tilted series is only straightened. Axes are ordered and signed to run most nearly to the
    patient's right, front and top.

    Args:
        source: any grid, sheared or not.
        spacing_mm: along right, front, top; None keeps the source's own distance there (between
            planes: along their normal).

    Raises:
        GeometryError: ``BAD_SPACING`` where a spacing is no positive number, or would make more
            than 2**30 voxels.

    >>> affine = np.array([[1, 0, 0, 0], [0, 1, 2, 0], [0, 0, 5, 0], [0, 0, 0, 1.0]])
    >>> tilted = Geometry((4, 4, 4), affine)
    >>> orthogonal_grid(tilted, (1, 1, None)).shape
    (4, 12, 4)
    """
    if any(step is not None and not 0 < step < float("inf") for step in spacing_mm):
        raise GeometryError(
            "BAD_SPACING",
            f"A spacing must be a positive number of millimeters, found {spacing_mm}.",
        )
    plain = source.orthogonal()
    turned = plain.toward_ras()
    source_axes = np.abs(turned.affine[:3, :3].T @ plain.affine[:3, :3]).argmax(axis=1).tolist()
    steps = list(plain.spacing_mm)
    for axis, step in zip(source_axes, spacing_mm, strict=True):
        steps[axis] = steps[axis] if step is None else step
    count = float(
        np.prod(
            [
                n * own / new
                for n, own, new in zip(plain.shape, plain.spacing_mm, steps, strict=True)
            ]
        )
    )
    if count > _MOST_VOXELS:
        raise GeometryError(
            "BAD_SPACING", f"This spacing would make {count:.1e} voxels, at most 1e9: go coarser."
        )
    return source.orthogonal((steps[0], steps[1], steps[2])).toward_ras()


def resample_ct(ct: CTVolume, grid: Geometry) -> CTVolume:
    """A CT on another grid: air (-1024) outside; see the module for what happens in between.

    Padding is what holds exactly -1024 beyond the circle inscribed in a slice. Air inside the
    circle, at the skin or in a sinus, is air and takes part in the mean, as it does in a scanner.

    Args:
        ct: on any grid, sheared or not.
        grid: where to; `orthogonal_grid` makes one.

    Returns:
        float32 HU, not rounded. The `slab_widths_mm` of uneven slices hold on their own grid only
        and become None.
    """
    return CTVolume(
        resample_image(ct.hu, ct.geometry, grid, outside=AIR_HU, circular_field=True), grid
    )


def resample_image(
    values: NDArray[Any],
    source: Geometry,
    grid: Geometry,
    *,
    outside: float,
    circular_field: bool = False,
) -> NDArray[np.float32]:
    """One channel onto another grid, by the rule of this module.

    Grids whose planes are turned against each other are sampled linearly, several times a voxel:
    slower, as right.

    Args:
        values: ``(I, J, K)``, real numbers.
        source: their grid.
        grid: where to.
        outside: value where nothing was measured.
        circular_field: whether `outside` beyond the circle inscribed in a slice is padding
            (parallel planes only).

    Returns:
        float32 ``(I, J, K)`` of `grid`.
    """
    match = match_planes(source, grid)
    if match is None:
        return _resample_turned(values, source, grid, outside)
    planes = Planes(values, match, outside=outside, circular_field=circular_field)
    rows, columns, count = (grid.shape[axis] for axis in match.target_axes)
    out = np.full((rows, columns, count), outside, np.float32, order="F")
    side = float(match.step[2]), float(match.offset[2]), count, values.shape[match.source_axes[2]]
    slices = shares(*side)
    for k in np.flatnonzero(within(*side)).tolist():
        part = slice(slices.indptr[k], slices.indptr[k + 1])
        near = slices.indices[part]
        planes.forget_all_but(near)
        blend(
            out[:, :, k],
            [planes.read(n, k, (rows, columns)) for n in near.tolist()],
            slices.data[part],
        )
    return np.asarray(out.transpose(np.argsort(match.target_axes)))


def _resample_turned(
    values: NDArray[Any], source: Geometry, grid: Geometry, outside: float
) -> NDArray[np.float32]:
    """Any two grids: the mean of linear samples spread over each target voxel, at most one source
    voxel apart.
    """
    matrix = np.linalg.inv(source.affine) @ grid.affine
    counts = np.ceil(np.abs(matrix[:3, :3]).max(axis=0) - 0.05).clip(1).astype(int)
    out = np.zeros(grid.shape, np.float32)
    for at in product(*[(np.arange(n) + 0.5) / n - 0.5 for n in counts]):
        start = matrix[:3, 3] + matrix[:3, :3] @ np.array(at)
        out += ndimage.affine_transform(
            values,
            matrix[:3, :3],
            start,
            output_shape=grid.shape,
            output=np.float32,
            order=1,
            mode="nearest",
        )
    out /= np.prod(counts)
    a, b = np.indices(grid.shape[:2])
    for k in range(grid.shape[2]):
        place = np.stack([a, b, np.full_like(a, k)], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
        out[:, :, k][np.any((place < -0.5) | (place > np.array(source.shape) - 0.5), axis=-1)] = (
            outside
        )
    return out
