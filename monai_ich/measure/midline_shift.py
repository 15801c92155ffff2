"""Midline shift: how far the midline at septum pellucidum and third ventricle lies from where it should."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.exam import MidlineShift
from monai_ich.core.geometry import FloatArray
from monai_ich.core.measurement import Measurement
from monai_ich.core.midline import Midline

_CELL_MM = 5.0
_MIN_POINTS = 3
METHOD = "largest perpendicular distance of the hemispheres' interface from the plane through the falx insertions"


def measure_midline_shift(midline: Midline | str) -> MidlineShift:
    """Measure the shift.

    Not one point but a cell of 5 mm decides: interface points are gathered in cells of the ideal plane, each cell
    takes the median of its points and is averaged with its neighbors, the largest cell is the shift.

    Args:
        midline: from `fit_midline`; a string is the reason why there is none.
    """
    if isinstance(midline, str):
        return MidlineShift(Measurement("midline_shift", None, "mm", "midline", METHOD, reason=midline))
    if len(midline.displaced_mm) < _MIN_POINTS:
        reason = "the midline at the level of the septum pellucidum was not found"
        return MidlineShift(Measurement("midline_shift", None, "mm", "midline", METHOD, reason=reason))
    distance = midline.distance_mm(midline.displaced_mm)
    cells = _cells(midline)
    smooth, members = _smoothed(distance, cells)
    best = int(np.abs(smooth).argmax())
    shift = float(smooth[best])
    inside = np.flatnonzero(members == best)
    nearest = inside[int(np.abs(distance[inside] - shift).argmin())]
    x, y, z = midline.displaced_mm[nearest]
    profile = []
    for k in np.unique(midline.slices):
        here = distance[midline.slices == k]
        if len(here) >= _MIN_POINTS:
            low, high = np.percentile(here, [5, 95])
            profile.append((int(k), float(high if abs(high) >= abs(low) else low)))
    toward = None if abs(shift) < 0.5 else "right" if shift > 0 else "left"
    measured = Measurement("midline_shift", abs(shift), "mm", "midline", METHOD)
    return MidlineShift(measured, toward, (float(x), float(y), float(z)), int(midline.slices[nearest]), tuple(profile))


def _cells(midline: Midline) -> FloatArray:
    """Cell ``(N, 2)`` of each point in the ideal plane."""
    n = midline.normal
    ahead = np.array([0.0, 1.0, 0.0]) - n[1] * n
    ahead /= np.linalg.norm(ahead)
    up = np.cross(n, ahead)
    relative = midline.displaced_mm - midline.displaced_mm.mean(axis=0)
    return np.floor(np.stack([relative @ ahead, relative @ up], axis=-1) / _CELL_MM)


def _smoothed(distance: FloatArray, cells: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Median of each cell averaged with its neighbors (weight one half), and the cell number of each point."""
    unique, members = np.unique(cells, axis=0, return_inverse=True)
    members = members.reshape(-1)
    medians = np.array([np.median(distance[members == n]) for n in range(len(unique))])
    counts = np.bincount(members)
    near = np.abs(unique[:, None] - unique[None, :]).sum(axis=-1) <= 1
    weight = near * np.where(counts >= _MIN_POINTS, 1.0, 0.2)[None, :] * np.where(np.eye(len(unique)) > 0, 1.0, 0.5)
    smooth = (weight @ medians) / weight.sum(axis=1)
    lonely = (near.sum(axis=1) < 2) | (counts < _MIN_POINTS)
    if not lonely.all():
        smooth = np.where(lonely, 0.0, smooth)
    return smooth, members
