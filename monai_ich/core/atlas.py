"""Where a scanned head lies in the space of the atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import FloatArray


@dataclass(frozen=True, eq=False)
class AtlasPose:
    """The affine map from a scan's world to MNI152 space.

    Args:
        affine: 4x4, RAS+ mm of the scan to MNI mm.

    Raises:
        GeometryError: ``BAD_GEOMETRY`` where the affine is not a finite, invertible 4x4 matrix.
    """

    affine: FloatArray

    def __post_init__(self) -> None:
        if (
            self.affine.shape != (4, 4)
            or not np.isfinite(self.affine).all()
            or abs(np.linalg.det(self.affine)) < 1e-9
        ):
            raise GeometryError(
                "BAD_GEOMETRY", "The map to the atlas must be a finite, invertible 4x4 matrix."
            )

    def to_mni(self, ras_mm: ArrayLike) -> FloatArray:
        """RAS+ mm ``(..., 3)`` of the scan to MNI mm ``(..., 3)``.

        >>> AtlasPose(np.diag([2.0, 1.0, 1.0, 1.0])).to_mni([3.0, 4.0, 5.0]).tolist()
        [6.0, 4.0, 5.0]
        """
        points = np.asarray(ras_mm, np.float64)
        return np.asarray(points @ self.affine[:3, :3].T + self.affine[:3, 3])
