"""The mark by which a label map of ours is known again: what its numbers mean, bound to the voxels
it was written for.

It stands in the header's ``descrip``. Programs that change a mask copy headers, so a mark alone
proves nothing: this one holds a digest of what the numbers mean, of the grid and of every voxel,
and is worth nothing beside other voxels.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import FloatArray
from monai_ich.core.labels import Anatomy, Cavity, LabelSet, Subtype

_MARKED: tuple[LabelSet, ...] = (Subtype, Anatomy, Cavity)
_DIGITS = 32


def mark_of(labels: LabelSet, voxels: NDArray[np.uint8], affine: FloatArray) -> str:
    """The mark of a label map; empty where its numbers have no meaning of ours.

    Args:
        labels: what the numbers mean.
        voxels: ``(I, J, K)``.
        affine: 4x4, to RAS+ mm; rounded to what a NIfTI header holds.
    """
    if labels not in _MARKED:
        return ""
    return f"monai-ich labels 1 {labels.__name__} {_digest(labels, voxels, affine)}"


def marked_set(mark: str, voxels: NDArray[np.uint8], affine: FloatArray) -> LabelSet | None:
    """What the numbers mean by the mark of these very voxels; None where it is missing or of
    another map.
    """
    return next(
        (labels for labels in _MARKED if mark and mark == mark_of(labels, voxels, affine)), None
    )


def _digest(labels: LabelSet, voxels: NDArray[np.uint8], affine: FloatArray) -> str:
    grid = np.asarray(affine, np.float32)[:3] + np.float32(0)  # -0.0 is 0.0
    digest = hashlib.sha256(f"{labels.__name__} {voxels.shape}".encode() + grid.tobytes())
    for k in range(voxels.shape[2]):
        digest.update(np.asfortranarray(voxels[:, :, k]).tobytes(order="F"))
    return digest.hexdigest()[:_DIGITS]
