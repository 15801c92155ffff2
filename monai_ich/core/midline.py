"""The midline of a head: where it should be, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import FloatArray


@dataclass(frozen=True, eq=False)
class Midline:
    """The ideal midsagittal plane and the displaced midline, RAS+ mm.

    Args:
        point_mm: ``(3,)`` a point of the ideal plane.
        normal: ``(3,)`` unit normal of the ideal plane, pointing to the patient's right.
        displaced_mm: ``(N, 3)`` points on the interface of the hemispheres at the level of the septum pellucidum
            and third ventricle; may be empty.
        slices: ``(N,)`` the slice (K index) on which each displaced point was found.
    """

    point_mm: FloatArray
    normal: FloatArray
    displaced_mm: FloatArray
    slices: FloatArray

    def __post_init__(self) -> None:
        if not np.isclose(np.linalg.norm(self.normal), 1.0, atol=1e-6) or self.normal[0] <= 0:
            raise GeometryError("BAD_MIDLINE", "The midline's normal must be a unit vector that points to the right.")
        if self.displaced_mm.shape != (len(self.slices), 3):
            raise GeometryError("BAD_MIDLINE", "The displaced midline needs one slice index for each point.")

    def distance_mm(self, ras_mm: FloatArray) -> FloatArray:
        """Signed distance ``(N,)`` of points ``(N, 3)`` from the ideal plane, positive to the patient's right."""
        return np.asarray((np.asarray(ras_mm, np.float64) - self.point_mm) @ self.normal)
