"""Bodies that are no head, and shoulders below one: where an anatomy network must find no cavity.

Crude on purpose (ellipses of tissue): such a network has to know what a head is, not what a chest
looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from monai_ich.core.geometry import Box

STEP_MM = (2.0, 2.0, 3.0)
AIR_HU, FAT_HU, MUSCLE_HU, BONE_HU = -1000.0, -95.0, 50.0, 450.0
_Points = NDArray[np.float64]
_Size = float | _Points  # mm, or of each slice


@dataclass(frozen=True, eq=False)
class _Canvas:
    """Densities ``(I, J, K)`` in HU, from left to right, back to front and bottom to top, and where
    their voxels lie: mm from the middle, and above the lowest slice.
    """

    hu: _Points
    x: _Points
    y: _Points
    z: _Points

    @classmethod
    def of(cls, width_mm: float, height_mm: float) -> _Canvas:
        n, count = (
            round(mm / step) for mm, step in zip((width_mm, height_mm), STEP_MM[1:], strict=True)
        )
        across = (np.arange(n) - (n - 1) / 2) * STEP_MM[0]
        x, y, z = np.meshgrid(across, across, np.arange(count) * STEP_MM[2], indexing="ij")
        return cls(np.full(x.shape, AIR_HU), x, y, z)

    def ellipse(
        self, a: _Size, b: _Size, at: tuple[_Size, _Size] = (0.0, 0.0)
    ) -> NDArray[np.bool_]:
        """Points within such half axes, left to right and back to front."""
        return np.asarray(((self.x - at[0]) / a) ** 2 + ((self.y - at[1]) / b) ** 2 < 1.0)


def draw_body(rng: np.random.Generator) -> _Points:
    """A chest or belly, a neck, limbs or a phantom, HU ``(I, J, K)`` at `STEP_MM`."""
    kinds = (_trunk, _trunk, _neck, _limbs, _phantom, _phantom)
    return _as_scanned(kinds[rng.integers(len(kinds))](rng), rng)


def on_shoulders(head: _Points, rng: np.random.Generator) -> tuple[_Points, Box]:
    """A head with neck and shoulders below it.

    Args:
        head: HU ``(I, J, K)`` at `STEP_MM`, in air.
        rng: draws how long the neck is, and what lies in it.

    Returns:
        HU ``(I, J, K)``, and where in it the head lies.
    """
    neck_mm, chest_mm = rng.uniform(50, 110), rng.uniform(0, 180)
    canvas = _Canvas.of(460.0, neck_mm + chest_mm)
    low = head[:, :, 0] > AIR_HU / 2
    y = (np.nonzero(low)[1].mean() if low.any() else head.shape[1] / 2) - head.shape[1] / 2
    _paint_trunk(canvas, rng, neck_from_mm=chest_mm, back_mm=float(y) * STEP_MM[1])
    below = canvas.hu.shape[2]
    whole = np.full((*canvas.hu.shape[:2], below + head.shape[2]), AIR_HU)
    whole[:, :, :below] = _as_scanned(canvas.hu, rng)
    starts = [(wide - n) // 2 for wide, n in zip(whole.shape[:2], head.shape[:2], strict=True)]
    i, j = (slice(first, first + n) for first, n in zip(starts, head.shape[:2], strict=True))
    place = (i, j, slice(below, None))
    whole[place] = head
    return whole, place


def _as_scanned(hu: _Points, rng: np.random.Generator) -> _Points:
    """A little blurred, with noise."""
    seen = gaussian_filter(hu, rng.uniform(0.3, 0.7, 3))
    noisy: _Points = np.rint(seen + rng.normal(0.0, rng.uniform(2, 12), hu.shape))
    return np.clip(noisy, -1024.0, 3071.0)


def _trunk(rng: np.random.Generator) -> _Points:
    canvas = _Canvas.of(460.0, rng.uniform(80, 300))
    _paint_trunk(canvas, rng, neck_from_mm=np.inf)
    return canvas.hu


def _paint_trunk(
    canvas: _Canvas, rng: np.random.Generator, *, neck_from_mm: float, back_mm: float = 0.0
) -> None:
    """Chest or belly; from some height on it narrows to a neck, whose middle lies so far from that
    of the image.
    """
    share = np.clip((canvas.z - neck_from_mm) / 40.0 + 0.5, 0.0, 1.0)
    narrow = share * share * (3 - 2 * share) if np.isfinite(neck_from_mm) else np.zeros_like(share)

    def between(wide: float, thin: float) -> _Points:
        return wide + (thin - wide) * narrow

    a, b = (
        between(rng.uniform(130, 210), rng.uniform(52, 75)),
        between(rng.uniform(90, 130), rng.uniform(50, 70)),
    )
    at = (np.zeros_like(narrow), back_mm * narrow)
    fat = rng.uniform(0.85, 0.96)
    hu, chest = canvas.hu, narrow < 0.5
    hu[canvas.ellipse(a, b, at)] = rng.normal(FAT_HU, 8)
    hu[canvas.ellipse(a * fat, b * fat, at)] = rng.normal(MUSCLE_HU, 6)
    if rng.random() < 0.6:  # ribs and lungs
        ring = canvas.ellipse(a * 0.87, b * 0.87, at) & ~canvas.ellipse(a * 0.82, b * 0.82, at)
        hu[ring & chest & (np.sin(canvas.z / rng.uniform(6, 10)) > 0.2)] = BONE_HU
        for side in (-1, 1):
            lung = canvas.ellipse(a * 0.34, b * 0.62, (side * a * 0.42, at[1] + 5))
            hu[lung & chest] = rng.normal(-850, 30)
    for _ in range(rng.integers(2, 7)):  # organs, bowel with gas
        x, y = rng.uniform(-0.5, 0.5, 2)
        blob = canvas.ellipse(rng.uniform(15, 70), rng.uniform(15, 60), (x * a, y * b))
        height = np.abs(canvas.z - rng.uniform(0, canvas.z.max())) < rng.uniform(15, 60)
        hu[blob & height & chest & canvas.ellipse(a * 0.8, b * 0.8, at)] = rng.choice(
            [-900.0, 10.0, 35.0, 50.0, 60.0, 180.0]
        )
    spine = at[1] - b * between(0.6, 0.25)
    body = canvas.ellipse(rng.uniform(16, 24), rng.uniform(14, 20), (at[0], spine))
    hu[body & (np.sin(canvas.z / rng.uniform(4, 8)) > -0.6)] = rng.uniform(200, 600)
    hu[canvas.ellipse(15, 11, (at[0], spine - 24))] = BONE_HU
    hu[canvas.ellipse(rng.uniform(7, 10), rng.uniform(6, 8), (at[0], spine - 24))] = rng.uniform(
        5, 35
    )
    hu[canvas.ellipse(9, 8, (at[0], at[1] + b * 0.45)) & ~chest] = AIR_HU  # airway


def _neck(rng: np.random.Generator) -> _Points:
    canvas = _Canvas.of(256.0, rng.uniform(60, 140))
    _paint_trunk(canvas, rng, neck_from_mm=-100.0)
    return canvas.hu


def _limbs(rng: np.random.Generator) -> _Points:
    canvas = _Canvas.of(400.0, rng.uniform(80, 250))
    radius = rng.uniform(35, 85)
    bone = radius * rng.uniform(0.2, 0.35)
    for side in (-1, 1):
        at = (side * (radius + rng.uniform(5, 20)), rng.uniform(-15, 15))
        for part, density in ((1.0, FAT_HU), (0.85, MUSCLE_HU)):
            canvas.hu[canvas.ellipse(radius * part, radius * part, at)] = density
        canvas.hu[canvas.ellipse(bone, bone, at)] = rng.uniform(600, 1400)
        canvas.hu[canvas.ellipse(bone * 0.6, bone * 0.6, at)] = FAT_HU
    return canvas.hu


def _phantom(rng: np.random.Generator) -> _Points:
    """A cylinder of one material in a thin shell of plastic, often with rods of others."""
    canvas = _Canvas.of(300.0, rng.uniform(60, 180))
    a = rng.uniform(60, 125)
    b, shell = a * rng.uniform(0.75, 1.0), rng.uniform(2, 8)
    canvas.hu[canvas.ellipse(a, b)] = rng.uniform(60, 160)
    canvas.hu[canvas.ellipse(a - shell, b - shell)] = rng.choice(
        [-100.0, 0.0, 0.0, 20.0, 40.0, 110.0]
    )
    for _ in range(rng.integers(0, 7)):
        x, y = rng.uniform(-0.6, 0.6, 2) * (a, b)
        size = rng.uniform(3, 14)
        canvas.hu[canvas.ellipse(size, size, (x, y))] = rng.choice(
            [-1000.0, -90.0, 60.0, 120.0, 340.0, 990.0]
        )
    return canvas.hu
