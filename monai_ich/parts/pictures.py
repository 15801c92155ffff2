"""A scan as it comes back from 8-bit pictures of a display window whose mapping nobody noted."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

_WINDOWS_HU = (
    (0.0, 80.0),
    (0.0, 80.0),
    (-20.0, 100.0),
    (-5.0, 85.0),
    (-50.0, 150.0),
    (0.0, 255.0),
    (-60.0, 140.0),
)


@dataclass(frozen=True)
class Pictures:
    """How a scan became pictures, and how they were read.

    Args:
        window_hu: what the pictures show, from black to white.
        read_hu: what the one who reads them back takes black and white for.
        gamma: of the display.
        ratio: pictures are resized by this much after the window was applied; 1 for not.
        bicubic: else bilinear.
        quality: of JPEG, 1 to 95; None: stored without loss.
    """

    window_hu: tuple[float, float]
    read_hu: tuple[float, float]
    gamma: float = 1.0
    ratio: float = 1.0
    bicubic: bool = False
    quality: int | None = None


def draw_pictures(rng: np.random.Generator) -> Pictures:
    """Pictures at random: three of five are read with a window that is only nearly theirs."""
    low, high = _WINDOWS_HU[rng.integers(len(_WINDOWS_HU))]
    low, width = low + rng.normal(0.0, 4.0), (high - low) * float(np.exp(rng.normal(0.0, 0.1)))
    black, span = low, width
    if rng.random() < 0.6:
        black, span = low + rng.normal(0.0, 5.0), width * float(np.exp(rng.normal(0.0, 0.12)))
    return Pictures(
        window_hu=(low, low + width),
        read_hu=(black, black + span),
        gamma=float(np.exp(rng.normal(0.0, 0.12))) if rng.random() < 0.3 else 1.0,
        ratio=float(rng.uniform(0.6, 1.5)) if rng.random() < 0.6 else 1.0,
        bicubic=bool(rng.random() < 0.5),
        quality=int(rng.integers(45, 96)) if rng.random() < 0.5 else None,
    )


def through_pictures(hu: torch.Tensor, p: Pictures) -> torch.Tensor:
    """What is read from pictures of HU ``(I, J, K)``, slices along K, each a picture.

    Teaching files and public collections are made so: HU are clipped to a window, stored as 8 bit,
    often through a gamma, and resized and compressed *after* that. Bone and air sit at the ends of
    the range then, and the edge of the skull passes through the gray of blood over a pixel or two,
    where a clipped CT has a steep edge: networks that never saw it find a rim of subdural blood in
    every normal head.
    """
    low, high = p.window_hu
    gray = (
        ((hu - low) / (high - low))
        .clamp(0, 1)
        .pow(p.gamma)
        .mul(255)
        .round()
        .permute(2, 0, 1)[:, None]
    )
    if p.ratio != 1.0 or p.quality is not None:
        size = tuple(max(8, round(n * p.ratio)) for n in gray.shape[2:])
        mode = "bicubic" if p.bicubic else "bilinear"
        small = F.interpolate(gray, size=size, mode=mode, align_corners=False).round().clamp(0, 255)
        if p.quality is not None:
            small = torch.stack([_compress(picture, p.quality) for picture in small[:, 0]])[:, None]
        gray = F.interpolate(small, size=gray.shape[2:], mode="bilinear", align_corners=False)
    black, white = p.read_hu
    return gray[:, 0].permute(1, 2, 0) * ((white - black) / 255.0) + black


def _compress(gray: torch.Tensor, quality: int) -> torch.Tensor:
    """A gray picture ``(I, J)``, 0 to 255, as it comes back from JPEG."""
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(gray.byte().cpu().numpy()).save(packed, "JPEG", quality=quality)
    back: NDArray[np.uint8] = np.array(Image.open(packed))
    return torch.from_numpy(back).to(gray)
