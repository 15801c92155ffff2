"""Pretraining from scans without labels: a network restores windows of which parts are hidden or
shuffled, and tells two views of one window from those of other windows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.losses import ContrastiveLoss
from monai.transforms import MapTransform

Made = Callable[[dict[Hashable, Any]], Mapping[Hashable, Any]]


class TwoViewsd(MapTransform):
    """Two random views of a window as the channels of one image, and as ``label`` the window that
    both are to be restored to.

    Args:
        keys: the window ``(1, I, J, K)``, which becomes ``(2 C, I, J, K)``.
        view: gives a view ``(C, I, J, K)``, another one each time.
        whole: gives what is seen where nothing is hidden, ``(C, I, J, K)``.
    """

    def __init__(self, keys: KeysCollection, view: Made, whole: Made) -> None:
        super().__init__(keys)
        self.view, self.whole = view, whole

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            views = [self.view({key: data[key].clone()})[key] for _ in range(2)]
            out["label"] = self.whole({key: data[key].clone()})[key]
            out[key] = torch.cat(views)
        return out


class Pretraining(torch.nn.Module):
    """A segmentation network with other ends: an image instead of classes, and a vector.

    Its own last layer, which knows classes, stays as it is: the state dict of `network` is one to
    start a training from.

    Args:
        network: fold, body and unfold, as in the ``train.yaml`` of ``ich_segmentation``.
        channels: of an image.
        size: of the vector.

    References:
        Pathak 2016 (hidden parts), doi:10.1109/CVPR.2016.278; Chen 2020 (two views and a head for
        the vector), doi:10.48550/arXiv.2002.05709
    """

    def __init__(self, network: torch.nn.Sequential, channels: int = 3, size: int = 64) -> None:
        super().__init__()
        unfold = network[-1]
        assert isinstance(unfold, torch.nn.ConvTranspose3d)
        width, (i, j, k) = unfold.in_channels, unfold.stride
        self.network = network
        self.restore = torch.nn.ConvTranspose3d(width, channels, (i, j, k), (i, j, k))
        self.describe = torch.nn.Sequential(
            torch.nn.Linear(width, 2 * size), torch.nn.ReLU(), torch.nn.Linear(2 * size, size)
        )

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Two views ``(B, 2 C, I, J, K)`` to both restored ``(B, 2, C, I, J, K)`` and to a vector
        of each ``(B, 2, size)``.
        """
        features = self.network[:-1](views.unflatten(1, (2, -1)).flatten(0, 1))
        vectors = self.describe(features.mean((2, 3, 4)))
        return self.restore(features).unflatten(0, (-1, 2)), vectors.unflatten(0, (-1, 2))


class PretrainingLoss(torch.nn.Module):
    """Mean absolute error of both views that were restored, and a share of the contrastive loss of
    their vectors, which is 0 where a batch holds one window.

    Args:
        contrast_weight: of the latter.
        temperature: of the latter.
    """

    def __init__(self, contrast_weight: float = 0.05, temperature: float = 0.5) -> None:
        super().__init__()
        self.contrast_weight = contrast_weight
        self.contrast = ContrastiveLoss(temperature)

    def forward(
        self, found: tuple[torch.Tensor, torch.Tensor], window: torch.Tensor
    ) -> torch.Tensor:
        """What `Pretraining` gives, and the window ``(B, C, I, J, K)``, to a scalar."""
        restored, vectors = found
        error = (restored - window.as_subclass(torch.Tensor)[:, None]).abs().mean()
        contrast: torch.Tensor = self.contrast(vectors[:, 0], vectors[:, 1])
        return error + self.contrast_weight * contrast
