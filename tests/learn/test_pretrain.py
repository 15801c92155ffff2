"""Pretraining from scans without labels: arithmetic on paper, and what it hands on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from benchmarks.learning import prepare
from monai_ich.core.errors import ManifestError
from monai_ich.learn.pretrain import Pretraining, PretrainingLoss, TwoViewsd
from monai_ich.learn.rows import read_scans


def segmentation() -> torch.nn.Sequential:
    """As small as one can be that folds, thinks and unfolds."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv3d(3, 4, (2, 2, 1), (2, 2, 1)),
        torch.nn.Conv3d(4, 8, 3, padding=1),
        torch.nn.ConvTranspose3d(8, 7, (2, 2, 1), (2, 2, 1)),
    )


def test_the_loss_is_the_error_of_both_views_and_a_share_of_the_contrast() -> None:
    """Both are 0.5 off; vectors of a window are the same, those of two windows at right angles:
    of e^2 for the other view and 1 for each view of the other window, e^2 is right.
    """
    window = torch.rand(2, 3, 4, 4, 2)
    restored = torch.stack([window + 0.5, window - 0.5], 1)
    vectors = torch.tensor([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
    loss = PretrainingLoss(contrast_weight=0.1, temperature=0.5)((restored, vectors), window)
    contrast = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert float(loss) == pytest.approx(0.5 + 0.1 * contrast, abs=1e-5)


def test_windows_whose_vectors_are_mixed_up_cost_more() -> None:
    window, loss = torch.zeros(2, 3, 4, 4, 2), PretrainingLoss()
    restored = torch.zeros(2, 2, 3, 4, 4, 2)
    apart = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])
    mixed = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    assert float(loss((restored, mixed), window)) > float(loss((restored, apart), window))
    assert float(loss((restored[:1], mixed[:1]), window[:1])) == pytest.approx(0.0, abs=1e-6)


def test_views_are_restored_and_described_and_the_layer_of_classes_rests() -> None:
    network = segmentation()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pretraining = Pretraining(network, size=16)
    restored, vectors = pretraining(torch.rand(2, 6, 8, 8, 4))
    assert restored.shape == (2, 2, 3, 8, 8, 4) and vectors.shape == (2, 2, 16)
    optimizer = torch.optim.AdamW(pretraining.parameters(), lr=0.01)
    PretrainingLoss()((restored, vectors), torch.rand(2, 3, 8, 8, 4)).backward()
    optimizer.step()
    after = pretraining.network.state_dict()
    segmentation().load_state_dict(after)
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_each_view_belongs_to_its_own_window() -> None:
    network = Pretraining(segmentation())
    one, other = torch.rand(2, 1, 3, 8, 8, 4)
    both = torch.cat([torch.cat([one, other], 1), torch.cat([other, other], 1)])
    restored, vectors = network(both)
    assert torch.allclose(restored[0, 1], restored[1, 0], atol=1e-6)
    assert torch.allclose(vectors[0, 1], vectors[1, 1], atol=1e-6)
    assert not torch.allclose(restored[0, 0], restored[0, 1], atol=1e-3)


def test_two_views_differ_and_are_restored_to_what_nothing_was_hidden_of() -> None:
    hidden = iter([1, 3])

    def view(data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        data["image"][:, next(hidden)] = 0.0
        return data

    window = torch.ones(1, 4, 2, 2)
    made = TwoViewsd("image", view, lambda data: data)({"image": window})
    assert made["image"].shape == (2, 4, 2, 2)
    assert made["image"][0].mean((1, 2)).tolist() == [1, 0, 1, 1]
    assert made["image"][1].mean((1, 2)).tolist() == [1, 1, 1, 0]
    assert bool((made["label"] == 1).all()) and bool((window == 1).all())


def test_scans_are_read_without_their_labels(tiny_dataset: Path, tmp_path: Path) -> None:
    rows = read_scans(tiny_dataset, "training")
    assert len(rows) == 3 and all(set(row) == {"case", "image"} for row in rows)
    with pytest.raises(ManifestError, match="NO_DATA_LIST"):
        read_scans(tmp_path, "training")


@pytest.mark.parametrize("arm", ["masks_5", "pretrained_5"])
def test_an_arm_of_label_efficiency_sees_so_many_masks(
    arm: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    from monai_ich.parts.data_list import list_rows

    weights = tmp_path / "pretraining" / "0" / "model.pt"
    weights.parent.mkdir(parents=True)
    weights.touch()
    options = prepare(arm, 0, tiny_dataset, tmp_path / arm / "0")
    rows, _ = list_rows(options[options.index("--dataset_dir") + 1], "training")
    assert len(rows) == 3 and all("label" in row for row in rows), "of five, there are three"
    assert (str(weights) in options) == (arm == "pretrained_5")
