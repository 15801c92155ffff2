"""What a few images of a series show, whatever its header calls them: noise, sharp edges, dense
vessels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_SOFT_HU = (0.0, 80.0)
_SKIN_HU = -500.0  # half of the step from air to skin
_BONE_HU = 250.0
_SKULL_MM2 = 500.0  # a piece of bone in one image; vessels and calcifications are smaller
_VESSEL_HU = (110.0, 600.0)  # above any clot
_FROM_BONE_MM = 5.0  # what bone and its blur reach
_VESSEL_MM = 1.5
_FINE_MM = 0.6  # coarser pixels hide how steep an edge is
_MOST_NOISE = (
    25.0  # HU x mm^0.5: soft kernels have 4 to 12 at the doses of head CT, bone kernels 35 and more
)
_LEAST_EDGE_MM = 0.85  # soft kernels 1.1 to 1.5
_MOST_VESSELS = 0.003  # of the pixels inside the skull; unenhanced heads 0.0003
LOOKED_AT = (0.3, 0.4, 0.5, 0.6, 0.7)  # of the way through a series


@dataclass(frozen=True)
class Appearance:
    """Measured in the middle of a head.

    Args:
        noise_hu: standard deviation of what differs from pixel to pixel in soft tissue; NaN where
            there is none.
        thickness_mm: of the slices that were looked at.
        edge_mm: over which air becomes skin; None where pixels are too coarse to tell.
        vessels: share of the pixels inside the skull, away from it, that are denser than a clot.
    """

    noise_hu: float
    thickness_mm: float
    edge_mm: float | None
    vessels: float

    @property
    def is_sharp(self) -> bool:
        """Whether this is an image of a kernel for bone, or as noisy as one.

        Noise falls with the square root of the slice thickness, so thick slices of a sharp kernel
        are told from thin ones of a soft kernel.
        """
        noisy = self.noise_hu * self.thickness_mm**0.5 > _MOST_NOISE
        return noisy or (self.edge_mm is not None and self.edge_mm < _LEAST_EDGE_MM)

    @property
    def is_enhanced(self) -> bool:
        """Whether vessels are as dense as after a contrast agent; noise of a sharp kernel hides
        it.
        """
        return not self.is_sharp and self.vessels > _MOST_VESSELS


def appearance_of(hu: NDArray[np.float32], *, pixel_mm: float, thickness_mm: float) -> Appearance:
    """Measure images.

    Args:
        hu: ``(I, J, N)``, a few images of the middle of a head.
        pixel_mm: in plane.
        thickness_mm: of a slice.
    """
    with np.errstate(invalid="ignore"):
        each = np.array([_measure(hu[:, :, k], pixel_mm) for k in range(hu.shape[2])])
    usual = [
        float(np.median(column[np.isfinite(column)])) if np.isfinite(column).any() else np.nan
        for column in each.T
    ]
    noise, edge, vessels = usual
    fine = pixel_mm <= _FINE_MM and np.isfinite(edge)
    return Appearance(
        noise, thickness_mm, edge if fine else None, vessels if np.isfinite(vessels) else 0.0
    )


def _median(found: NDArray[np.float64]) -> float:
    return float(np.median(found)) if found.size else np.nan


def middle(count: int) -> list[int]:
    """Indices of the slices to look at, of so many."""
    return sorted({round(share * (count - 1)) for share in LOOKED_AT})


def _measure(hu: NDArray[np.float32], pixel_mm: float) -> tuple[float, float, float]:
    return _noise_hu(hu), _edge_mm(hu, pixel_mm), _vessels(hu, pixel_mm)


def _noise_hu(hu: NDArray[np.float32]) -> float:
    """From second differences, which anatomy hardly has; robust against edges by the median."""
    around = ndimage.uniform_filter(np.clip(hu, -200.0, 300.0), 5)
    soft = (around > _SOFT_HU[0]) & (around < _SOFT_HU[1])
    bends = [np.diff(hu, 2, axis=axis) for axis in (0, 1)]
    inside = [soft[1:-1, :], soft[:, 1:-1]]
    found = np.concatenate([bend[where] for bend, where in zip(bends, inside, strict=True)])
    return 1.4826 * float(np.median(np.abs(found))) / 6.0**0.5 if found.size else np.nan


def _edge_mm(hu: NDArray[np.float32], pixel_mm: float) -> float:
    """1,000 HU by the steepest step from pixel to pixel, at the upper quartile of the skin's
    outline.
    """
    head = ndimage.binary_fill_holes(hu > _SKIN_HU)
    outline = head & ~ndimage.binary_erosion(head)
    if not outline.any() or not (hu > _BONE_HU).any():  # without bone this is no skin
        return np.nan
    step = np.zeros_like(hu)
    step[:-1] = np.abs(np.diff(hu, axis=0))
    step[:, :-1] = np.maximum(step[:, :-1], np.abs(np.diff(hu, axis=1)))
    steepest = float(np.percentile(ndimage.maximum_filter(step, 3)[outline], 75))
    return 1000.0 * pixel_mm / steepest if steepest > 0.0 else np.nan


def _vessels(hu: NDArray[np.float32], pixel_mm: float) -> float:
    pieces, _ = ndimage.label(hu > _BONE_HU)
    large = np.bincount(pieces.ravel()) * pixel_mm**2 > _SKULL_MM2
    large[0] = False
    skull = large[pieces]
    inside = ndimage.binary_fill_holes(ndimage.binary_closing(skull, iterations=3))
    reach = max(3, round(_FROM_BONE_MM / pixel_mm))
    inside &= ~ndimage.binary_dilation(skull, iterations=reach)
    if not inside.any():
        return np.nan
    smooth = ndimage.uniform_filter(hu, max(1, round(_VESSEL_MM / pixel_mm)))
    return float(((smooth > _VESSEL_HU[0]) & (smooth < _VESSEL_HU[1]))[inside].mean())
