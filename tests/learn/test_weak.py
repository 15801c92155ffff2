"""Weak labels in the segmentation network: arithmetic on paper, balanced kinds, two steps."""

from __future__ import annotations

import math

import pytest
import torch
from monai.inferers import SimpleInferer

from monai_ich.core.errors import TrainingError
from monai_ich.learn.losses import FindingLoss
from monai_ich.learn.weak import KindBatches, WeakLoss, WindowStatistics, findings_of_voxels
from monai_ich.parts.findings import pool_logits
from monai_ich.parts.losses import HemorrhageLoss

NAN = math.nan


def test_equal_scores_give_odds_of_one_to_six_and_five_to_two() -> None:
    """Seven classes alike: a subtype has 1 : 6, any blood 5 : 2 (background and edema)."""
    logits = findings_of_voxels(torch.zeros(1, 7, 4, 4, 2))
    assert logits.shape == (1, 6, 1, 1, 2)
    assert float(logits[0, 3, 0, 0, 0]) == pytest.approx(math.log(1 / 6), abs=1e-5)
    assert float(logits[0, 0, 0, 0, 0]) == pytest.approx(math.log(2 / 5), abs=1e-5)


def test_the_loss_of_an_exam_label_is_that_on_paper() -> None:
    """SDH and any present, nothing else known: (ln 7 + ln 1.4) / 2, a fifth of it."""
    targets = torch.full((1, 6, 3), NAN)
    targets[0, 0, 2], targets[0, 5, 2] = 0.0, 1.0
    loss = WeakLoss(HemorrhageLoss(), FindingLoss(), weight=0.2)
    right = 0.2 * (math.log(7.0) + math.log(1.4)) / 2
    assert float(loss(torch.zeros(1, 7, 4, 4, 2), targets)) == pytest.approx(right, abs=1e-5)


def test_a_mask_gives_the_loss_of_masks() -> None:
    torch.manual_seed(0)
    scores, mask = torch.randn(1, 7, 4, 4, 2), torch.zeros(1, 1, 4, 4, 2)
    mask[..., :2, 0] = 5
    loss = WeakLoss(HemorrhageLoss(), FindingLoss())
    assert torch.equal(loss(scores, mask), HemorrhageLoss()(scores, mask))


def test_an_exam_without_blood_pushes_down_the_brightest_voxel_most() -> None:
    scores = torch.zeros(1, 7, 4, 4, 2)
    scores[0, 5, 1, 1, 1] = 3.0
    scores.requires_grad_()
    targets = torch.full((1, 6, 3), NAN)
    targets[0, :, 2] = torch.tensor([1.0, 0, 0, 0, 0, 0])
    WeakLoss(HemorrhageLoss(), FindingLoss())(scores, targets).backward()
    assert scores.grad is not None
    push = scores.grad[0, 5]
    assert float(push.max()) == float(push[1, 1, 1]) > 0.0


def test_batches_hold_one_kind_each_in_the_share_asked_for() -> None:
    torch.manual_seed(0)
    batches = list(KindBatches([[1.0] * 3, [1.0, 0.0]], [0.7, 0.3], [2, 1], length=400))
    weak = [b for b in batches if len(b) == 1]
    assert all(b == [3] for b in weak), "the second row has no weight"
    assert all(max(b) < 3 for b in batches if len(b) == 2)
    assert 80 < len(weak) < 160


@pytest.mark.parametrize("shares", [(-0.5, 1.5), (0.0, 0.0)])
def test_shares_of_labels_that_cannot_be_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(TrainingError) as raised:
        KindBatches([[1.0], [1.0]], shares, [1, 1], length=2)
    assert raised.value.code == "BAD_SHARE"


def test_a_pooling_that_is_none_is_refused_before_training() -> None:
    for make in (
        lambda: FindingLoss(pooling="lsee"),
        lambda: pool_logits(torch.zeros(2), how="max"),
    ):
        with pytest.raises(TrainingError) as raised:
            make()
        assert raised.value.code == "UNKNOWN_POOLING"


def test_whole_heads_leave_the_statistics_of_windows_alone() -> None:
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm3d(1).train()
    run = WindowStatistics(SimpleInferer(), window=(4, 4, 2))
    run(torch.randn(2, 1, 4, 4, 2) + 5.0, norm)
    learned = norm.running_mean.clone()  # type: ignore[union-attr]
    assert float(learned) == pytest.approx(0.5, abs=0.1), "a tenth of 5"
    head = torch.full((1, 1, 8, 8, 4), 3.0)
    seen = run(head, norm)
    assert torch.equal(norm.running_mean, learned) and norm.training  # type: ignore[arg-type]
    assert torch.equal(seen, norm.eval()(head))
    run(torch.randn(2, 1, 4, 4, 2), norm)
    assert torch.equal(norm.running_mean, learned), "what stands still stays so"  # type: ignore[arg-type]
