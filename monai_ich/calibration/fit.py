"""Learn from validation scans what a network's numbers are worth; see `core.calibration` for what
comes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from monai_ich.core.calibration import (
    ANY,
    COVERAGE,
    SHIFT,
    Calibration,
    Calibrator,
    Evidence,
    ShiftCalibrator,
    scale_ml,
)
from monai_ich.core.errors import InputError
from monai_ich.core.labels import Subtype

LEAST_SCANS = 10  # fewer say nothing about the tails of an error
_LEAST_OPERATING_POINT_ML = 0.1


@dataclass(frozen=True)
class Outcome:
    """One validation scan: truth beside what was found.

    Args:
        true_ml, found_ml: by subtype name.
        evidence: the network's.
        shift_error_mm: true minus measured midline shift, toward the measured side; None where
            either is not known.
    """

    true_ml: dict[str, float]
    found_ml: dict[str, float]
    evidence: Evidence
    shift_error_mm: float | None = None


def calibrate(
    outcomes: Sequence[Outcome], *, weights_sha256: str, anatomy_sha256: str, data: str
) -> Calibration:
    """Learn operating points, probabilities and intervals.

    Args:
        outcomes: at least `LEAST_SCANS` scans that neither training nor testing saw.
        weights_sha256, anatomy_sha256: of the weights that made them.
        data: what the scans are, in words.

    Raises:
        InputError: ``TOO_FEW_SCANS``.
    """
    if len(outcomes) < LEAST_SCANS:
        raise InputError(
            "TOO_FEW_SCANS",
            f"Calibration needs at least {LEAST_SCANS} scans, found {len(outcomes)}.",
        )
    names = [subtype.name for subtype in Subtype]
    of = {
        name: _calibrator([_row(outcome, (name,), name) for outcome in outcomes]) for name in names
    }
    of[ANY] = _calibrator([_row(outcome, names, ANY) for outcome in outcomes])
    errors_mm = np.array(
        [o.shift_error_mm for o in outcomes if o.shift_error_mm is not None], np.float64
    )
    middle = _central(errors_mm)
    shift = (
        ShiftCalibrator(anatomy_sha256, middle, len(errors_mm), SHIFT)
        if middle is not None
        else None
    )
    return Calibration(weights_sha256, data, of, shift)


def _row(outcome: Outcome, names: Sequence[str], key: str) -> tuple[float, ...]:
    true_ml, found_ml = (
        sum(ml[name] for name in names) for ml in (outcome.true_ml, outcome.found_ml)
    )
    evidence = outcome.evidence
    believed = evidence.expected_ml[key], evidence.doubt_ml[key], evidence.log_odds[key]
    return true_ml, found_ml, *believed


def _calibrator(rows: Sequence[tuple[float, ...]]) -> Calibrator:
    true_ml, found_ml, expected_ml, doubt_ml, log_odds = np.array(rows, np.float64).T
    present, found = true_ml > 0, found_ml > 0
    error = (true_ml - found_ml) / [
        scale_ml(e, d) for e, d in zip(expected_ml, doubt_ml, strict=True)
    ]
    return Calibrator(
        operating_point_ml=best_threshold(found_ml, present),
        surest=_log_odds(log_odds, present),
        where_found=_central(error[found]),
        where_none=_highest(error[~found]),
        scans=len(rows),
        present=int(present.sum()),
        none_found=int((~found).sum()),
        missed=int((present & ~found).sum()),
    )


def _log_odds(x: NDArray[np.float64], present: NDArray[np.bool_]) -> tuple[float, float]:
    """Intercept and slope of the log odds (Platt 1999); where all scans agree, the share with half
    a scan added.
    """
    if present.all() or not present.any():
        share = (present.sum() + 0.5) / (len(present) + 1.0)
        return round(math.log(share / (1.0 - share)), 4), 0.0
    fit = LogisticRegression(C=10.0).fit(x[:, None], present)
    return round(float(fit.intercept_[0]), 4), round(float(fit.coef_[0, 0]), 4)


def best_threshold(found_ml: NDArray[np.float64], present: NDArray[np.bool_]) -> float:
    """The volume (mL) from which a subtype counts as present that gives the highest F1, the lowest
    of several.

    >>> volumes_ml, bled = np.array([0.0, 0.3, 0.4, 2.0, 5.0]), np.array([0, 0, 0, 1, 1], bool)
    >>> best_threshold(volumes_ml, bled)
    1.2
    """
    values = np.unique(found_ml)
    candidates = [_LEAST_OPERATING_POINT_ML, *((values[1:] + values[:-1]) / 2)]
    called = np.array([found_ml >= max(c, _LEAST_OPERATING_POINT_ML) for c in candidates])
    hits = (called & present).sum(axis=1)
    f1 = 2.0 * hits / np.maximum(called.sum(axis=1) + present.sum(), 1)
    return round(float(max(candidates[int(f1.argmax())], _LEAST_OPERATING_POINT_ML)), 3)


def _central(errors: NDArray[np.float64]) -> tuple[float, float] | None:
    """The errors between which the next scan's lies with 95 % probability (split conformal, Vovk
    2005).
    """
    n = len(errors)
    if n < LEAST_SCANS:
        return None
    rank = math.floor((n + 1) * (1.0 - COVERAGE) / 2.0)
    ordered = np.sort(errors)
    return round(float(ordered[max(rank - 1, 0)]), 4), round(
        float(ordered[min(n - rank, n - 1)]), 4
    )


def _highest(errors: NDArray[np.float64]) -> tuple[float, float] | None:
    """Nothing was found, so that the truth can only be more."""
    n = len(errors)
    if n < LEAST_SCANS:
        return None
    return 0.0, round(float(np.sort(errors)[min(math.ceil((n + 1) * COVERAGE), n) - 1]), 4)
