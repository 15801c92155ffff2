"""What a federated training leaves in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_ich.core.errors import TrainingError
from monai_ich.learn.federated import require_rounds, save_round


def test_a_round_is_kept_in_single_precision(tmp_path: Path) -> None:
    save_round({"kernel": torch.full((2, 2), 0.1).half(), "seen": torch.tensor(3)}, tmp_path, 1)
    state = torch.load(require_rounds(tmp_path, 1), weights_only=True)
    assert state["kernel"].dtype == torch.float32 and state["seen"].dtype == torch.int64


def test_a_round_without_all_sites_names_the_last_whole_one(tmp_path: Path) -> None:
    for number in (0, 1):
        save_round({"kernel": torch.zeros(1)}, tmp_path, number)
    with pytest.raises(TrainingError, match="SITE_LOST") as caught:
        require_rounds(tmp_path, 3)
    assert caught.value.message == (
        "Round 2 of 3 ended without the weights of all sites: go on with --initial_weights "
        "round_1.pt, those of round 1 are whole."
    )
