"""Make ``monai_ich/anatomy/surfaces.npz``: what a scan's anatomy labels are brought to.

Signed distances (mm, negative inside) from the cavity, the posterior fossa and the ventricles of
the average head that every synthetic head is bent from, on a grid in MNI mm. Run it after the atlas
of `monai_ich.synth` has changed: ``python -m lab.surface_atlas``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from monai_ich.anatomy import atlas_pose
from monai_ich.synth.case import AnatomyCase, HeadCase
from monai_ich.synth.head import Head
from monai_ich.synth.tissue import paint

FINE_MM, COARSE = 1.5, 2  # labels are painted on the fine grid; every second voxel is kept
LOW_MM, HIGH_MM = (-87.0, -129.0, -78.0), (87.0, 93.0, 96.0)


def average_surfaces() -> NDArray[np.int8]:
    """Signed distances ``(3, X, Y, Z)`` in half millimeters, cut at 63 mm."""
    head = Head(HeadCase(0, AnatomyCase(scale=(1.0, 1.0, 1.0), warp_mm=0.0)))
    axes = [
        torch.arange(low, high + 0.1, FINE_MM) for low, high in zip(LOW_MM, HIGH_MM, strict=True)
    ]
    with torch.inference_mode():
        shares = paint(head, head.fields_of_head(*torch.meshgrid(*axes, indexing="ij"))).anatomy
    inside = (shares > 0.5).numpy()
    masks = inside.any(0), inside[4], inside[2] | inside[3]
    return np.stack([np.rint(2.0 * _signed_mm(m).clip(-63, 63)) for m in masks]).astype(np.int8)


def _signed_mm(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    outside = distance_transform_edt(~mask, sampling=FINE_MM)
    within = distance_transform_edt(mask, sampling=FINE_MM)
    signed = np.where(mask, 0.5 * FINE_MM - within, outside - 0.5 * FINE_MM)
    return np.asarray(signed[::COARSE, ::COARSE, ::COARSE])


if __name__ == "__main__":
    path = Path(atlas_pose.__file__).with_name("surfaces.npz")
    np.savez_compressed(
        path, half_mm=average_surfaces(), low_mm=LOW_MM, spacing_mm=COARSE * FINE_MM
    )
