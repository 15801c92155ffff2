"""Bodies that are no head, and what lies below a head: ellipses of tissue on a grid of 2 x 2 x 4
mm.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume

STEP_MM = (2.0, 2.0, 4.0)
Body = NDArray[np.float64]
FAT, MUSCLE, AIR = -90.0, 52.0, -1000.0


def ellipse(
    x: Body, y: Body, half: tuple[float, float], at: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.bool_]:
    """Points in an ellipse of such half axes, mm."""
    return np.asarray(((x - at[0]) / half[0]) ** 2 + ((y - at[1]) / half[1]) ** 2 < 1)


def body(pixels: int, count: int) -> tuple[Body, Body, Body, Body]:
    """Air, and where its voxels lie: x, y from the middle, z from the lowest slice, mm."""
    middle = pixels / 2
    x, y, z = np.meshgrid(
        (np.arange(pixels) - middle) * STEP_MM[0],
        (np.arange(pixels) - middle) * STEP_MM[1],
        np.arange(count) * STEP_MM[2],
        indexing="ij",
    )
    return np.full(x.shape, AIR), x, y, z


def chest(count: int = 60) -> Body:
    hu, x, y, z = body(200, count)
    hu[ellipse(x, y, (170, 110))] = FAT
    muscle = ellipse(x, y, (155, 95))
    hu[muscle] = MUSCLE
    hu[muscle & ~ellipse(x, y, (148, 88)) & (np.sin(z / 8) > 0.2)] = 500  # ribs
    hu[ellipse(np.abs(x), y, (60, 75), at=(70, 0))] = -850  # lungs
    hu[ellipse(x, y, (60, 55), at=(20, 25)) & (np.abs(z - 100) < 70)] = 45  # heart
    hu[ellipse(x, y, (20, 18), at=(0, -75))] = 250  # spine
    return hu


def abdomen(count: int = 60) -> Body:
    hu, x, y, _ = body(200, count)
    hu[ellipse(x, y, (170, 120))] = FAT
    hu[ellipse(x, y, (150, 100))] = 55
    hu[ellipse(x, y, (80, 70), at=(-60, 10))] = 62  # liver
    hu[ellipse(x, y, (40, 40), at=(70, 10))] = FAT
    hu[ellipse(x, y, (22, 20), at=(0, -70))] = 300
    return hu


def neck(count: int = 40) -> Body:
    hu, x, y, z = body(128, count)
    hu[ellipse(x, y, (65, 60))] = FAT
    hu[ellipse(x, y, (60, 55))] = MUSCLE
    hu[ellipse(x, y, (9, 8), at=(0, 25))] = AIR
    hu[ellipse(x, y, (20, 16), at=(0, -15)) & (np.sin(z / 5) > -0.5)] = 400
    hu[ellipse(x, y, (8, 7), at=(0, -22))] = 25
    return hu


def water() -> Body:
    """A phantom: water in plastic."""
    hu, x, y, _ = body(128, 40)
    hu[ellipse(x, y, (105, 105))] = 120
    hu[ellipse(x, y, (100, 100))] = 0
    return hu


BODIES: dict[str, Callable[[], Body]] = {
    "chest": chest,
    "abdomen": abdomen,
    "neck": neck,
    "phantom": water,
}


def scan(hu: Body) -> CTVolume:
    """As a scanner sees it: a little blurred, with noise."""
    noise = np.random.default_rng(0).normal(0, 5, hu.shape)
    seen = np.rint(ndimage.gaussian_filter(hu, (0.5, 0.5, 0.3)) + noise).astype(np.float32)
    affine = np.diag([*STEP_MM, 1.0])
    affine[:3, 3] = [-n * step / 2 for n, step in zip(hu.shape, STEP_MM, strict=True)]
    return CTVolume(np.clip(seen, -1024, 3071), Geometry(seen.shape, affine))


def on_shoulders(head: Body) -> Body:
    """A head on this grid, at most 220 pixels wide, with 90 mm of neck and 140 mm of chest below
    it.
    """
    wide, below = 220, 55
    hu = np.full((wide, wide, head.shape[2] + below), AIR)
    parts = ((chest(35), 0), (neck(22), 33), (head, below))
    for part, start in parts:
        i, j = ((wide - n) // 2 for n in part.shape[:2])
        place = hu[i : i + part.shape[0], j : j + part.shape[1], start : start + part.shape[2]]
        place[part > AIR + 100] = part[part > AIR + 100]
    return hu
