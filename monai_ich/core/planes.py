"""Slices of one grid read in the planes of a parallel one: the inner half of `core.resample`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from monai_ich.core.geometry import FloatArray, Geometry

Plane = tuple[NDArray[np.float32], NDArray[np.bool_]]
_SAME_VOXEL = 2e-3
_TINY = 1e-5
_LESS_THAN_HALF = 0.5 - 1e-4


@dataclass(frozen=True, eq=False)
class Match:
    """How the slices of two grids with parallel planes and parallel in-plane axes lie to each
    other.

    A target voxel ``(a, b, k)`` lies at source slice ``step[2] * k + offset[2]``. Followed along
    the planes' normal to source slice ``n``, it lies there at in-plane position ``step * (a, b) +
    offset + lean * k + slope * (n - that)``.

    Args:
        source_axes, target_axes: the two in-plane axes and, last, the slice axis; axes at one place
            belong together.
        step, offset: along these axes, in source voxels.
        lean: in-plane, source voxels for each target slice.
        slope: in-plane, source voxels for each source slice along the normal: the source's own
            shear.
    """

    source_axes: tuple[int, int, int]
    target_axes: tuple[int, int, int]
    step: FloatArray
    offset: FloatArray
    lean: FloatArray
    slope: FloatArray

    def in_plane(self, n: int, k: int) -> FloatArray:
        """Position in source slice `n` of voxel (0, 0) of target slice `k`, along the normal."""
        away = n - (self.step[2] * k + self.offset[2])
        return np.asarray(self.offset[:2] + self.lean * k + self.slope * away)


def match_planes(source: Geometry, target: Geometry) -> Match | None:
    """The match of two grids; None where their planes or in-plane axes are not parallel."""
    matrix = np.linalg.inv(source.affine) @ target.affine
    travel = np.abs(matrix[:3, :3]) * (np.array(target.shape) - 1).clip(1)
    for s, t in product((2, 1, 0), (2, 1, 0)):
        a, b = (axis for axis in range(3) if axis != s)
        for x, y in permutations([axis for axis in range(3) if axis != t]):
            if max(travel[s, x], travel[s, y], travel[a, y], travel[b, x]) < _SAME_VOXEL:
                normal = np.linalg.inv(source.affine[:3, :3])
                lean = normal @ normal[s]  # the rows of the inverse are the planes' normals
                return Match(
                    (a, b, s),
                    (x, y, t),
                    matrix[[a, b, s], [x, y, t]],
                    matrix[[a, b, s], 3],
                    matrix[[a, b], t],
                    lean[[a, b]] / lean[s],
                )
    return None


def shares(step: float, offset: float, count: int, size: int) -> Any:
    """Which part of each target voxel lies in each source voxel: sparse ``(count, size)`` float32.

    Target voxel ``n`` is centered at ``offset + step * n`` and is ``max(1, |step|)`` wide, in
    source voxels.

    >>> shares(2.0, 0.0, 2, 4).toarray().tolist()
    [[0.5, 0.25, 0.0, 0.0], [0.0, 0.25, 0.5, 0.25]]
    """
    width = max(1.0, abs(step))
    low = offset + step * np.arange(count)[:, None] - width / 2
    cell = np.floor(low + 0.5).astype(np.intp) + np.arange(int(np.ceil(width)) + 1)
    overlap = (np.minimum(cell + 0.5, low + width) - np.maximum(cell - 0.5, low)) / width
    keep = (overlap > _TINY) & (cell >= 0) & (cell < size)
    pointers = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
    return sparse.csr_matrix(
        (overlap[keep].astype(np.float32), cell[keep], pointers), shape=(count, size)
    )


def within(step: float, offset: float, count: int, size: int) -> NDArray[np.bool_]:
    """Which target voxels have their center in a source voxel: ``(count,)``."""
    center = offset + step * np.arange(count)
    return np.asarray((center >= -0.5 - _SAME_VOXEL) & (center <= size - 0.5 + _SAME_VOXEL))


class Planes:
    """Source slices as they look on the target's in-plane grid; each is made once where the target
    is not sheared.

    Args:
        values: ``(I, J, K)`` on the source grid.
        match: from `match_planes`.
        outside: value of padding.
        circular_field: whether `outside` beyond the circle inscribed in a slice is padding.
    """

    def __init__(
        self, values: NDArray[Any], match: Match, *, outside: float, circular_field: bool
    ) -> None:
        self.values, self.match, self.outside = values.transpose(match.source_axes), match, outside
        self.beyond = (
            _beyond_circle(self.values.shape[0], self.values.shape[1]) if circular_field else None
        )
        self._made: dict[int, tuple[FloatArray, Plane]] = {}

    def read(self, n: int, k: int, shape: tuple[int, int]) -> Plane:
        """Source slice `n` in the plane of target slice `k`: values (0 where none) and where
        something was measured.
        """
        place = self.match.in_plane(n, k)
        known = self._made.get(n)
        if known is None or np.abs(known[0] - place).max() > _TINY:
            known = self._made[n] = (place, self._resampled(n, place, shape))
        return known[1]

    def forget_all_but(self, near: NDArray[Any]) -> None:
        """Free the slices that the next target slice will not need."""
        for n in set(self._made) - set(near.tolist()):
            del self._made[n]

    def _resampled(self, n: int, place: FloatArray, shape: tuple[int, int]) -> Plane:
        plane = self.values[:, :, n].astype(np.float32, copy=False)
        sides = [
            (float(self.match.step[a]), float(place[a]), shape[a], plane.shape[a]) for a in (0, 1)
        ]
        rows, columns = (shares(*side) for side in sides)
        inside = np.logical_and.outer(*(within(*side) for side in sides))
        whole = np.multiply.outer(
            *(np.asarray(s.sum(axis=1), np.float32).ravel() for s in (rows, columns))
        )
        padding = None if self.beyond is None else self.beyond & (plane == self.outside)
        if padding is None or not padding.any():
            weight = whole
        else:
            plane = np.where(padding, np.float32(0), plane)
            weight = _both(rows, columns, (~padding).astype(np.float32))
            inside &= weight >= _LESS_THAN_HALF * whole
        value = _both(rows, columns, plane)
        return np.divide(value, weight, out=np.zeros_like(value), where=inside), inside


def blend(out: NDArray[np.float32], planes: list[Plane], share: NDArray[np.float32]) -> None:
    """The mean of the planes, by share, into `out` where at least half of the share was
    measured.
    """
    value, weight = np.zeros(out.shape, np.float32), np.zeros(out.shape, np.float32)
    for (plane, measured), part in zip(planes, share.tolist(), strict=True):
        value += plane * np.float32(part)
        weight += measured * np.float32(part)
    np.divide(value, weight, out=out, where=weight >= _LESS_THAN_HALF * float(share.sum()))


def _both(rows: Any, columns: Any, plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows @ np.ascontiguousarray((columns @ plane.T).T))


def _beyond_circle(rows: int, columns: int) -> NDArray[np.bool_]:
    """Pixels that reach beyond the circle inscribed in a slice."""
    i, j = np.arange(rows)[:, None] - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2
    return np.asarray(np.hypot(i, j) > min(rows, columns) / 2 - 1.0)
