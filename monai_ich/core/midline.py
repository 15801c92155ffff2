"""The midline of a head: where it should be, and where it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import FloatArray


@dataclass(frozen=True, eq=False)
class Midline:
    """The ideal midsagittal plane and the displaced midline, RAS+ mm.

    Args:
        point_mm: ``(3,)`` a point of the ideal plane.
        normal: ``(3,)`` unit normal of the ideal plane, pointing to the patient's right.
        displaced_mm: ``(N, 3)`` points on the interface of the hemispheres at the level of the
            septum pellucidum and third ventricle; may be empty.
        slices: ``(N,)`` the slice (index along the slice axis) on which each displaced point was
            found.
        covariance: ``(3, 3)`` of the plane's distance at `point_mm`, mm2, and of its slopes to the
            front and to the top (see `front_and_top`), from the scatter of what it was fitted to;
            zeros where the plane is known.
        monro_mm: ``(3,)`` where the ideal plane passes between the foramina of Monro; None where
            that was not looked for.
        monro_sd_mm: standard deviation of that place along the plane, in each direction.
    """

    point_mm: FloatArray
    normal: FloatArray
    displaced_mm: FloatArray
    slices: FloatArray
    covariance: FloatArray = field(default_factory=lambda: np.zeros((3, 3)))
    monro_mm: FloatArray | None = None
    monro_sd_mm: float = 0.0

    def __post_init__(self) -> None:
        if not np.isclose(np.linalg.norm(self.normal), 1.0, atol=1e-6) or self.normal[0] <= 0:
            raise GeometryError(
                "BAD_MIDLINE",
                "The midline's normal must be a unit vector that points to the right.",
            )
        if self.displaced_mm.shape != (len(self.slices), 3):
            raise GeometryError(
                "BAD_MIDLINE", "The displaced midline needs one slice index for each point."
            )

    @property
    def front_and_top(self) -> FloatArray:
        """Unit vectors ``(2, 3)`` of the ideal plane that run most nearly to the front, and from
        there to the top.
        """
        return front_and_top(self.normal)

    def along_mm(self, ras_mm: FloatArray) -> FloatArray:
        """Where points ``(N, 3)`` lie along the ideal plane ``(N, 2)``: to the front and to the
        top of `point_mm`.
        """
        return np.asarray((np.asarray(ras_mm, np.float64) - self.point_mm) @ self.front_and_top.T)

    def sd_mm(self, ras_mm: FloatArray) -> float:
        """Standard deviation of the ideal plane's place at a point ``(3,)``."""
        at = np.concatenate([[1.0], self.along_mm(ras_mm)])
        return float(np.sqrt(at @ self.covariance @ at))

    def distance_mm(self, ras_mm: FloatArray) -> FloatArray:
        """Signed distance ``(N,)`` of points ``(N, 3)`` from the ideal plane, positive to the
        patient's right.
        """
        return np.asarray((np.asarray(ras_mm, np.float64) - self.point_mm) @ self.normal)


def front_and_top(normal: FloatArray) -> FloatArray:
    """Unit vectors ``(2, 3)`` perpendicular to a unit normal: most nearly to the front, and to the
    top.

    >>> front_and_top(np.array([1.0, 0.0, 0.0])).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    front = np.array([0.0, 1.0, 0.0]) - normal[1] * normal
    front /= np.linalg.norm(front)
    return np.stack([front, np.cross(normal, front)])
