"""A scan turned for display: what every picture of it starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from monai_ich.core.exam import ShiftAt
from monai_ich.core.exam_slices import Point
from monai_ich.core.geometry import FloatArray, Geometry, to_lps
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Subtype
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap

WINDOW_HU = (0.0, 80.0)  # brain: level 40, width 80
_AROUND_CAVITY_MM = 22.0  # skull and scalp


@dataclass(frozen=True, eq=False)
class View:
    """Images turned for display: axis 0 toward the patient's left, 1 to the back, 2 up, as near as
    the grid allows.

    Args:
        hu, blood: CT and hemorrhage labels in that order of axes.
        anatomy: anatomy labels, None where there are none.
        geometry: of the turned images.
        numbers: index along the third axis to the index in the original image.
        heat: heat map of each subtype that has one, 0 to 255.
    """

    hu: NDArray[np.float32]
    blood: NDArray[np.uint8]
    anatomy: NDArray[np.uint8] | None
    geometry: Geometry
    numbers: NDArray[np.int64]
    heat: Mapping[Subtype, NDArray[np.uint8]] = field(default_factory=dict)

    def slice_of(self, shift: ShiftAt | None) -> int | None:
        """The slice of a shift, None where it was not measured."""
        if shift is None or shift.at_ras_mm is None:
            return None
        return self.slice_at(shift.at_ras_mm)

    def slice_at(self, ras_mm: Point) -> int:
        """The slice nearest to a point."""
        return int(
            np.clip(np.rint(self.geometry.to_voxel(ras_mm)[2]), 0, self.geometry.shape[2] - 1)
        )

    def head_box(self) -> tuple[slice, slice]:
        """Columns and rows that hold the skull around the cavity; where there is no cavity, all
        that is not air.
        """
        head = (
            (self.hu > -300).mean(axis=2) > 0.05
            if self.anatomy is None
            else self.anatomy.any(axis=2)
        )
        shown: NDArray[np.bool_] = np.asarray(head | self.blood.any(axis=2))
        margin_mm = 4.0 if self.anatomy is None else _AROUND_CAVITY_MM
        ends = []
        for axis in (0, 1):
            hit, size = np.flatnonzero(shown.any(axis=1 - axis)), shown.shape[axis]
            margin = round(margin_mm / self.geometry.spacing_mm[axis])
            ends.append(
                slice(max(0, hit[0] - margin), min(size, hit[-1] + margin + 1))
                if hit.size
                else slice(0, size)
            )
        return ends[0], ends[1]

    def cropped(self) -> View:
        """What lies in `head_box`."""
        box = (*self.head_box(), slice(None))
        anatomy = None if self.anatomy is None else self.anatomy[box]
        heat = {subtype: voxels[box] for subtype, voxels in self.heat.items()}
        return View(
            self.hu[box], self.blood[box], anatomy, self.geometry.crop(box), self.numbers, heat
        )


def turn(
    ct: CTVolume, labels: LabelMap, anatomy: LabelMap | None, heat_maps: Iterable[HeatMap] = ()
) -> View:
    """Any order and direction of the image's axes will do; voxels are shared, not copied."""
    directions = ct.geometry.affine[:3, :3] / np.linalg.norm(ct.geometry.affine[:3, :3], axis=0)
    order = [int(n) for n in linear_sum_assignment(-np.abs(directions))[1]]
    wanted = to_lps([1.0, 1.0, 1.0])  # left, back, up
    flipped = tuple(n for n in range(3) if directions[n, order[n]] * wanted[n] < 0)

    def turned(image: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.flip(image.transpose(order), flipped))

    affine = ct.geometry.affine[:, [*order, 3]].copy()
    i, j, k = (ct.geometry.shape[n] for n in order)
    for n in flipped:
        affine[:3, 3] += affine[:3, n] * ((i, j, k)[n] - 1)
        affine[:3, n] *= -1
    parts = turned(anatomy.voxels) if anatomy is not None and anatomy.voxels.any() else None
    numbers = np.arange(k)
    if 2 in flipped:
        numbers = np.flip(numbers)
    heat = {heat_map.subtype: turned(heat_map.voxels) for heat_map in heat_maps}
    return View(
        turned(ct.hu), turned(labels.voxels), parts, Geometry((i, j, k), affine), numbers, heat
    )


def ideal_line(view: View, midline: Midline, k: int) -> FloatArray:
    """Where the ideal plane cuts a slice, at its first and last row: voxel coordinates ``(2,
    3)``.
    """
    rows = np.array([0.0, view.geometry.shape[1] - 1.0])
    start = view.geometry.to_world(np.stack([np.zeros(2), rows, np.full(2, float(k))], axis=-1))
    columns = -midline.distance_mm(start) / float(view.geometry.affine[:3, 0] @ midline.normal)
    return np.stack([columns, rows, np.full(2, float(k))], axis=-1)
