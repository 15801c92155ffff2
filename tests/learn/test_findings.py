"""Findings of slices and exams: arithmetic on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_ich.agreement.delong import estimate_auc
from monai_ich.core.labels import unlabeled
from monai_ich.learn.findings import (
    exam_of_slices,
    exam_target,
    slice_code,
    targets_of_codes,
    targets_of_mask,
)
from monai_ich.learn.losses import FindingLoss, finding_loss
from monai_ich.learn.metrics import describe_findings, weighted_log_loss
from monai_ich.parts.findings import pool_findings, pool_logits

NAN = math.nan


def _same(found: torch.Tensor, right: list[float]) -> None:
    assert torch.allclose(found, torch.tensor(right), equal_nan=True, atol=1e-5)


def test_noisy_or_of_a_half_and_a_fifth_is_three_fifths() -> None:
    odds = torch.tensor([1.0, 0.25]).log()  # 1 - 0.5 * 0.8 = 0.6
    assert float(torch.sigmoid(pool_logits(odds, how="noisy_or"))) == pytest.approx(0.6)


def test_pooling_stays_finite_where_logits_are_extreme() -> None:
    for value in (-60.0, 60.0):
        for how in ("lse", "noisy_or"):
            assert bool(pool_logits(torch.full((25,), value), how=how).isfinite())


def test_log_mean_exp_lies_between_mean_and_maximum() -> None:
    # mean of exp(4 x) of 0 and 1 is (1 + 54.598) / 2 = 27.799; its logarithm by 4 is 0.8313
    assert float(pool_logits(torch.tensor([0.0, 1.0]))) == pytest.approx(0.8313, abs=1e-4)


def test_an_exam_has_none_as_little_as_the_slice_that_has_most() -> None:
    slices = torch.zeros(1, 6, 2)
    slices[0, 0] = torch.tensor([5.0, -5.0])  # none in the first, something in the second
    exam = pool_findings(slices)[0]
    assert float(exam[0]) < -4.0 and float(exam[1]) == 0.0


def test_labels_that_an_exam_does_not_name_are_not_known() -> None:
    _same(exam_target({"SDH": 1}), [0, NAN, NAN, NAN, NAN, 1])
    _same(exam_target({"any": 0}), [1, NAN, NAN, NAN, NAN, NAN])
    _same(exam_target(None), [NAN] * 6)


def test_slices_that_nobody_labeled_are_not_known_and_leave_the_exam_open() -> None:
    codes = torch.tensor([slice_code(["IPH"]), slice_code([]), slice_code(None)])
    slices = targets_of_codes(codes)
    _same(slices[0], [0, 1, NAN])
    _same(slices[2], [1, 0, NAN])
    _same(exam_of_slices(slices), [0, NAN, 1, NAN, NAN, NAN])


def test_a_slice_of_any_hemorrhage_says_nothing_of_subtypes() -> None:
    slices = targets_of_codes(torch.tensor([slice_code(["any"])]))
    _same(slices[:, 0], [0, NAN, NAN, NAN, NAN, NAN])


def test_a_speck_in_a_slice_is_neither_present_nor_absent() -> None:
    mask = torch.zeros(4, 4, 3, dtype=torch.uint8)
    mask[:3, 0, 0], mask[0, 0, 1] = 5, 5  # three voxels of 0.02 mL, and one
    slices = targets_of_mask(mask, voxel_ml=0.02)
    _same(slices[5], [1, NAN, 0])
    _same(slices[0], [0, NAN, 1])


def test_a_subtype_that_masks_do_not_hold_is_not_known() -> None:
    mask = torch.full((4, 4, 1), unlabeled([1]), dtype=torch.uint8)
    _same(targets_of_mask(mask, voxel_ml=1.0)[:, 0], [NAN, NAN, 0, 0, 0, 0])


def test_the_loss_counts_only_what_is_known() -> None:
    logits = torch.tensor([[0.0, 100.0]])
    assert float(finding_loss(logits, torch.tensor([[1.0, NAN]]))) == pytest.approx(math.log(2))
    assert float(finding_loss(logits, torch.tensor([[NAN, NAN]]))) == 0.0


def test_the_focal_loss_of_one_half_is_a_quarter_of_the_cross_entropy() -> None:
    logits, target = torch.zeros(1, 1), torch.ones(1, 1)
    assert float(finding_loss(logits, target, gamma=2.0)) == pytest.approx(math.log(2) / 4)


def test_exam_labels_alone_move_every_slice() -> None:
    logits = torch.zeros(1, 6, 1, 1, 3, requires_grad=True)
    targets = torch.full((1, 6, 4), NAN)
    targets[0, 5, 3] = 1.0
    FindingLoss()(logits, targets).backward()
    assert logits.grad is not None
    gradient = logits.grad[0, :, 0, 0]
    assert bool((gradient[5] < 0).all()) and bool((gradient[:5] == 0).all())


def test_the_log_loss_of_rsna_counts_any_twice() -> None:
    share, truth = torch.full((6, 1), 0.5), torch.zeros(6, 1)
    share[0] = 0.8  # (2 * -ln 0.2 + 5 * -ln 0.5) / 7
    right = (2 * 1.609438 + 5 * 0.693147) / 7
    assert float(weighted_log_loss(share, truth)) == pytest.approx(right, abs=1e-5)


def test_delong_is_that_of_the_pairs_counted_by_hand() -> None:
    """Positives 3, 2, 1 against negatives 2, 0: 1, 0.75, 0.5 of the negatives lie below, and
    0.5, 1 of the positives above."""
    scores, present = np.array([3.0, 2.0, 1.0, 2.0, 0.0]), np.array([1, 1, 1, 0, 0]) == 1
    found = estimate_auc(scores, present)
    assert found.value == pytest.approx(0.75)
    variance = np.var([1.0, 0.75, 0.5], ddof=1) / 3 + np.var([0.5, 1.0], ddof=1) / 2
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(0.75 - 1.959964 * variance**0.5)


def test_an_auc_without_both_kinds_has_a_reason_and_no_value() -> None:
    found = estimate_auc(np.array([0.1, 0.2]), np.array([True, True]))
    assert found.value is None and found.reason


def test_the_threshold_is_that_of_the_best_f1() -> None:
    truth = torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 6)
    share = torch.tensor([[0.45, 0.35, 0.28, 0.05]] * 6)
    share, truth = (torch.cat([x, x[:, :1]], 1) for x in (share, truth))
    row = describe_findings([(share, truth)])[0]
    assert row["threshold"] == 0.3 and row["f1"] == 1.0
    assert row["confusion"] == {
        "true_positives": 2,
        "false_positives": 0,
        "false_negatives": 0,
        "true_negatives": 2,
    }
