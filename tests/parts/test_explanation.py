from __future__ import annotations

import math

import pytest
import torch

from monai_ich.parts.explanation import RegionScore, integrate_gradients


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


def test_all_voxels_together_give_the_difference_of_the_scores() -> None:
    class Quadratic(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return (image**2).sum((1, 2, 3, 4))[:, None]

    image, start = torch.full((1, 2, 1, 1, 3), 3.0), torch.full((1, 2, 1, 1, 3), 1.0)
    image[..., 2] = 1.0  # where nothing changes, nothing is added
    found = integrate_gradients(Quadratic(), 0, image, start)
    assert found.flatten().tolist() == pytest.approx(
        [16.0, 16.0, 0.0], rel=1e-5
    )  # two channels of 9 - 1


def test_explaining_leaves_no_gradient_in_the_network() -> None:
    network = Logits()
    score = RegionScore(network, torch.ones(1, 1, 1, dtype=torch.bool))
    integrate_gradients(score, 0, torch.ones(1, 1, 1, 1, 1), torch.zeros(1, 1, 1, 1, 1))
    assert network.one.grad is None and network.one.requires_grad
