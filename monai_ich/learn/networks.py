"""Networks over the slices of an exam, around MONAI's 2D backbones."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from monai_ich.core.errors import TrainingError
from monai_ich.parts.findings import CHANNELS

_INNER = ("backbone.", "0.")  # of the names in `SliceReader`, and in a backbone with a context
CONTEXTS = ("none", "gru", "attention")


class SliceReader(torch.nn.Module):
    """A 2D network on each slice, then what reads the slices in their order.

    Args:
        backbone: ``(slices, channels, I, J)`` to features ``(slices, features)``.
        features: of the backbone.
        context: ``"none"`` judges each slice by itself (RSNA's recipe); ``"gru"`` reads them from
            below and from above; ``"attention"`` lets each see all, its place told by sines.
        hidden: of the context.
    """

    def __init__(
        self, backbone: torch.nn.Module, features: int, context: str = "gru", hidden: int = 128
    ) -> None:
        super().__init__()
        if context not in CONTEXTS:
            raise TrainingError("UNKNOWN_CONTEXT", f"context is one of {', '.join(CONTEXTS)}.")
        self.backbone, self.context = backbone, context
        self.reduce = torch.nn.Linear(features, 2 * hidden)
        self.gru = (
            torch.nn.GRU(2 * hidden, hidden, batch_first=True, bidirectional=True)
            if context == "gru"
            else None
        )
        self.attention = (
            torch.nn.TransformerEncoderLayer(
                2 * hidden, 4, 4 * hidden, dropout=0.1, batch_first=True, norm_first=True
            )
            if context == "attention"
            else None
        )
        self.head = torch.nn.Linear(2 * hidden, len(CHANNELS))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``(B, channels, I, J, K)`` to logits ``(B, 6, 1, 1, K)``."""
        batch, channels, height, width, count = image.shape
        slices = image.permute(0, 4, 1, 2, 3).reshape(batch * count, channels, height, width)
        seen = self.reduce(self.backbone(slices).flatten(1)).reshape(batch, count, -1)
        if self.gru is not None:
            seen = seen + self.gru(seen)[0]
        if self.attention is not None:
            seen = self.attention(seen + _places(count, seen))
        logits: torch.Tensor = self.head(torch.relu(seen))
        return logits.transpose(1, 2)[:, :, None, None]


def _places(count: int, like: torch.Tensor) -> torch.Tensor:
    """Sines and cosines of the slice's number ``(count, width)``.

    References:
        Vaswani 2017, doi:10.48550/arXiv.1706.03762
    """
    width = like.shape[-1]
    place = torch.arange(count, device=like.device, dtype=torch.float32)[:, None]
    rate = 10000.0 ** (-torch.arange(0, width, 2, device=like.device) / width)
    return torch.cat([(place * rate).sin(), (place * rate).cos()], -1).to(like.dtype)


def load_fitting(network: torch.nn.Module, path: str | Path, *, frozen: int = 0) -> None:
    """Take from a state dict the entries that fit by name and shape; names in the backbone
    fit too, so that ImageNet's weights of a ResNet, or those of another bundle, can be given as
    they are.

    Args:
        network: a backbone and what reads its slices, where `frozen` is given.
        path: of the state dict.
        frozen: so many parts of the backbone will stay as they come, so all of them must fit.

    Raises:
        TrainingError: ``NO_WEIGHTS_FIT``.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    own = network.state_dict()
    fitting = {}
    for name, value in own.items():
        inner = (name.removeprefix(prefix) for prefix in _INNER)
        given = next((state[n] for n in (name, *inner) if n in state), None)
        if given is not None and given.shape == value.shape:
            fitting[name] = given
    if not fitting:
        raise TrainingError(
            "NO_WEIGHTS_FIT", "The weights given have no entry of the network's names and shapes."
        )
    stay = tuple(f"0.{part}." for part in range(frozen))
    if any(name.startswith(stay) and name not in fitting for name in own):
        raise TrainingError(
            "NO_WEIGHTS_FIT",
            "The weights given do not fit the parts of the network that would stay as they are: "
            "give others, or --frozen_parts 0.",
        )
    network.load_state_dict(own | fitting)
    logging.getLogger(__name__).info("took %d of %d entries", len(fitting), len(own))
