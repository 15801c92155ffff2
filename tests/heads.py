"""An ellipsoid head with a known midline, on any grid."""

from __future__ import annotations

import numpy as np

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.volume import LabelMap


def rotation(pitch: float, roll: float, yaw: float) -> np.ndarray:
    p, r, y = np.deg2rad([pitch, roll, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(r), 0, np.sin(r)], [0, 1, 0], [-np.sin(r), 0, np.cos(r)]])
    about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def anatomy(
    geometry: Geometry, *, shift_mm: float, turned: tuple[float, float, float] = (0, 0, 0)
) -> LabelMap:
    """Half-axes 65, 85, 70 mm; the interface of the sides is bent by a bell of `shift_mm` (right if
    positive).
    """
    ijk = np.moveaxis(np.indices(geometry.shape), 0, -1)
    x, y, z = np.moveaxis((geometry.to_world(ijk)) @ rotation(*turned), -1, 0)
    inside = (x / 65) ** 2 + (y / 85) ** 2 + (z / 70) ** 2 < 1
    held = np.clip(1 - (y / 85) ** 2 - (z / 70) ** 2, 0, 1)  # by the falx, near the skull
    interface = shift_mm * held * np.exp(-((y / 35) ** 2 + (z / 35) ** 2) / 2)
    left = x < interface
    ventricle = ((np.abs(x - interface) - 8) / 6) ** 2 + (y / 30) ** 2 + (z / 14) ** 2 < 1
    voxels = np.where(left, Anatomy.LEFT_HEMISPHERE, Anatomy.RIGHT_HEMISPHERE)
    voxels = np.where(
        ventricle, np.where(left, Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE), voxels
    )
    return LabelMap(np.where(inside, voxels, 0).astype(np.uint8), geometry, Anatomy)
