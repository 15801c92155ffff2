"""Darker regions inside of a hematoma on one slab, and the line of a fluid level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, label

_RIM_MM = 1.5  # blood and brain share these voxels
_SMOOTH_MM = 1.5
_LEAST_MM2 = 10.0  # of a region: less is noise
_WIDE_MM = 2.0  # a dark band along the rim is narrower on both sides
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, eq=False)
class Inside:
    """The inside of a hematoma on one slab.

    Args:
        core: bool ``(I, J)``, without its rim.
        hu, smooth_hu: ``(I, J)``; the latter says where regions are, the former how dense.
        dense_hu: of the denser class; medians, as all densities here.
        pixel_mm: along I and J.
    """

    core: NDArray[np.bool_]
    hu: NDArray[np.float64]
    smooth_hu: NDArray[np.float64]
    dense_hu: float
    pixel_mm: tuple[float, float]


@dataclass(frozen=True)
class Region:
    """A darker region.

    Args:
        hu: its density.
        below_hu: how much less that is than the denser part's.
        enclosed: whether denser blood is all around it.
        wide: whether it is more than a band of 4 mm.
        sharp: whether its border is a step and no slope.
    """

    hu: float
    below_hu: float
    enclosed: bool
    wide: bool
    sharp: bool


def look_inside(
    mask: NDArray[np.bool_], hu: NDArray[np.float64], pixel_mm: tuple[float, float]
) -> Inside | None:
    """Take the rim off and smooth; None where hardly anything is left."""
    core = _depth_mm(mask, pixel_mm) >= _RIM_MM
    if core.sum() * pixel_mm[0] * pixel_mm[1] < _LEAST_MM2:
        return None
    sigma = [_SMOOTH_MM / mm for mm in pixel_mm]
    weight = gaussian_filter(core.astype(np.float64), sigma)
    total = gaussian_filter(np.where(core, hu, 0.0), sigma)
    smooth = np.divide(total, weight, out=np.zeros_like(total), where=core)
    dense = core & (smooth > _otsu(smooth[core]))
    return Inside(core, hu, smooth, float(np.median(hu[dense if dense.any() else core])), pixel_mm)


def _depth_mm(mask: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Of each pixel's center below the mask's edge, which runs between pixels."""
    depth = distance_transform_edt(np.pad(mask, 1), sampling=pixel_mm)[1:-1, 1:-1]
    return np.asarray(depth - 0.5 * float(np.mean(pixel_mm)))


def _otsu(values: NDArray[np.float64]) -> float:
    """The threshold that parts values into two classes with the largest variance between.

    References:
        Otsu 1979, doi:10.1109/TSMC.1979.4310076
    """
    ordered = np.sort(values)
    n = np.arange(1, len(ordered))
    low = np.cumsum(ordered)[:-1]
    between = n * (len(ordered) - n) * (low / n - (ordered.sum() - low) / (len(ordered) - n)) ** 2
    best = int(between.argmax()) if len(n) else 0
    return float(ordered[best : best + 2].mean())


def dark_regions(inside: Inside, below_hu: float) -> list[Region]:
    """Connected regions darker than the dense part by more than half of `below_hu`: there the
    border of a region that is darker by `below_hu` runs.
    """
    parts, count = label(
        inside.core & (inside.smooth_hu < inside.dense_hu - below_hu / 2.0), structure=_EIGHT
    )
    pixel_mm2 = inside.pixel_mm[0] * inside.pixel_mm[1]
    regions = []
    for number in range(1, count + 1):
        part = parts == number
        if part.sum() * pixel_mm2 >= _LEAST_MM2:
            regions.append(_region(part, inside))
    return regions


def _region(part: NDArray[np.bool_], inside: Inside) -> Region:
    hu = float(np.median(inside.hu[part]))
    step = inside.dense_hu - hu
    half = _depth_mm(part, inside.pixel_mm)
    around = binary_dilation(part, structure=_EIGHT)
    between = np.abs(inside.smooth_hu - (hu + inside.dense_hu) / 2.0) < step / 6.0
    slope = (between & inside.core).sum() / inside.core.sum()
    at_edge = part[0].any() or part[-1].any() or part[:, 0].any() or part[:, -1].any()
    return Region(
        hu,
        step,
        enclosed=not at_edge and bool(inside.core[around].all()),
        wide=bool(half.max() >= _WIDE_MM),
        sharp=bool(slope < 0.2),  # of a slope from end to end it is a third
    )


def level_hu(inside: Inside, up_mm: tuple[float, float]) -> tuple[float, float]:
    """How much denser the lower part is, and what share of the variance between level rows one
    line explains, 0 to 1; 0 where rows differ less than what is within them.

    Args:
        inside: of one slab.
        up_mm: how much a step along I and J rises.
    """
    i, j = np.nonzero(inside.core)
    rows = np.rint((i * up_mm[0] + j * up_mm[1]) / float(np.mean(inside.pixel_mm))).astype(int)
    order = np.argsort(rows, kind="stable")
    row = np.unique(rows[order], return_inverse=True)[1].reshape(-1)
    values, hu = inside.smooth_hu[i, j][order], inside.hu[i, j][order]
    means = (np.bincount(row, values) / np.bincount(row))[row]
    n = np.arange(1, len(row))
    low, high = np.cumsum(means)[:-1] / n, np.cumsum(means[::-1])[-2::-1] / n[::-1]
    between = n * n[::-1] * (low - high) ** 2 / len(row)
    usable = (np.diff(row) > 0) & (np.minimum(n, n[::-1]) >= 0.1 * len(row))
    of_rows, of_all = (float(((v - v.mean()) ** 2).sum()) for v in (means, values))
    if not usable.any() or of_rows < max(1e-9, 0.5 * of_all):
        return 0.0, 0.0
    cut = int(np.where(usable, between, -1.0).argmax()) + 1
    return float(np.median(hu[:cut]) - np.median(hu[cut:])), float(between[cut - 1]) / of_rows
