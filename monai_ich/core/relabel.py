"""Label maps onto another grid, and back: each label keeps its volume.

Nearest neighbor keeps volumes on average but frays edges, and loses what is thinner than a target
voxel. A majority of the target voxel is smoother but makes small and thin things smaller. Here each
label is shared out over the target voxels as `core.resample` does, which keeps its volume exactly,
and the voxels that hold most of it take the label: as many as its volume needs. So volumes stay,
and what is there never vanishes (`benchmarks/resample.py` compares).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import Box, Geometry
from monai_ich.core.resample import resample_image
from monai_ich.core.volume import LabelMap

_TRACE = 1e-3
_DEPTH = 0.01
_ORDER = 1e-4
_MOSTLY = 0.5
_MOST_LOST = 0.1
_COINCIDES = 0.02  # of a voxel

_Share: TypeAlias = tuple[
    int, tuple[slice, ...], NDArray[np.float32]
]  # a label, voxels, its share of each


def resample_labels(labels: LabelMap, grid: Geometry) -> LabelMap:
    """A label map on another grid; background outside.

    Args:
        labels: on any grid, sheared or not.
        grid: where to.

    Returns:
        uint8 labels on `grid`; each label's volume is kept to within a voxel where labels do not
        touch. A label that is smaller than half a voxel keeps one voxel; one that lies outside of
        the grid is gone.
    """
    if labels.geometry.same_grid(grid, tolerance_mm=1e-4):
        return LabelMap(labels.voxels.copy(order="K"), grid, labels.labels)
    return LabelMap(_contest(_shares(labels, grid), grid.shape), grid, labels.labels)


def require_kept(before: LabelMap, after: LabelMap) -> None:
    """Refuse a resampling that left labels behind, since the two grids do not lie over each other.

    Raises:
        GeometryError: ``LABELS_LOST`` where a label has lost more than a tenth of its volume and a
            few voxels.
    """
    for value in sorted(before.boxes()):
        was_ml, is_ml = before.volume_ml(value), after.volume_ml(value)
        rounding_ml = 4.0 * max(before.geometry.voxel_ml, after.geometry.voxel_ml)
        if is_ml < (1.0 - _MOST_LOST) * was_ml - rounding_ml:
            raise GeometryError(
                "LABELS_LOST",
                f"Of {was_ml:.3f} mL of label {value}, {is_ml:.3f} mL lie on the new grid: the "
                "mask lies elsewhere, or "
                "its affine is wrong.",
            )


def place_labels(labels: LabelMap, grid: Geometry) -> LabelMap | None:
    """A label map on another grid, voxel by voxel, where that loses nothing: another extent or
    order of axes.

    Args:
        labels: on a crop of `grid`, a larger one, or one whose axes run otherwise.
        grid: where to.

    Returns:
        None where voxels of the two do not coincide, or where a label would be left out.
    """
    matrix = np.linalg.inv(grid.affine) @ labels.geometry.affine
    axes, offset = np.rint(matrix[:3, :3]), np.rint(matrix[:3, 3])
    reach = max(labels.geometry.shape)
    if (
        np.abs(matrix[:3, :3] - axes).max() * reach > _COINCIDES
        or np.abs(matrix[:3, 3] - offset).max() > _COINCIDES
    ):
        return None
    if not (np.abs(axes).sum(0) == 1).all() or not (np.abs(axes).sum(1) == 1).all():
        return None
    where = np.argwhere(labels.voxels)
    at = (where @ axes.T + offset).astype(int)
    if ((at < 0) | (at >= np.array(grid.shape))).any():
        return None
    out = np.zeros(grid.shape, np.uint8)
    out[tuple(at.T)] = labels.voxels[tuple(where.T)]
    return LabelMap(out, grid, labels.labels)


def fill_slices(voxels: NDArray[np.uint8], at: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Labels between those slices that are known: each label's area goes over evenly from one to
    the next.

    Args:
        voxels: ``(I, J, K)``, with the known slices in place.
        at: increasing positions of the known slices along K, each nearest to the slice that holds
            it.

    Returns:
        `voxels`, those slices made that lie between known ones.
    """
    known = np.rint(at).astype(int).tolist()
    for n, (low, high) in enumerate(pairwise(known)):
        for k in range(low + 1, high):
            upper = np.float32((k - at[n]) / (at[n + 1] - at[n]))
            below, above = voxels[:, :, low], voxels[:, :, high]
            everywhere = (slice(None), slice(None))
            mixed = (
                (value, everywhere, (below == value) * (1 - upper) + (above == value) * upper)
                for value in np.union1d(below, above).tolist()
                if value
            )
            voxels[:, :, k] = _contest(mixed, below.shape)
    return voxels


def _shares(labels: LabelMap, grid: Geometry) -> Iterator[_Share]:
    for value, found in labels.boxes().items():
        near = _grown(found, labels.geometry, grid)
        box = _box_around(labels.geometry.crop(near), grid)
        if box is not None:
            source, target = labels.geometry.crop(near), grid.crop(box)
            yield (
                value,
                box,
                resample_image(labels.voxels[near] == value, source, target, outside=0.0),
            )


def _contest(shares: Iterable[_Share], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Each voxel to the label that ranks highest there, as many as each label's volume needs."""
    out = np.zeros(shape, np.uint8)
    lead, total = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    several = np.zeros(shape, np.uint8)
    for value, box, share in shares:
        score = _rank(share)
        better = score > lead[box]
        out[box][better], lead[box][better] = value, score[better]
        total[box] += share
        several[box] += share > _TRACE
    keep = (lead >= 1.0) | (
        (several > 1) & (total >= _MOSTLY)
    )  # where labels touch, none may reach its own threshold
    out[~keep] = 0
    return out


def _rank(share: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share, and among equal shares first what lies deeper in the label: 1 or more where the
    volume is reached.
    """
    held = share > _TRACE
    order = np.linspace(0, _ORDER, share.size, dtype=np.float32).reshape(
        share.shape
    )  # of equal ones the later
    rank = np.where(
        held, share + _DEPTH * ndimage.gaussian_filter(share, 1.5) + order, np.float32(0)
    )
    wanted = min(max(1, round(float(share.sum()))), int(held.sum()))
    if not wanted:
        return rank
    return np.asarray(rank / np.partition(rank, rank.size - wanted, axis=None)[rank.size - wanted])


def _grown(box: Box, source: Geometry, grid: Geometry) -> Box:
    """The box with background around it, as far as a target voxel at its edge reaches."""
    reach = np.abs(np.linalg.inv(source.affine[:3, :3]) @ grid.affine[:3, :3]).sum(axis=1)
    ends = [
        slice(max(0, side.start - int(np.ceil(r)) - 2), min(n, side.stop + int(np.ceil(r)) + 2))
        for side, r, n in zip(box, reach, source.shape, strict=True)
    ]
    return ends[0], ends[1], ends[2]


def _box_around(source: Geometry, grid: Geometry) -> Box | None:
    """The voxels of `grid` that a box of source voxels can reach; None where it lies outside."""
    corners = (
        np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in source.shape], indexing="ij"))
        .reshape(3, -1)
        .T
    )
    reached = grid.to_voxel(source.to_world(corners))
    low = np.floor(reached.min(axis=0)).clip(0).astype(int)
    high = np.minimum(np.ceil(reached.max(axis=0)).astype(int) + 1, grid.shape)
    if (low >= high).any():
        return None
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])
