"""Area under the ROC curve with the interval of DeLong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from monai_ich.agreement.estimate import Estimate


def estimate_auc(scores: NDArray[np.float64], present: NDArray[np.bool_]) -> Estimate:
    """AUC and its 95 % interval, ends cut at 0 and 1.

    Args:
        scores: ``(exams,)``, higher where the finding is likelier.
        present: ``(exams,)``.

    Returns:
        Without value where all exams are of one kind; without interval where there are fewer than
        two of a kind, or scores part them wholly.

    >>> made = estimate_auc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
    >>> made.value  # (1 + 1 + 0.5 + 1) / 4
    0.875

    References:
        DeLong 1988, doi:10.2307/2531595; Sun 2014 (by ranks), doi:10.1109/LSP.2014.2337313
    """
    high, low = scores[present], scores[~present]
    m, n = len(high), len(low)
    if not (m and n):
        return Estimate(None, None, m + n, "all cases are of one kind")
    ranks = rankdata(np.concatenate([high, low]))
    # of each exam with the finding, the share of those without that score lower; and the reverse
    above = (ranks[:m] - rankdata(high)) / n
    below = 1.0 - (ranks[m:] - rankdata(low)) / m
    value = float(above.mean())
    if m < 2 or n < 2:
        return Estimate(value, None, m + n, interval_reason="fewer than two of a kind")
    error = float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    if error == 0.0:
        return Estimate(value, None, m + n, interval_reason="no spread")
    half = float(norm.ppf(0.975)) * error
    return Estimate(value, (max(0.0, value - half), min(1.0, value + half)), m + n)
