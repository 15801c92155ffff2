"""Residual units whose two paths are heard alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.blocks import ResidualUnit
from torch.optim.swa_utils import update_bn


@torch.no_grad()
def balance_residuals(
    network: torch.nn.Module, images: Sequence[torch.Tensor], most: float = 2.0
) -> list[float]:
    """Scale down residual paths that drown out the branch beside them, in place, and measure the
    norms anew.

    A `ResidualUnit` adds its input, through a convolution without norm, to a branch that norms and
    activates. Nothing keeps the former small: in our U-Net it grew from level to level until, after
    36,000 steps, it was 180 times the branch at the deepest one, which bfloat16 rounds away: the
    deep levels had become linear. A network goes on learning from here; what it had learned is
    disturbed and returns within some hundred steps.

    Args:
        network: with `ResidualUnit`s and batch norm, such as MONAI's ``UNet``.
        images: some inputs ``(B, C, I, J, K)``, for the size of features and the statistics of the
            norms.
        most: a residual path may have this many times the branch's standard deviation.

    Returns:
        Of each unit that has a convolution in its residual path, in order, what that was multiplied
        by; 1 or less.
    """
    # each norm by the statistics of the image at hand, whatever comes before it was scaled by
    network.train()
    units = [
        m
        for m in network.modules()
        if isinstance(m, ResidualUnit) and not isinstance(m.residual, torch.nn.Identity)
    ]
    factors = []
    for unit in units:
        deviations: list[tuple[torch.Tensor, torch.Tensor]] = []

        def listen(unit: Any, inputs: Any, _: Any, into: Any = deviations) -> None:
            into.append((unit.conv(inputs[0]).std(), unit.residual(inputs[0]).std()))

        handle = unit.register_forward_hook(listen)
        for image in images:
            network(image)
        handle.remove()
        branch, residual = (torch.stack(values).mean() for values in zip(*deviations, strict=True))
        factors.append(min(1.0, float(most * branch / residual)))
        for parameter in unit.get_submodule("residual").parameters():
            parameter.mul_(factors[-1])
    update_bn(images, network)
    network.eval()
    return factors
