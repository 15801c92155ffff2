"""Findings of slices and exams as networks give them and as labels tell them.

Six channels in the order of `CHANNELS`: "none" (no hemorrhage), then the five subtypes with the
numbers of `Subtype`, so that the most probable channel of a slice is its label. "Any" is one minus
"none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F

from monai_ich.core.labels import Subtype, may_be

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

    >>> pool_logits(torch.zeros(2)).item()
    0.0
    >>> odds = pool_logits(torch.zeros(2), how="noisy_or").exp()  # 3 : 1, one minus a quarter
    >>> round(float(odds), 4)
    3.0

    References:
        Pinheiro 2015, doi:10.1109/CVPR.2015.7298780
    """
    if how == "lse":
        count = torch.tensor(float(logits.shape[-1]))
        return (torch.logsumexp(sharpness * logits, -1) - count.log()) / sharpness
    # odds are exp(sum of softplus) - 1
    total = F.softplus(logits).sum(-1)
    return total + torch.log(-torch.expm1(-total.clamp_min(1e-7)))


def pool_findings(slices: torch.Tensor, **pooling: object) -> torch.Tensor:
    """Logits of the exam ``(B, 6)`` from those of slices ``(B, 6, K)``.

    An exam has none where no slice has any, so "none" is pooled as its opposite.
    """
    signs = slices.new_tensor([-1.0] + [1.0] * len(Subtype))[:, None]
    pooled = pool_logits(slices * signs, **pooling)  # type: ignore[arg-type]
    return pooled * signs[:, 0]


def exam_target(labels: Mapping[str, int] | None) -> torch.Tensor:
    """Of ``exam_labels``: ``(6,)``, 1 present, 0 absent, NaN not known.

    >>> exam_target({"SDH": 1, "EDH": 0, "any": 1})
    tensor([0., 0., nan, nan, nan, 1.])
    """
    labels = labels or {}
    found = torch.tensor([float(labels.get(name, torch.nan)) for name in CHANNELS])
    subtypes = found[1:]
    if "any" in labels:
        found[0] = 1.0 - labels["any"]
    elif bool((subtypes == 1).any()):
        found[0] = 0.0
    elif bool((subtypes == 0).all()):
        found[0] = 1.0
    return found


def slice_code(names: Iterable[str] | None) -> int:
    """What is present in a slice as a number that survives resampling by the nearest voxel; 255:
    not known.

    >>> slice_code(["EDH", "SDH"]), slice_code([]), slice_code(["any"]), slice_code(None)
    (17, 0, 32, 255)
    """
    if names is None:
        return 255
    return sum(32 if name == "any" else 1 << (Subtype[name] - 1) for name in set(names))


def targets_of_codes(codes: torch.Tensor) -> torch.Tensor:
    """`slice_code` of each slice ``(K,)`` to targets ``(6, K)``; where only "any" is said, subtypes
    are not known.
    """
    bits = torch.stack([(codes.long() >> bit) & 1 for bit in range(len(Subtype))]).float()
    bits[:, codes == 32] = torch.nan
    found = torch.cat([(codes == 0).float()[None], bits])
    found[:, codes == 255] = torch.nan
    return found


def targets_of_mask(mask: torch.Tensor, voxel_ml: float, least_ml: float = 0.05) -> torch.Tensor:
    """Label values ``(I, J, K)`` to targets ``(6, K)``.

    A slice with less than `least_ml` of a subtype is not known for it: whether a reader sees that
    much is chance. Nor are classes that the masks do not hold (`may_be`).
    """
    amounts = torch.stack([(mask == s).sum((0, 1)) for s in Subtype]).float() * voxel_ml
    found = (amounts > 0).float()
    found[(amounts > 0) & (amounts < least_ml)] = torch.nan
    lacking = may_be(int(mask.max()))
    for subtype in Subtype:
        if subtype in lacking:
            found[subtype - 1] = torch.nan
    some, unsure = (found == 1).any(0), found.isnan().any(0)
    none = torch.where(some, 0.0, torch.where(unsure, torch.nan, 1.0))
    return torch.cat([none[None], found])


def exam_of_slices(slices: torch.Tensor) -> torch.Tensor:
    """Targets of slices ``(6, K)`` to those of the exam ``(6,)``: present where a slice has it,
    absent where no slice has or may have it.
    """
    some, unsure = (slices[1:] == 1).any(1), slices[1:].isnan().any(1)
    subtypes = torch.where(some, 1.0, torch.where(unsure, torch.nan, 0.0))
    none = slices[0]
    unsure_none = torch.where(none.isnan().any(), torch.nan, 1.0)
    exam_none = torch.where((none == 0).any(), 0.0, unsure_none)
    return torch.cat([exam_none[None], subtypes])
