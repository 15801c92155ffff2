"""A network with plain convolutions gives what it gave."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import DynUNet, UNet
from torch import nn

from monai_ich.parts.convolutions import plain_convolutions


@pytest.mark.parametrize("norm", ["INSTANCE", "BATCH"])
@pytest.mark.parametrize("units", [0, 2])
def test_plain_convolutions_give_the_same_scores(norm: str, units: int) -> None:
    torch.manual_seed(0)
    strides = ((1, 1, 1), (2, 2, 1))
    network = UNet(3, 3, 6, channels=(4, 8, 8), strides=strides, num_res_units=units, norm=norm)
    image = torch.rand(2, 3, 16, 12, 8)
    network(image)  # batch norm has seen something
    network.eval()
    with torch.inference_mode():
        before = network(image)
        after = plain_convolutions(network)(image)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    left = [layer.stride for layer in network.modules() if isinstance(layer, nn.ConvTranspose3d)]
    assert left == [(2, 2, 1)]
    assert not any(isinstance(layer, nn.BatchNorm3d) for layer in network.modules())


@pytest.mark.parametrize("res_block", [False, True])
def test_batch_norm_of_a_dynunet_becomes_part_of_its_convolutions(res_block: bool) -> None:
    torch.manual_seed(0)
    steps = {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]}
    network = DynUNet(3, 3, 6, filters=[4, 8, 8], norm_name="batch", res_block=res_block, **steps)
    image = torch.rand(2, 3, 16, 12, 8)
    network(image)
    network.eval()
    with torch.inference_mode():
        before = network(image)
        after = plain_convolutions(network)(image)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm3d) for layer in network.modules())


def test_bias_padding_and_kernel_may_be_any() -> None:
    layer = nn.ConvTranspose3d(2, 3, (3, 1, 5), padding=(0, 0, 1), bias=False)
    image = torch.rand(1, 2, 6, 5, 7)
    torch.testing.assert_close(plain_convolutions(nn.Sequential(layer))(image), layer(image))
