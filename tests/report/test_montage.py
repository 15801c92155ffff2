from pathlib import Path

import numpy as np
import pytest

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.report.montage import render_montage
from tests.heads import anatomy
from tests.phantom import density, grid


@pytest.mark.slow
def test_the_picture_does_not_depend_on_the_order_of_axes(tmp_path: Path) -> None:
    from PIL import Image

    geometry = grid(pixels=96, pixel_mm=2.2, tilt_deg=10)
    parts = anatomy(geometry, shift_mm=6)
    ras = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    blood = np.where(np.linalg.norm(ras - [-35, 10, 5], axis=-1) < 15, int(Subtype.IPH), 0).astype(
        np.uint8
    )
    hu = density(ras).astype(np.float32)
    order, flip = [2, 0, 1], 1
    affine = geometry.affine[:, [*order, 3]].copy()
    affine[:3, 3] += affine[:3, flip] * (geometry.shape[order[flip]] - 1)
    affine[:3, flip] *= -1
    pictures = []
    for place, turn in (
        (geometry, lambda v: v),
        (
            Geometry((32, 96, 96), affine),
            lambda v: np.ascontiguousarray(np.flip(v.transpose(order), flip)),
        ),
    ):
        turned = LabelMap(turn(parts.voxels), place, Anatomy)
        labels = LabelMap(turn(blood), place, Subtype)
        path = tmp_path / "m.png"
        render_montage(
            path, CTVolume(turn(hu), place), labels, anatomy=turned, midline=fit_midline(turned)
        )
        pictures.append(np.asarray(Image.open(path).convert("RGB")).astype(int))
    assert (
        np.abs(pictures[0] - pictures[1]).max(axis=-1) > 60
    ).mean() < 0.002  # the numbers of the slices may differ
