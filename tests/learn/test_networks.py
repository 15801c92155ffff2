"""Networks over slices: shapes, order, evidence."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import resnet18

from monai_ich.core.errors import TrainingError
from monai_ich.learn.cells import CellReader
from monai_ich.learn.explain import find_evidence
from monai_ich.learn.losses import CellLoss, FindingLoss
from monai_ich.learn.networks import CONTEXTS, SliceReader, load_fitting


def _backbone() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    )


@pytest.mark.parametrize("context", CONTEXTS)
def test_each_slice_gets_six_logits(context: str) -> None:
    network = SliceReader(_backbone(), 8, context, hidden=8).eval()
    assert network(torch.rand(2, 3, 16, 16, 5)).shape == (2, 6, 1, 1, 5)


@pytest.mark.parametrize(
    ("context", "reads_others"), [("none", False), ("gru", True), ("attention", True)]
)
def test_what_a_slice_gets_depends_on_others_only_with_a_context(
    context: str, reads_others: bool
) -> None:
    torch.manual_seed(0)
    network = SliceReader(_backbone(), 8, context, hidden=8).eval()
    image = torch.rand(1, 3, 16, 16, 4)
    changed = image.clone()
    changed[..., 3] = 0.0
    same = torch.allclose(network(image)[..., 0], network(changed)[..., 0], atol=1e-6)
    assert same != reads_others


def test_a_network_takes_the_weights_of_a_backbone_that_fit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    given = resnet18(pretrained=False, spatial_dims=2, n_input_channels=3, num_classes=1000)
    path = tmp_path / "imagenet.pt"
    torch.save(given.state_dict(), path)
    backbone = resnet18(pretrained=False, spatial_dims=2, n_input_channels=3, num_classes=16)
    network = SliceReader(backbone, 16)
    load_fitting(network, path)
    assert torch.equal(backbone.conv1.weight, given.conv1.weight)
    torch.save({"other": torch.zeros(1)}, path)
    with pytest.raises(TrainingError, match="NO_WEIGHTS_FIT"):
        load_fitting(network, path)


def test_parts_that_stay_as_they_come_must_all_fit(tmp_path: Path) -> None:
    def reader() -> torch.nn.Sequential:
        backbone = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 1), torch.nn.Conv3d(2, 2, 1))
        return torch.nn.Sequential(backbone, torch.nn.Conv3d(2, 6, 1))

    path, given = tmp_path / "weights.pt", reader()[0]
    torch.save(given.state_dict(), path)
    network = reader()
    load_fitting(network, path, frozen=2)
    assert torch.equal(network[0][1].weight, given[1].weight)
    torch.save({k: v for k, v in given.state_dict().items() if k != "1.bias"}, path)
    load_fitting(network, path, frozen=1)
    with pytest.raises(TrainingError, match=r"NO_WEIGHTS_FIT.*--frozen_parts 0"):
        load_fitting(network, path, frozen=2)


class _Bright(torch.nn.Module):
    """Says SDH where a slice is bright in one corner."""

    def __init__(self) -> None:
        super().__init__()
        self.look = torch.nn.Conv3d(3, 2, 1, bias=False)
        self.pool = torch.nn.AdaptiveMaxPool3d((1, 1, None))
        self.head = torch.nn.Conv3d(2, 6, 1, bias=False)
        torch.nn.init.constant_(self.look.weight, 0.3)
        torch.nn.init.constant_(self.head.weight, 1.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.pool(torch.relu(self.look(image))))
        return found


def test_evidence_lies_where_the_network_looks_and_changes_with_its_weights() -> None:
    image = torch.zeros(3, 8, 8, 5)
    image[:, 1:3, 1:3, 3] = 1.0
    network = _Bright()
    evidence = find_evidence(network, image, "SDH", layer="look")
    assert evidence.shape == (8, 8, 5) and evidence.max() == 1.0
    assert np.unravel_index(evidence.argmax(), evidence.shape)[2] == 3
    torch.nn.init.constant_(network.head.weight, -1.0)  # what spoke for it speaks against it
    assert find_evidence(network, image, "SDH", layer="look").max() == 0.0


def test_cells_are_judged_in_training_alone_and_count_where_they_are_known() -> None:
    backbone = torch.nn.Sequential(
        torch.nn.Conv3d(1, 4, (2, 2, 1), (2, 2, 1)), torch.nn.MaxPool3d((3, 3, 1))
    )
    reader = torch.nn.Sequential(backbone, torch.nn.Conv3d(4, 6, 1))
    both, image = CellReader(reader, 4), torch.randn(2, 1, 6, 6, 5)
    logits, cells = both(image)
    assert logits.shape == (2, 6, 1, 1, 5) and cells.shape == (2, 6, 3, 3, 5)
    assert torch.equal(both.eval()(image), logits) and torch.equal(reader(image), logits)
    labels, unknown = torch.zeros(2, 6, 6), torch.full_like(cells, torch.nan)
    findings, loss = FindingLoss(), CellLoss(FindingLoss(), weight=3.0)
    alone = findings(logits, labels)
    assert torch.equal(loss((logits, cells), (labels, unknown)), alone)
    assert torch.equal(loss(logits, (labels, unknown)), alone), "a reader without cells"
    known = unknown.clone()
    known[0, :, 0, 0, 0] = 1.0
    half = torch.zeros_like(cells)  # a probability of one half: ln 2 each
    found = loss((logits, half), (labels, known))
    assert float((found - alone).detach()) == pytest.approx(3.0 * math.log(2.0), rel=1e-5)
