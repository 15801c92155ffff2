"""How well a prediction agrees with a reference on the same grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from monai_ich.core.errors import GeometryError
from monai_ich.core.volume import CONNECTED_26, Mask


def dice(prediction: Mask, reference: Mask) -> float:
    """Dice coefficient, 0 to 1; two empty masks agree perfectly: 1.

    >>> from monai_ich.core.geometry import Geometry
    >>> grid = Geometry((4, 1, 1), np.eye(4))
    >>> three, two = (Mask(np.arange(4).reshape(4, 1, 1) < n, grid) for n in (3, 2))
    >>> dice(three, two)  # 2 * 2 / (3 + 2)
    0.8

    Raises:
        GeometryError: ``GRID_MISMATCH`` where the masks lie on different grids.
    """
    _require_one_grid(prediction, reference)
    total = int(prediction.voxels.sum()) + int(reference.voxels.sum())
    return 1.0 if total == 0 else 2.0 * int((prediction.voxels & reference.voxels).sum()) / total


def shared_ml(one: Mask, other: Mask) -> float:
    """Volume that two masks share.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    _require_one_grid(one, other)
    return int((one.voxels & other.voxels).sum()) * one.geometry.voxel_ml


def count_lesions_found(prediction: Mask, reference: Mask, *, over_ml: float = 0.0) -> tuple[int, int]:
    """Lesions of the reference that the prediction touches, and how many there are.

    A lesion is a 26-connected piece; it is found when at least one of its voxels is predicted. Exchanged, the two
    masks give the pieces of a prediction that touch something true: all others are false.

    Args:
        prediction: of any size.
        reference: whose pieces are counted.
        over_ml: pieces of at most this volume are not counted.

    Returns:
        Found, and all. ``(0, 0)`` where the reference has no lesion.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    _require_one_grid(prediction, reference)
    box = find_objects(reference.voxels.astype(np.uint8))
    if not box or box[0] is None:
        return 0, 0
    pieces, count = label(reference.voxels[box[0]], structure=CONNECTED_26)
    large = _voxels(pieces, count) * reference.geometry.voxel_ml > over_ml
    touched = _voxels(pieces[prediction.voxels[box[0]]], count) > 0
    return int((large & touched).sum()), int(large.sum())


def _voxels(pieces: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Voxels of each piece ``(count,)``, without the background."""
    return np.asarray(np.bincount(pieces.ravel(), minlength=count + 1)[1:])


def shift_error_mm(measured_mm: float, toward: str | None, true_mm: float) -> float:
    """Error of a midline shift, with its side: 3 mm to the wrong side are 6 mm wrong.

    A shift too small to have a side (`toward` is None) is taken for the side that the truth has.

    Args:
        measured_mm: never negative.
        toward: ``"left"``, ``"right"`` or None.
        true_mm: positive to the patient's right.

    >>> shift_error_mm(3.0, "right", -3.0), shift_error_mm(3.0, "left", -2.0), shift_error_mm(0.5, None, -0.25)
    (6.0, 1.0, 0.25)
    """
    if toward is None:
        return abs(measured_mm - abs(true_mm))
    return abs((measured_mm if toward == "right" else -measured_mm) - true_mm)


def _require_one_grid(one: Mask, other: Mask) -> None:
    if not one.geometry.same_grid(other.geometry):
        raise GeometryError("GRID_MISMATCH", "Prediction and reference must lie on one grid.")
