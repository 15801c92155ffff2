"""ABC/2: the bedside estimate of a hematoma's volume, beside the true volume and never instead of
it.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import ConvexHull, QhullError

from monai_ich.core.exam import NO_SUBTYPES
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.labels import Hemorrhage, Subtype
from monai_ich.core.lesion import Abc2
from monai_ich.core.measurement import NotMeasurable

_TIE_MM = 1e-3
_DEFINED = (Subtype.EDH, Subtype.IPH, Subtype.SDH)


def measure_abc2(
    mask: NDArray[np.bool_], geometry: Geometry, subtype: Subtype | Hemorrhage
) -> Abc2 | NotMeasurable:
    """A, B and C of one lesion in mm; ABC/2 follows.

    On the slice of largest area, A is the largest diameter and B the largest extent perpendicular
    to it (Kothari). A crescent is not as wide as it bulges: of an SDH, B is its thickness there
    (Gebel), the diameter of the largest disc that fits into it. C counts slices, times their
    distance along their normal: by Kothari 1 above 75 % of the largest area, 0.5 from 25 to 75 %,
    else 0; by Gebel and many trials each as 1.

    Args:
        mask: ``(I, J, K)``, slices along K.
        geometry: its grid; distances are in the world, so a shear does no harm.
        subtype: blood that has no shape of its own (SAH, IVH) has no ABC/2.

    References:
        Kothari 1996, doi:10.1161/01.STR.27.8.1304; Gebel 1998, doi:10.1161/01.STR.29.9.1799
    """
    if subtype is Hemorrhage.ANY:
        return NotMeasurable(NO_SUBTYPES)
    if subtype not in _DEFINED:
        return NotMeasurable(f"ABC/2 is not defined for {subtype.name}")
    areas = mask.sum(axis=(0, 1))
    largest = int(areas.argmax())
    i, j = np.nonzero(mask[:, :, largest])
    points = geometry.to_world(np.stack([i, j, np.full(len(i), largest)], axis=-1))
    in_plane = geometry.affine[:3, :2]
    u = in_plane[:, 0] / np.linalg.norm(in_plane[:, 0])
    v = in_plane[:, 1] - (in_plane[:, 1] @ u) * u
    v /= np.linalg.norm(v)
    pixel = float(np.linalg.norm(in_plane, axis=0).mean())
    a, b = (mm + pixel for mm in _diameters(np.stack([points @ u, points @ v], axis=-1)))
    share = areas / areas[largest]
    weight = float((share > 0.75).sum() + 0.5 * ((share >= 0.25) & (share <= 0.75)).sum())
    step = float(abs(np.cross(u, v) @ geometry.affine[:3, 2]))
    all_mm = step * float((areas > 0).sum())
    if subtype is Subtype.SDH:
        return Abc2("Gebel 1998", a, _disc_mm(mask[:, :, largest], geometry), all_mm, all_mm)
    return Abc2("Kothari 1996", a, b, weight * step, all_mm)


def _disc_mm(plane: NDArray[np.bool_], geometry: Geometry) -> float:
    """Diameter of the largest disc in a mask of one slice, within half a pixel."""
    spacing = geometry.spacing_mm[:2]
    inside = distance_transform_edt(np.pad(plane, 1), sampling=spacing)
    return 2.0 * float(inside.max()) - 0.5 * float(np.mean(spacing))


def _diameters(points: FloatArray) -> tuple[float, float]:
    """Largest distance between points ``(N, 2)`` and largest extent perpendicular to it.

    Of several distances that are equally large, as small lesions have, the one with the largest
    extent counts: which of them is the largest by a millionth, the file's rounding of the grid
    decides.

    >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 2.0 - 1e-9]])
    >>> [round(float(v), 3) for v in _diameters(square)]
    [2.236, 1.342]
    """
    if len(points) > 3:
        with suppress(QhullError):  # points on a line have no hull
            points = points[ConvexHull(points).vertices]
    apart = points[:, None] - points[None, :]
    distance = np.linalg.norm(apart, axis=-1)
    a = float(distance.max())
    if a == 0.0:
        return 0.0, 0.0
    along = apart[np.triu(distance >= a - _TIE_MM)] / a
    across = np.stack([-along[:, 1], along[:, 0]])
    return a, float(np.ptp(points @ across, axis=0).max())
