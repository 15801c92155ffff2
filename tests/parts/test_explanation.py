from __future__ import annotations

import math

import pytest
import torch

from monai_ich.parts.explanation import RegionScore, weigh_features


class Logits(torch.nn.Module):
    """Background 0, class 1 the image, class 2 its square."""

    def __init__(self) -> None:
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = image[:, :1] * self.one
        return torch.cat([torch.zeros_like(x), x, x**2], 1)


def test_the_score_is_the_mean_log_odds_over_the_region() -> None:
    image = torch.tensor([2.0, -1.0, 5.0]).reshape(1, 1, 3, 1, 1)
    region = torch.tensor([True, True, False]).reshape(3, 1, 1)
    first = (2 - math.log(1 + math.exp(4)) + (-1) - math.log(1 + math.exp(1))) / 2
    second = (4 - math.log(1 + math.exp(2)) + 1 - math.log(1 + math.exp(-1))) / 2
    assert RegionScore(Logits(), region)(image)[0].tolist() == pytest.approx(
        [first, second], abs=1e-6
    )
    most = RegionScore(Logits(), region, most=1)(image)[0].tolist()
    assert most == pytest.approx(
        [2 - math.log(1 + math.exp(4)), 4 - math.log(1 + math.exp(2))], abs=1e-6
    )


def test_features_count_by_how_much_they_raise_the_score() -> None:
    class Features(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.cat([image, (image - 1) ** 2], 1) + shift

    torch.manual_seed(0)
    shift = torch.zeros(1, 2, 1, 1, 1)
    network = torch.nn.Sequential(Features(), torch.nn.Conv3d(2, 4, 1))
    image, region = torch.rand(1, 1, 3, 4, 2), torch.rand(3, 4, 2) > 0.5
    score, expected = RegionScore(network, region), 0.0
    found = weigh_features(score, 1, image, region)
    before = float(score(image)[0, 1])
    for n, feature in enumerate((image, (image - 1) ** 2)):
        shift[0, n] = 1e-2
        rise = (float(score(image)[0, 1]) - before) / 1e-2 / image[0].numel()
        shift[0, n] = 0
        expected = expected + rise * feature[0, 0]
    assert torch.allclose(found, expected, rtol=2e-2, atol=1e-3)


def test_heat_of_a_coarse_level_has_the_shape_of_the_image() -> None:
    fold, unfold = torch.nn.Conv3d(1, 5, 2, 2), torch.nn.ConvTranspose3d(5, 3, 2, 2)
    image, region = torch.rand(1, 1, 4, 6, 2), torch.ones(4, 6, 2, dtype=torch.bool)
    score = RegionScore(torch.nn.Sequential(fold, unfold), region)
    assert weigh_features(score, 0, image, region).shape == (4, 6, 2)


def test_explaining_leaves_no_gradient_in_the_network() -> None:
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 1), torch.nn.Conv3d(2, 3, 1))
    region = torch.ones(1, 1, 1, dtype=torch.bool)
    weigh_features(RegionScore(network, region), 0, torch.ones(1, 1, 1, 1, 1), region)
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
