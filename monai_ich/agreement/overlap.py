"""How well a prediction agrees with a reference on the same grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import GeometryError
from monai_ich.core.measurement import Measurement
from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import CONNECTED_26, Mask, box_around


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
    require_one_grid(prediction, reference)
    total = int(prediction.voxels.sum()) + int(reference.voxels.sum())
    return 1.0 if total == 0 else 2.0 * int((prediction.voxels & reference.voxels).sum()) / total


def shared_ml(one: Mask, other: Mask) -> float:
    """Volume that two masks share.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    require_one_grid(one, other)
    return int((one.voxels & other.voxels).sum()) * one.geometry.voxel_ml


@dataclass(frozen=True, eq=False)
class MatchedLesions:
    """26-connected pieces of a mask, in the order of their first voxel.

    Args:
        volume_ml: of each piece ``(N,)``.
        touched: whether the other mask holds at least one of its voxels ``(N,)``.
    """

    volume_ml: NDArray[np.float64]
    touched: NDArray[np.bool_]


def match_lesions(mask: Mask, other: Mask) -> MatchedLesions:
    """The pieces of `mask`, and which of them `other` touches.

    With a reference as `mask` and a prediction as `other`: lesions, and which are found. Exchanged:
    what is predicted, and what of it touches something true; all else is false.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    require_one_grid(mask, other)
    box = box_around(mask.voxels)
    if box is None:
        return MatchedLesions(np.empty(0), np.empty(0, bool))
    pieces, count = label_pieces(mask.voxels[box], structure=CONNECTED_26)
    volume_ml = np.asarray(_voxels(pieces, count) * mask.geometry.voxel_ml, np.float64)
    return MatchedLesions(volume_ml, _voxels(pieces[other.voxels[box]], count) > 0)


def count_lesions_found(
    prediction: Mask, reference: Mask, *, over_ml: float = 0.0
) -> tuple[int, int]:
    """Lesions of the reference that the prediction touches, and how many there are; see
    `match_lesions`.

    Args:
        prediction: of any size.
        reference: whose pieces are counted.
        over_ml: pieces of at most this volume are not counted.

    Returns:
        Found, and all. ``(0, 0)`` where the reference has no lesion.

    Raises:
        GeometryError: ``GRID_MISMATCH``.
    """
    lesions = match_lesions(reference, prediction)
    large = lesions.volume_ml > over_ml
    return int((large & lesions.touched).sum()), int(large.sum())


def _voxels(pieces: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Voxels of each piece ``(count,)``, without the background."""
    return np.asarray(np.bincount(pieces.ravel(), minlength=count + 1)[1:])


def relative_volume_difference(
    predicted_ml: float, reference_ml: float, of: str = "mask"
) -> Measurement:
    """(prediction - reference) / reference: 0.1 is 10 % too much. Two empty masks agree: 0.

    >>> relative_volume_difference(9.0, 10.0).value, relative_volume_difference(1.0, 0.0).reason
    (-0.1, 'the reference is empty')
    """
    name, method = "relative_volume_difference", "(prediction - reference) / reference"
    if reference_ml > 0:
        return Measurement(name, (predicted_ml - reference_ml) / reference_ml, "1", of, method)
    if predicted_ml > 0:
        return Measurement(name, None, "1", of, method, reason="the reference is empty")
    return Measurement(name, 0.0, "1", of, method)


def shift_error_mm(measured_mm: float, toward: str | None, true_mm: float) -> float:
    """Error of a midline shift, with its side: 3 mm to the wrong side are 6 mm wrong.

    A shift too small to have a side (`toward` is None) is taken for the side that the truth has.

    Args:
        measured_mm: never negative.
        toward: ``"left"``, ``"right"`` or None.
        true_mm: positive to the patient's right.

    >>> shift_error_mm(3.0, "right", -3.0), shift_error_mm(3.0, "left", -2.0)
    (6.0, 1.0)
    """
    return abs(measured_mm - shift_along_mm(true_mm, toward))


def shift_along_mm(true_mm: float, toward: str | None) -> float:
    """The true shift toward the measured side: negative where that is the wrong one, its size where
    there is no side.

    >>> shift_along_mm(-3.0, "right"), shift_along_mm(-3.0, "left"), shift_along_mm(-0.25, None)
    (-3.0, 3.0, 0.25)
    """
    return {"right": true_mm, "left": -true_mm}.get(toward or "", abs(true_mm))


def require_one_grid(one: Mask, other: Mask) -> None:
    """Raise ``GRID_MISMATCH`` where two masks lie on different grids."""
    if not one.geometry.same_grid(other.geometry):
        raise GeometryError("GRID_MISMATCH", "Prediction and reference must lie on one grid.")
