"""Whether the slices of a volume belong together: their densities agree, and each resembles its neighbors most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import SeriesError

_BRAIN_HU = (0.0, 80.0)
_LEAST_SHARE = 0.02  # of the pixels of a slice must be brain in both neighbors
_MOST_STEP_HU = 20.0
_COMB = 1.15


def require_levels(hu: NDArray[np.float32]) -> None:
    """Refuse a slice whose tissue is not as dense as that of its neighbors: another rescale, or a blank one.

    Looked at are the pixels that are brain in both neighbors; the first and the last slice have one only and are not
    looked at.

    Args:
        hu: ``(I, J, K)``.

    Raises:
        SeriesError: ``SLICE_LEVEL``, with the number of the slice from the lowest position, 1 is the first.
    """
    few = hu[::2, ::2]
    brain = (few > _BRAIN_HU[0]) & (few < _BRAIN_HU[1])
    for k in range(1, hu.shape[2] - 1):
        there = brain[:, :, k - 1] & brain[:, :, k + 1]
        if there.mean() < _LEAST_SHARE:
            continue
        beside = float(np.median(few[:, :, k - 1][there]) + np.median(few[:, :, k + 1][there])) / 2.0
        step = float(np.median(few[:, :, k][there])) - beside
        if abs(step) > _MOST_STEP_HU:
            raise SeriesError(
                "SLICE_LEVEL",
                f"Slice {k + 1} of {hu.shape[2]} reads {step:+.0f} HU against its neighbors, where these are brain: "
                "its rescale is wrong or it is blank; get the series again.",
            )


def require_one_pass(hu: NDArray[np.float32]) -> None:
    """Refuse a comb of two passes: slices that resemble the second next more than the next.

    Args:
        hu: ``(I, J, K)``.

    Raises:
        SeriesError: ``INTERLEAVED``.
    """
    few = np.clip(hu[::2, ::2], -100.0, 200.0)
    if few.shape[2] < 8:
        return
    next_to = np.abs(few[:, :, 1:-1] - few[:, :, 2:]).mean((0, 1))
    second = np.abs(few[:, :, :-2] - few[:, :, 2:]).mean((0, 1))
    if float(np.median(next_to)) > _COMB * float(np.median(second)) > 0.0:
        raise SeriesError(
            "INTERLEAVED",
            "Every second slice is of another pass, between which the patient moved: give one of the two acquisitions.",
        )
