"""The basal cisterns and what adjoins them, as lines: where blood of a ruptured aneurysm lies as a
star.
"""

from __future__ import annotations

import torch

from monai_ich.synth.atlas import segment_mm

# MNI mm, mirrored: start, end
_LINES = (
    ((0.0, 2.0, -20.0), (9.0, -4.0, -20.0)),  # suprasellar
    ((9.0, -2.0, -19.0), (28.0, 4.0, -17.0)),  # stem of the Sylvian fissure
    ((28.0, 4.0, -17.0), (42.0, 6.0, -2.0)),  # Sylvian fissure, in front
    ((42.0, 6.0, -2.0), (44.0, -24.0, 13.0)),  # and behind
    ((0.0, 4.0, -18.0), (0.0, 34.0, -10.0)),  # between the frontal lobes, below
    ((0.0, 34.0, -10.0), (0.0, 50.0, 12.0)),  # and in front
    ((10.0, -8.0, -18.0), (19.0, -24.0, -12.0)),  # ambient
    ((19.0, -24.0, -12.0), (6.0, -38.0, -2.0)),  # quadrigeminal
    ((3.0, -10.0, -22.0), (3.0, -14.0, -44.0)),  # before the pons
)


def cisterns_mm(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Distance (mm) of points (MNI mm, brain before the mass effect) from the nearest of these
    lines.
    """
    x, nearest = x.abs(), torch.full_like(x, torch.inf)
    for start, end in _LINES:
        nearest = torch.minimum(nearest, segment_mm(x, y, z, start, end))
    return nearest
