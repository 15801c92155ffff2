"""A hematoma as a reader sees it: axial slabs of up to 5 mm with pixels of about 1 mm.

The signs of `check_signs` were defined on such slices; on thin ones noise would decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import CONNECTED_26, CTVolume, LabelMap, box_around, box_inside

SLAB_MM, _SLACK_MM = 5.0, 0.5
_PIXEL_MM = 1.0
_REACH_MM = 32.0  # what the signs look at around the largest hematoma: gap and size of a satellite
_OBLIQUE = 0.7  # 45 degrees


@dataclass(frozen=True, eq=False)
class Slabs:
    """What lies around the largest IPH.

    Args:
        main, all: bool ``(I, J, S)``, the largest IPH and every IPH there.
        hu: float ``(I, J, S)``, mean over what is IPH; None without a CT. 0 outside.
        pixel_mm: along I and J.
        up_mm: ``(2,)`` how much a step along I and J rises, for a patient on the back.
    """

    main: NDArray[np.bool_]
    all: NDArray[np.bool_]
    hu: NDArray[np.float64] | None
    pixel_mm: tuple[float, float]
    up_mm: tuple[float, float]

    @property
    def pixel_mm2(self) -> float:
        """Area of a pixel."""
        return self.pixel_mm[0] * self.pixel_mm[1]

    @property
    def area_mm2(self) -> NDArray[np.float64]:
        """Of the largest hematoma on each slab."""
        return np.asarray(self.main.sum(axis=(0, 1)) * self.pixel_mm2)


def cut_slabs(labels: LabelMap, ct: CTVolume | None) -> Slabs | NotMeasurable:
    """Cut the largest IPH and its surroundings into slabs, or say why that cannot be done.

    Args:
        labels: map of `Subtype`, slices along K.
        ct: on the same grid.
    """
    box = box_around(labels.voxels == Subtype.IPH)
    if box is None:
        return NotMeasurable("no IPH was found")
    geometry = labels.geometry
    normal = np.cross(*geometry.affine[:3, :2].T)
    normal /= np.linalg.norm(normal)
    if abs(normal[2]) < _OBLIQUE:
        return NotMeasurable("the slices are not axial")
    slice_mm = float(abs(normal @ geometry.affine[:3, 2]))
    if slice_mm > SLAB_MM + _SLACK_MM:
        return NotMeasurable(f"slices of {slice_mm:.1f} mm are thicker than {SLAB_MM:.0f} mm")
    pieces, _ = label_pieces(labels.voxels[box] == Subtype.IPH, structure=CONNECTED_26)
    every = pieces > 0
    main = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    own = box_around(main)
    assert own is not None
    near = geometry.crop(box).grow(own, _REACH_MM)
    inside = box_inside(box, near)
    i, j = (max(1, int(_PIXEL_MM / mm + 0.2)) for mm in geometry.spacing_mm[:2])
    group = (i, j, max(1, int((SLAB_MM + _SLACK_MM) / slice_mm)))
    share = _pooled(every[near], group)
    hu = None
    if ct is not None:
        total = _pooled(np.where(every[near], ct.hu[inside], np.float32(0)), group)
        hu = np.divide(total, share, out=np.zeros_like(share), where=share > 0)
    return Slabs(
        _pooled(main[near], group) >= 0.5,
        share >= 0.5,
        hu,
        (geometry.spacing_mm[0] * i, geometry.spacing_mm[1] * j),
        (float(geometry.affine[1, 0] * i), float(geometry.affine[1, 1] * j)),
    )


def _pooled(values: NDArray[Any], group: tuple[int, int, int]) -> NDArray[np.float64]:
    """Mean over blocks; the last ones are filled up with nothing."""
    ends = [(0, -n % g) for n, g in zip(values.shape, group, strict=True)]
    full = np.pad(values, ends).astype(np.float32, copy=False)
    i, j, k = group
    total = np.zeros([n // g for n, g in zip(full.shape, group, strict=True)])
    for a, b, c in product(range(i), range(j), range(k)):
        total += full[a::i, b::j, c::k]
    return total / (i * j * k)
