"""Images that carry their geometry: CT in Hounsfield units, masks, label maps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import GeometryError, LabelError
from monai_ich.core.geometry import Box, FloatArray, Geometry
from monai_ich.core.labels import LabelSet

AIR_HU = -1024.0
MAX_HU = 3071.0
CONNECTED_26 = np.ones(
    (3, 3, 3), bool
)  # voxels that share a face, an edge or a corner are one piece


def require_shape(found: tuple[int, ...], geometry: Geometry, what: str) -> None:
    if found != geometry.shape:
        raise GeometryError(
            "GRID_MISMATCH", f"The {what} has shape {found}, its geometry {geometry.shape}."
        )


@dataclass(frozen=True, eq=False)
class CTVolume:
    """A head CT.

    Args:
        hu: float32 ``(I, J, K)``, Hounsfield units, padding is air.
        geometry: the grid.
        slab_widths_mm: where the source slices were unevenly spaced and had to be regridded: the
            width that each *source* slice stands for (half the distance to both neighbors), in
            slice order; else None.
    """

    hu: NDArray[np.float32]
    geometry: Geometry
    slab_widths_mm: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        require_shape(self.hu.shape, self.geometry, "CT")
        if self.hu.dtype != np.float32:
            object.__setattr__(self, "hu", self.hu.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Mask:
    """A yes/no image: bool ``(I, J, K)`` on a grid."""

    voxels: NDArray[np.bool_]
    geometry: Geometry

    def __post_init__(self) -> None:
        require_shape(self.voxels.shape, self.geometry, "mask")
        if self.voxels.dtype != np.bool_:
            raise LabelError("UNKNOWN_LABEL", f"A mask holds booleans, found {self.voxels.dtype}.")

    @property
    def volume_ml(self) -> float:
        """Volume of the true voxels; 0.0 for an empty mask."""
        return int(np.count_nonzero(self.voxels)) * self.geometry.voxel_ml


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Label values on a grid.

    Args:
        voxels: ``(I, J, K)``, whole numbers; kept as uint8.
        geometry: the grid.
        labels: the enum that gives each value its meaning (`Subtype`, `Hemorrhage`, `Anatomy`...).

    Raises:
        LabelError: ``UNKNOWN_LABEL`` where a value is neither 0 nor in `labels`.
    """

    voxels: NDArray[np.uint8]
    geometry: Geometry
    labels: LabelSet

    def __post_init__(self) -> None:
        require_shape(self.voxels.shape, self.geometry, "label map")
        allowed = {0, *(int(v) for v in self.labels)}
        if self.voxels.dtype == np.uint8 and allowed.issuperset(
            range(int(self.voxels.max(initial=0)) + 1)
        ):  # the largest tells; a list of the values that are there takes long
            return
        unknown = [v for v in np.unique(self.voxels).tolist() if v not in allowed]
        if unknown:
            raise LabelError(
                "UNKNOWN_LABEL",
                f"The label map holds {unknown[:5]}, but {self.labels.__name__} knows only "
                f"{sorted(allowed)}.",
            )
        object.__setattr__(self, "voxels", self.voxels.astype(np.uint8))

    def mask(self, *values: int) -> Mask:
        """The voxels that hold one of `values`; all labeled voxels where none is given."""
        chosen = holds(self.voxels, values) if values else self.voxels > 0
        return Mask(chosen, self.geometry)

    def volume_ml(self, value: int) -> float:
        """Volume of one label; 0.0 where it is absent."""
        return int(np.count_nonzero(self.voxels == int(value))) * self.geometry.voxel_ml

    def boxes(self) -> dict[int, Box]:
        """The smallest box around each label that is there."""
        outer = box_around(self.voxels > 0)
        if outer is None:
            return {}
        inner = self.voxels[outer]
        found = {value: box_around(inner == value) for value in range(1, int(inner.max()) + 1)}
        return {value: box_inside(outer, box) for value, box in found.items() if box is not None}


def require_one_grid(labels: LabelMap, *others: CTVolume | Mask | LabelMap | None) -> None:
    """Refuse to measure labels beside an image of another grid.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    if any(x is not None and not x.geometry.same_grid(labels.geometry) for x in others):
        raise GeometryError(
            "GRID_MISMATCH",
            "CT, anatomy, edema and hemorrhage labels must lie on one grid: bring the labels onto "
            "that of the CT with monai-ich resample LABELS --like CT (3D Slicer straightens the "
            "masks of tilted scans).",
        )


def holds(voxels: NDArray[np.uint8], values: Iterable[int]) -> NDArray[np.bool_]:
    """Which voxels hold one of `values`; on thin slices `np.isin` takes 18 times as long.

    >>> holds(np.array([0, 1, 2], np.uint8), [2, 1]).tolist()
    [False, True, True]
    """
    table = np.zeros(256, bool)
    table[[int(value) for value in values if 0 <= value < 256]] = True
    return table[voxels]


def neighbors(axis: int) -> tuple[Box, Box]:
    """Two boxes of a volume that lie side by side along an axis: each voxel of the one has its next
    one at the same place of the other.
    """
    i, j, k = (slice(None, -1) if n == axis else slice(None) for n in range(3))
    x, y, z = (slice(1, None) if n == axis else slice(None) for n in range(3))
    return (i, j, k), (x, y, z)


def contacts(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> FloatArray:
    """Midpoints ``(N, 3)`` between neighbors along I, J and K of which one lies in each mask."""
    middles = []
    for axis in range(3):
        a, b = neighbors(axis)
        meets = np.argwhere((one[a] & other[b]) | (other[a] & one[b])).astype(np.float64)
        meets[:, axis] += 0.5
        middles.append(meets)
    return np.concatenate(middles)


def voxels_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What is true, as indices ``(N, axes)``, in the order of memory: images lie there with their
    first axis fastest, and `np.argwhere` goes across.

    >>> voxels_of(np.ones((1, 2, 1), bool)).tolist()
    [[0, 0, 0], [0, 1, 0]]
    """
    return np.asarray(np.argwhere(mask.T)[:, ::-1])


def box_around(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box that holds what is true; None where nothing is.

    SciPy's ``find_objects`` takes up to eighty times as long on a whole scan.

    >>> box_around(np.array([[[False, True, True]]]))
    (slice(0, 1, None), slice(0, 1, None), slice(1, 3, None))
    """
    hits = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    if not hits[0].size:
        return None
    i, j, k = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)
    return i, j, k


def box_inside(outer: Box, inner: Box) -> Box:
    """A box of a box, in voxels of the whole."""
    i, j, k = (
        slice(o.start + s.start, o.start + s.stop) for o, s in zip(outer, inner, strict=True)
    )
    return i, j, k


Image = TypeVar("Image", CTVolume, Mask, LabelMap)


def slices_last(image: Image) -> Image:
    """The same image with its slices along K (see `Geometry.slice_axis`); itself where they are.
    Voxels are shared.
    """
    axis = image.geometry.slice_axis
    if axis == 2:
        return image
    i, j = (n for n in range(3) if n != axis)
    shape = image.geometry.shape
    geometry = Geometry(
        (shape[i], shape[j], shape[axis]), image.geometry.affine[:, [i, j, axis, 3]]
    )

    name = "hu" if isinstance(image, CTVolume) else "voxels"
    return replace(image, geometry=geometry, **{name: getattr(image, name).transpose(i, j, axis)})
