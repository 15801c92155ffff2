"""Residual units whose two paths are heard alike."""

from __future__ import annotations

import pytest
import torch
from monai.networks.blocks import ResidualUnit
from monai.networks.nets import UNet

from monai_ich.parts.residuals import balance_residuals


def _ratios(network: torch.nn.Module, image: torch.Tensor) -> list[float]:
    found: list[float] = []

    def listen(unit: ResidualUnit, inputs: tuple[torch.Tensor], _: torch.Tensor) -> None:
        found.append(float(unit.residual(inputs[0]).std() / unit.conv(inputs[0]).std()))

    handles = [
        m.register_forward_hook(listen) for m in network.modules() if isinstance(m, ResidualUnit)
    ]
    with torch.inference_mode():
        network(image)
    for handle in handles:
        handle.remove()
    return found


def test_a_residual_path_that_drowns_its_branch_is_scaled_down() -> None:
    torch.manual_seed(0)
    network = UNet(3, 1, 2, channels=[4, 8, 8], strides=[2, 2], num_res_units=2, norm="BATCH")
    units = [m for m in network.modules() if isinstance(m, ResidualUnit)]
    with torch.no_grad():
        units[1].residual.weight.mul_(300.0)
    images = [torch.rand(1, 1, 16, 16, 16) for _ in range(4)]
    loud = max(_ratios(network.eval(), images[0]))
    factors = balance_residuals(network, images, most=2.0)
    assert loud > 20.0 and factors[1] < 0.1 and factors[0] == pytest.approx(1.0)
    assert max(_ratios(network, images[0])) < 3.0
    with torch.inference_mode():
        features = [units[1].conv[0].conv(units[0](image)) for image in images]
    spread = torch.stack(features).movedim(2, 0).flatten(1).var(1)
    torch.testing.assert_close(units[1].conv[0].adn.N.running_var, spread, rtol=0.1, atol=0.01)
