"""Unevenly spaced slices onto an even grid: linear between true positions, and the width each slice
stands for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import FloatArray

FINEST_MM = 0.5
_MISFIT_MM = 0.12


def slab_widths_mm(positions_mm: FloatArray) -> FloatArray:
    """Width that each slice stands for: half the distance to both neighbors; whole gaps count at
    both ends.

    >>> slab_widths_mm(np.array([0.0, 2.0, 4.0, 9.0])).tolist()
    [2.0, 2.0, 3.5, 5.0]
    """
    gaps = np.diff(positions_mm)
    return np.concatenate([gaps[:1], (gaps[:-1] + gaps[1:]) / 2, gaps[-1:]])


def is_even(positions_mm: FloatArray) -> bool:
    """Whether each gap is the median gap within 0.05 mm or 1 %, whichever is larger."""
    gaps = np.diff(positions_mm)
    median = float(np.median(gaps))
    return bool(np.abs(gaps - median).max() <= max(0.05, 0.01 * median))


def even_positions(positions_mm: FloatArray) -> FloatArray:
    """The coarsest even positions over the same range on which every slice lies within 0.12 mm of
    one of them.

    So each original slice stays (nearly) itself, and no gap is sampled coarser than it was
    acquired.

    >>> even_positions(np.array([0.0, 2.5, 5.0, 10.0])).tolist()
    [0.0, 2.5, 5.0, 7.5, 10.0]
    """
    start, length = float(positions_mm[0]), float(positions_mm[-1] - positions_mm[0])
    fewest = int(np.ceil(length / float(np.diff(positions_mm).min()) - 0.2))
    for count in range(max(1, fewest), int(length / FINEST_MM) + 1):
        step = length / count
        offsets = (positions_mm - start) / step
        if np.abs(offsets - np.rint(offsets)).max() * step <= _MISFIT_MM:
            return np.asarray(start + step * np.arange(count + 1), np.float64)
    count = max(
        1, int(np.ceil(length / max(FINEST_MM, min(1.0, float(np.diff(positions_mm).min())))))
    )
    return np.asarray(start + length / count * np.arange(count + 1), np.float64)


def regrid(
    slices: NDArray[np.float32], positions_mm: FloatArray, wanted_mm: FloatArray
) -> NDArray[np.float32]:
    """Interpolate ``(I, J, N)`` slices at increasing positions linearly at wanted positions: ``(I,
    J, M)``.

    Wanted positions outside the range take the nearest slice. Each slice of the result is
    contiguous in memory.
    """
    after = np.clip(np.searchsorted(positions_mm, wanted_mm), 1, len(positions_mm) - 1)
    before = after - 1
    share = (wanted_mm - positions_mm[before]) / (positions_mm[after] - positions_mm[before])
    share = np.clip(share, 0.0, 1.0).astype(np.float32)
    out = np.empty((*slices.shape[:2], len(wanted_mm)), np.float32, order="F")
    for k in range(len(wanted_mm)):
        a, b = slices[:, :, before[k]], slices[:, :, after[k]]
        np.multiply(b - a, share[k], out=out[:, :, k])
        out[:, :, k] += a
    return out
