"""Findings of slices and exams as networks give them.

Six channels in the order of `CHANNELS`: "none" (no hemorrhage), then the five subtypes with the
numbers of `Subtype`, so that the most probable channel of a slice is its label. "Any" is one minus
"none".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from monai_ich.core.errors import TrainingError
from monai_ich.core.labels import Subtype
from monai_ich.core.second_reading import FINDINGS

POOLINGS = ("lse", "noisy_or")
CHANNELS = ("none", *(s.name for s in Subtype))


def pool_logits(logits: torch.Tensor, *, how: str = "lse", sharpness: float = 4.0) -> torch.Tensor:
    """One logit from those of many parts ``(..., parts)``: is it in any of them?

    Args:
        logits: of slices or voxels.
        how: ``"lse"``, log-mean-exp, between mean (`sharpness` near 0) and maximum (large); or
            ``"noisy_or"``, one minus the product of what each part leaves, where many parts that
            are a little probable add up.
        sharpness: of ``"lse"``.

    Returns:
        ``(...)``, finite.

    Raises:
        TrainingError: as `require_pooling`.

    >>> pool_logits(torch.zeros(2)).item()
    0.0
    >>> odds = pool_logits(torch.zeros(2), how="noisy_or").exp()  # 3 : 1, one minus a quarter
    >>> round(float(odds), 4)
    3.0

    References:
        Pinheiro 2015, doi:10.1109/CVPR.2015.7298780
    """
    require_pooling(how)
    if how == "lse":
        count = torch.tensor(float(logits.shape[-1]))
        return (torch.logsumexp(sharpness * logits, -1) - count.log()) / sharpness
    # odds are exp(sum of softplus) - 1
    total = F.softplus(logits).sum(-1)
    return total + torch.log(-torch.expm1(-total.clamp_min(1e-7)))


def require_pooling(how: str) -> None:
    """Raise ``UNKNOWN_POOLING`` where `how` is none of `POOLINGS`."""
    if how not in POOLINGS:
        raise TrainingError("UNKNOWN_POOLING", f"pooling is one of {', '.join(POOLINGS)}.")


def pool_findings(slices: torch.Tensor, **pooling: object) -> torch.Tensor:
    """Logits of the exam ``(B, 6)`` from those of slices ``(B, 6, K)``.

    An exam has none where no slice has any, so "none" is pooled as its opposite.
    """
    signs = slices.new_tensor([-1.0] + [1.0] * len(Subtype))[:, None]
    pooled = pool_logits(slices * signs, **pooling)  # type: ignore[arg-type]
    return pooled * signs[:, 0]


def finding_probabilities(logits: torch.Tensor, *, pooling: str = "lse") -> torch.Tensor:
    """Logits of slices ``(6, 1, 1, K)`` to probabilities ``(6, K + 1)`` as `FINDINGS`, the exam's
    last.
    """
    slices = torch.as_tensor(logits).as_subclass(torch.Tensor).float()[:, 0, 0]
    exam = pool_findings(slices[None], how=pooling)[0]
    share = torch.sigmoid(torch.cat([slices, exam[:, None]], 1))
    share[0] = 1.0 - share[0]
    return share


assert CHANNELS[1:] == FINDINGS[1:]
