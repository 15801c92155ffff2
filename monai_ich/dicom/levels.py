"""Whether the slices of a volume belong together: each is an image of its own, as dense as its
neighbors, and resembles these most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import SeriesError
from monai_ich.dicom.instance import Instance

_BRAIN_HU = (0.0, 80.0)
_LEAST_SHARE = 0.02  # of the pixels of a slice must be brain in both neighbors
_MOST_STEP_HU = 20.0
_AIR_HU = -300.0
_MOST_AIR = (
    0.25  # of the pixels that are brain in both neighbors: sinuses and air after surgery take less
)
_STILL_HEAD = (
    0.5  # of the largest slice's tissue: a vertex or chin is not as large one slice before its end
)
_COMB = 1.15


def require_levels(hu: NDArray[np.float32], instances: list[Instance]) -> None:
    """Refuse a slice that is blank, a copy of its neighbor, or not as dense as its neighbors
    (another rescale).

    Densities are looked at where pixels are brain in both neighbors; the first and the last slice
    have one neighbor only, and are refused where they hold nothing though the head goes on. A slice
    of air above the head is none.

    Args:
        hu: ``(I, J, K)``, the slices as they came, before anything is interpolated.
        instances: of these slices, for how the user counts them.

    Raises:
        SeriesError: ``SLICE_LEVEL``, with the slice's number from the lowest position, 1 is the
            first, and the number that viewers show (InstanceNumber).
    """
    few = hu[::2, ::2]
    for k, what in (*_blank(few), *_copies(hu, few), *_of_other_level(few)):
        raise SeriesError(
            "SLICE_LEVEL", f"Slice {k + 1} of {hu.shape[2]}{_counted(instances[k])} {what}."
        )


def _counted(instance: Instance) -> str:
    """As a viewer counts the image."""
    if instance.frame is not None:
        return f" (frame {instance.frame + 1})"
    return "" if instance.number is None else f" (InstanceNumber {instance.number})"


def _brain(few: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray((few > _BRAIN_HU[0]) & (few < _BRAIN_HU[1]))


def _blank(few: NDArray[np.float32]) -> Iterator[tuple[int, str]]:
    """Slices of one value between slices of a head, however many follow each other, or where a head
    is cut.
    """
    tissue = _brain(few).mean((0, 1))
    blank = few.min((0, 1)) == few.max((0, 1))
    tissue[blank] = 0.0
    head = np.flatnonzero(tissue >= _LEAST_SHARE)
    if not head.size:
        return
    large = tissue >= _STILL_HEAD * tissue.max()
    for k in np.flatnonzero(blank).tolist():
        cut = (k < head[0] and large[head[0]]) or (k > head[-1] and large[head[-1]])
        if cut or head[0] < k < head[-1]:
            yield (
                k,
                "is blank, though the head goes on beside it: an image was lost; get the series "
                "again",
            )


def _copies(hu: NDArray[np.float32], few: NDArray[np.float32]) -> Iterator[tuple[int, str]]:
    """Slices with the very pixels of their neighbor: noise alone makes every image of a scanner a
    different one.

    Of the two, the one that lies further from what is beyond it is the copy.
    """
    tissue = _brain(few).mean((0, 1))
    last = few.shape[2] - 1
    for k in range(last):
        if tissue[k] < _LEAST_SHARE or not np.array_equal(few[:, :, k], few[:, :, k + 1]):
            continue
        if not np.array_equal(hu[:, :, k], hu[:, :, k + 1]):
            continue
        below = np.abs(few[:, :, k] - few[:, :, max(k - 1, 0)]).mean()
        above = np.abs(few[:, :, k] - few[:, :, min(k + 2, last)]).mean()
        copy, of = (k, k + 1) if 0 < k < last - 1 and below > above else (k + 1, k)
        text = (
            f"holds the same pixels as slice {of + 1}: one of the two images was lost; get the "
            "series again"
        )
        yield copy, text


def _of_other_level(few: NDArray[np.float32]) -> Iterator[tuple[int, str]]:
    brain = _brain(few)
    for k in range(1, few.shape[2] - 1):
        there = brain[:, :, k - 1] & brain[:, :, k + 1]
        if there.mean() < _LEAST_SHARE:
            continue
        beside = (
            float(np.median(few[:, :, k - 1][there]) + np.median(few[:, :, k + 1][there])) / 2.0
        )
        own = few[:, :, k][there]
        step = float(np.median(own)) - beside
        by_chance = (
            1.25 * float(np.subtract(*np.percentile(own, (75, 25)))) / 1.35 / own.size**0.5
        )  # of a noisy median
        if abs(step) > _MOST_STEP_HU + 4.0 * by_chance:
            text = (
                f"reads {step:+.0f} HU against its neighbors, where these are brain: its "
                "rescale is wrong or it is"
            )
            yield k, f"{text} blank; get the series again"
        air = float((own < _AIR_HU).mean())
        if air > _MOST_AIR:
            text = (
                f"holds air in {100 * air:.0f} % of what is brain in both of its neighbors: a "
                "part of it was lost"
            )
            yield k, f"{text}; get the series again"


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
            "Every second slice is of another pass, between which the patient moved: give one of "
            "the two acquisitions.",
        )
