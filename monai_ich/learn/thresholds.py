"""From which probability on a finding of an exam is present, and below which absent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.second_reading import FINDINGS, Thresholds
from monai_ich.io.thresholds import SCHEMA

LEAST = 10  # scans with a finding, and without: fewer say too little
_WRONG = 0.025  # share of scans on the wrong side of either threshold


def find_thresholds(
    share: NDArray[np.float64], present: NDArray[np.bool_], *, wrong: float = _WRONG
) -> Thresholds | None:
    """Thresholds that a share `wrong` of the scans with a finding lies below, and as many of those
    without reach.

    Where the two kinds lie apart, what lies between them stays open.

    Args:
        share: probabilities.
        present: the truth.
        wrong: at most.

    Returns:
        None for fewer than `LEAST` scans of either kind.

    >>> find_thresholds(np.arange(40) / 100, np.arange(40) >= 20)
    Thresholds(absent_below=0.19, present_from=0.2)
    """
    if min(present.sum(), (~present).sum()) < LEAST:
        return None
    ends = (
        float(np.quantile(share[present], wrong, method="lower")),
        float(np.quantile(share[~present], 1.0 - wrong, method="higher")),
    )
    return Thresholds(min(ends), max(ends))


def describe_thresholds(
    exams: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]],
    *,
    weights_sha256: str,
    pooling: str,
) -> dict[str, Any]:
    """What ``exam_thresholds.json`` holds.

    Args:
        exams: of each exam probabilities and truth ``(6,)`` as `FINDINGS`, NaN for not known.
        weights_sha256: of the network that gave them.
        pooling: of its slices to these exams.
    """
    pairs = list(exams)
    shares, truths = (np.stack([pair[n] for pair in pairs], 1) for n in (0, 1))
    found = {}
    for name, share, truth in zip(FINDINGS, shares, truths, strict=True):
        known = ~np.isnan(truth)
        thresholds = find_thresholds(share[known], truth[known] == 1)
        if thresholds is not None:
            found[name] = {
                "absent_below": thresholds.absent_below,
                "present_from": thresholds.present_from,
                "scans": int(known.sum()),
                "present": int((truth[known] == 1).sum()),
            }
    record = {"schema": SCHEMA, "weights_sha256": weights_sha256, "pooling": pooling}
    return record | {"thresholds": found}
