"""Where voxels are: the grid of a volume in RAS+ millimeters.

Arrays are ``(I, J, K)``; the affine takes voxel centers ``(i, j, k, 1)`` to world RAS+ millimeters,
as in NIfTI. DICOM, ITK and NRRD speak LPS+; they meet this class through `Geometry.from_lps` and
`Geometry.affine_lps`, and points by `to_lps`, and nowhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monai_ich.core.errors import GeometryError

FloatArray = NDArray[np.float64]
Box = tuple[slice, slice, slice]  # of voxels
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def to_lps(points_mm: ArrayLike) -> FloatArray:
    """Points ``(..., 3)`` from RAS+ to LPS+ mm, or back: two axes change their sign.

    >>> to_lps([10.0, -20.0, 30.0]).tolist()
    [-10.0, 20.0, 30.0]
    """
    return np.asarray(np.asarray(points_mm, np.float64) * np.diag(_LPS_FROM_RAS)[:3])


@dataclass(frozen=True, eq=False)
class Geometry:
    """A voxel grid in patient space; may be sheared (gantry tilt).

    Args:
        shape: voxels along I, J, K, each at least 1.
        affine: 4x4, voxel center to RAS+ mm.

    Raises:
        GeometryError: ``BAD_GEOMETRY`` where the affine is not a finite, invertible 4x4 with last
            row 0 0 0 1.

    >>> g = Geometry((10, 10, 5), np.diag([0.5, 0.5, 5.0, 1.0]))
    >>> g.voxel_ml
    0.00125
    """

    shape: tuple[int, int, int]
    affine: FloatArray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise GeometryError(
                "BAD_GEOMETRY",
                f"A volume needs three dimensions of at least one voxel, found {shape}.",
            )
        affine = (
            np.array(self.affine, dtype=np.float64) + 0.0
        )  # -0.0 becomes 0.0: equal grids have equal hashes
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError(
                "BAD_GEOMETRY",
                f"The affine must be a finite 4x4 matrix, found shape {affine.shape}.",
            )
        if not np.allclose(affine[3], [0, 0, 0, 1], atol=1e-9):
            raise GeometryError(
                "BAD_GEOMETRY",
                f"The affine's last row must be 0 0 0 1, found {affine[3].tolist()}.",
            )
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise GeometryError(
                "BAD_GEOMETRY", "The affine is singular: two axes coincide or a spacing is zero."
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_lps(cls, shape: tuple[int, int, int], affine_lps: ArrayLike) -> Geometry:
        """Build from an affine whose world is LPS+ (DICOM, ITK, NRRD)."""
        return cls(shape, _LPS_FROM_RAS @ np.asarray(affine_lps, dtype=np.float64))

    @property
    def affine_lps(self) -> FloatArray:
        """The affine into LPS+ mm, for DICOM, ITK and NRRD."""
        return np.asarray(_LPS_FROM_RAS @ self.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Length of one step along each axis (the axes need not be orthogonal)."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel: |det(affine)| / 1000, right on sheared grids too.

        As a triple product, which is exact where the axes are the world's: a volume of 30 mL is
        not 29.999999999999996 mL.
        """
        i, j, k = self.affine[:3, :3].T
        return float(abs(np.cross(i, j) @ k) / 1000.0)

    @property
    def tilt_deg(self) -> float:
        """Angle between the slice normal and the step from slice to slice; 0 on an orthogonal
        grid.
        """
        i, j, k = self.affine[:3, :3].T
        normal = np.cross(i, j)
        cosine = abs(float(normal @ k)) / float(np.linalg.norm(normal) * np.linalg.norm(k))
        return math.degrees(math.acos(min(1.0, cosine)))

    @property
    def slice_axis(self) -> int:
        """The axis from slice to slice: 2 as read from DICOM, another where a file keeps its axes
        in another order.

        Pixels of a slice are square, so where two axes have one spacing (within 2 %) and the third
        another, it is the third. Else (cubes, pixels that are not square) it is the axis nearest to
        head and feet.

        >>> Geometry((5, 9, 9), np.diag([5.0, 0.5, 0.5, 1.0])).slice_axis
        0
        """
        steps = self.spacing_mm
        alike = [
            abs(steps[a - 2] - steps[a - 1]) <= 0.02 * max(steps[a - 2], steps[a - 1])
            for a in range(3)
        ]
        if sum(alike) == 1:
            return alike.index(True)
        return int(np.abs(self.affine[2, :3] / np.array(steps)).argmax())

    @property
    def is_orthogonal(self) -> bool:
        """Whether the three axes are perpendicular within about 0.06 degrees (what ITK and NRRD can
        hold).
        """
        axes = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return bool(np.allclose(axes.T @ axes, np.eye(3), atol=1e-3))

    def to_world(self, ijk: ArrayLike) -> FloatArray:
        """Voxel coordinates ``(..., 3)`` to RAS+ mm ``(..., 3)``."""
        return np.asarray(np.asarray(ijk, np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_voxel(self, ras_mm: ArrayLike) -> FloatArray:
        """RAS+ mm ``(..., 3)`` to continuous voxel coordinates ``(..., 3)``."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(np.asarray(ras_mm, np.float64) @ inverse[:3, :3].T + inverse[:3, 3])

    def crop(self, box: tuple[slice, slice, slice]) -> Geometry:
        """The grid of ``array[box]`` for a box of plain slices with step 1."""
        starts = [s.indices(n)[0] for s, n in zip(box, self.shape, strict=True)]
        stops = [s.indices(n)[1] for s, n in zip(box, self.shape, strict=True)]
        affine = self.affine.copy()
        affine[:3, 3] = self.to_world(starts)
        return Geometry((stops[0] - starts[0], stops[1] - starts[1], stops[2] - starts[2]), affine)

    def grow(self, box: Box, margin_mm: float) -> Box:
        """A voxel box with a margin on each side, inside the grid."""
        margins = [math.ceil(margin_mm / step) for step in self.spacing_mm]
        i, j, k = (
            slice(max(0, s.start - m), min(n, s.stop + m))
            for s, m, n in zip(box, margins, self.shape, strict=True)
        )
        return i, j, k

    def corners_mm(self) -> FloatArray:
        """RAS+ mm of the centers of the eight corner voxels, ``(8, 3)``."""
        return self.to_world(list(product(*[(0, n - 1) for n in self.shape])))

    def same_grid(self, other: Geometry, *, tolerance_mm: float = 1e-2) -> bool:
        """Whether every voxel of both grids lies at the same world position."""
        if self.shape != other.shape:
            return False
        return bool(np.abs(self.corners_mm() - other.corners_mm()).max() <= tolerance_mm)

    def orthogonal(self, spacing_mm: tuple[float, float, float] | None = None) -> Geometry:
        """The smallest orthogonal grid that holds this one whole, in-plane axes kept.

        For tools that cannot hold a shear (ITK, NRRD, 3D Slicer). The third axis becomes the slice
        normal; the field of view grows so that no voxel is cut off.

        Args:
            spacing_mm: of the new grid; by default the in-plane spacing and the distance between
                slice planes.
        """
        linear = self.affine[:3, :3]
        lengths = np.linalg.norm(linear, axis=0)
        i = linear[:, 0] / lengths[0]
        j = linear[:, 1] - (linear[:, 1] @ i) * i
        j /= np.linalg.norm(j)
        k = np.cross(i, j)
        k *= np.sign(k @ linear[:, 2])
        axes = np.stack([i, j, k], axis=1)
        if spacing_mm is None:
            spacing_mm = (
                float(lengths[0]),
                float(abs(j @ linear[:, 1])),
                float(abs(k @ linear[:, 2])),
            )
        step = np.asarray(spacing_mm, np.float64)
        ends = (
            np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in self.shape], indexing="ij"))
            .reshape(3, -1)
            .T
        )
        along = self.to_world(ends) @ axes
        low, high = along.min(axis=0), along.max(axis=0)
        shape = np.maximum(1, np.ceil((high - low) / step - 1e-6)).astype(int)
        affine = np.eye(4)
        affine[:3, :3] = axes * step
        affine[:3, 3] = axes @ (low + (high - low - (shape - 1) * step) / 2)
        return Geometry((int(shape[0]), int(shape[1]), int(shape[2])), affine)

    def toward_ras(self) -> Geometry:
        """The same voxels, axes reordered and turned: I runs most nearly to the right, J to the
        front, K to the top.
        """
        directions = np.abs(self.affine[:3, :3]) / np.linalg.norm(self.affine[:3, :3], axis=0)
        order = max(
            permutations(range(3)),
            key=lambda axes: sum(directions[n, axis] for n, axis in enumerate(axes)),
        )
        affine = self.affine[:, [*order, 3]].copy()
        shape = self.shape[order[0]], self.shape[order[1]], self.shape[order[2]]
        for n in range(3):
            if affine[n, n] < 0:
                affine[:3, 3] += affine[:3, n] * (shape[n] - 1)
                affine[:3, n] *= -1
        return Geometry(shape, affine)

    def __eq__(self, other: Any) -> bool:
        return (
            isinstance(other, Geometry)
            and self.shape == other.shape
            and np.array_equal(self.affine, other.affine)
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))
