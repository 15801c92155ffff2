"""Rows of other programs."""

from __future__ import annotations

import torch

from monai_ich.parts.missing import EmptyMaskd


def test_a_mask_that_is_missing_is_empty_and_one_that_is_there_stays() -> None:
    label, cavity = torch.ones(1, 2, 3, 4), torch.full((1, 2, 3, 4), 5.0)
    fill = EmptyMaskd("cavity", like="label")
    empty = fill({"label": label})["cavity"]
    assert empty.shape == label.shape and not empty.any()
    assert fill({"label": label, "cavity": cavity})["cavity"] is cavity
