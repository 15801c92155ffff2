"""Findings of slices and exams as labels tell them, in the order of `CHANNELS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from monai_ich.core.labels import Subtype, may_be
from monai_ich.parts.findings import CHANNELS


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
    return _targets_of_amounts(amounts, mask, least_ml)


def targets_of_cells(
    mask: torch.Tensor, voxel_ml: float, pixels: int, least_ml: float = 0.03
) -> torch.Tensor:
    """The same of each cell of `pixels` x `pixels` in a slice: ``(6, I / pixels, J / pixels, K)``.

    >>> mask = torch.zeros(4, 4, 1)
    >>> mask[2:, :2] = Subtype.SDH
    >>> targets_of_cells(mask, 0.1, 2)[Subtype.SDH, ..., 0]
    tensor([[0., 0.],
            [1., 0.]])
    """
    each = torch.stack([(mask == s).permute(2, 0, 1) for s in Subtype]).float()
    share = torch.nn.functional.avg_pool2d(each, pixels).permute(0, 2, 3, 1)
    return _targets_of_amounts(share * pixels**2 * voxel_ml, mask, least_ml)


def _targets_of_amounts(amounts: torch.Tensor, mask: torch.Tensor, least_ml: float) -> torch.Tensor:
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
