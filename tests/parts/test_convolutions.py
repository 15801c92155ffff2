"""A network with plain convolutions gives what it gave."""

from __future__ import annotations

import torch
from monai.networks.nets import UNet
from torch import nn

from monai_ich.parts.convolutions import plain_convolutions


def test_plain_convolutions_give_the_same_scores() -> None:
    torch.manual_seed(0)
    network = UNet(
        spatial_dims=3, in_channels=3, out_channels=6, channels=(4, 8, 8), strides=((1, 1, 1), (2, 2, 1))
    ).eval()  # type: ignore[no-untyped-call]
    image = torch.rand(2, 3, 16, 12, 8)
    with torch.inference_mode():
        before = network(image)
        after = plain_convolutions(network)(image)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    left = [layer.stride for layer in network.modules() if isinstance(layer, nn.ConvTranspose3d)]
    assert left == [(2, 2, 1)]


def test_bias_padding_and_kernel_may_be_any() -> None:
    layer = nn.ConvTranspose3d(2, 3, (3, 1, 5), padding=(0, 0, 1), bias=False)
    image = torch.rand(1, 2, 6, 5, 7)
    torch.testing.assert_close(plain_convolutions(nn.Sequential(layer))(image), layer(image))
