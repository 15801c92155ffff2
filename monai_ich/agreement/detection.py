"""How well the presence of a finding is told, over exams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata


@dataclass(frozen=True)
class Confusion:
    """Exams by what is there and what was said."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


def count_confusion(predicted: NDArray[np.bool_], reference: NDArray[np.bool_]) -> Confusion:
    """Count exams; both ``(exams,)``.

    >>> count_confusion(np.array([True, True, False]), np.array([True, False, False]))
    Confusion(true_positives=1, false_positives=1, false_negatives=0, true_negatives=1)
    """
    pairs = (
        (predicted, reference),
        (predicted, ~reference),
        (~predicted, reference),
        (~predicted, ~reference),
    )
    return Confusion(*(int((said & there).sum()) for said, there in pairs))


def wilson_interval(
    successes: int, trials: int, patients: int | None = None
) -> tuple[float, float] | None:
    """95 % interval of a share; None for no trials.

    Args:
        successes: of the trials.
        trials: scans, or lesions.
        patients: from whom they are. Where these are fewer, they stand in the formula for the
            trials: trials of one patient may all turn out alike, so this is the widest interval.

    References:
        Wilson 1927, doi:10.1080/01621459.1927.10502953; Kish 1965, Survey Sampling (effective
        sample size)
    """
    if not trials:
        return None
    share, n = successes / trials, min(trials, patients or trials)
    z = float(norm.ppf(0.975))
    half = z * np.sqrt(share * (1.0 - share) / n + z * z / (4 * n * n))
    ends = ((share + z * z / (2 * n) + side * half) / (1.0 + z * z / n) for side in (-1, 1))
    low, high = (max(0.0, round(float(end), 12)) for end in ends)
    return low, high


def kappa(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cohen's kappa: agreement beyond chance.

    Args:
        table: ``(..., exams, 2)``: 1 where said to be so, 1 where it is so, else 0.

    Returns:
        ``(...)``, NaN where all exams are said to be, and are, of one kind.

    >>> kappa(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])).item()
    0.5

    References:
        Cohen 1960, doi:10.1177/001316446002000104
    """
    said, true = table[..., 0].mean(axis=-1), table[..., 1].mean(axis=-1)
    agree = (table[..., 0] == table[..., 1]).mean(axis=-1)
    chance = said * true + (1.0 - said) * (1.0 - true)
    return np.asarray(
        np.divide(agree - chance, 1.0 - chance, out=np.full(chance.shape, np.nan), where=chance < 1)
    )


def auc(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area under the ROC curve: the share of pairs in which the exam with the finding scores
    higher, ties half.

    Args:
        table: ``(..., exams, 2)``: score, and 1 where the finding is there, else 0.

    Returns:
        ``(...)``, NaN where all exams are of one kind.

    >>> scores = np.array([[0.9, 1.0], [0.4, 1.0], [0.4, 0.0], [0.1, 0.0]])
    >>> auc(scores).item()  # (1 + 1 + 0.5 + 1) / 4
    0.875

    References:
        Hanley 1982, doi:10.1148/radiology.143.1.7063747
    """
    ranks, there = rankdata(table[..., 0], axis=-1), table[..., 1] > 0
    positives = there.sum(axis=-1)
    pairs = np.asarray(positives * (there.shape[-1] - positives), np.float64)
    above = (ranks * there).sum(axis=-1) - positives * (positives + 1) / 2
    return np.asarray(np.divide(above, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0))


def f1(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonic mean of sensitivity and precision.

    Args:
        table: ``(..., exams, 2)``: 1 where the finding was said to be there, 1 where it is.

    Returns:
        ``(...)``, NaN where no exam has it and none was said to.

    >>> f1(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])).item() == 2 * 2 / (3 + 3)
    True
    """
    whole = table.sum(axis=(-2, -1))
    both = 2.0 * (table[..., 0] * table[..., 1]).sum(axis=-1)
    return np.asarray(np.divide(both, whole, out=np.full(whole.shape, np.nan), where=whole > 0))
