"""What becomes of a network's classes: subtypes, edema apart, and evidence of blood alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_ich.bundle import load_bundle
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import EDEMA, Subtype
from monai_ich.core.volume import CTVolume, Mask
from monai_ich.segment.ich import segment_ich

GRID = Geometry(
    (32, 32, 16), np.diag([1.5, 1.5, 3.0, 1.0])
)  # the network's own; a voxel is 0.00675 mL


class _Densities(torch.nn.Module):
    """Blood where the brain window reads 0.75 and more (60 HU), edema where it reads a fourth (20
    HU).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        window = image[:, 0]
        scores = torch.zeros(len(image), self.classes, *window.shape[1:])
        scores[:, Subtype.IPH] = torch.where(window > 0.7, 4.0, -4.0)
        if self.classes > EDEMA:
            scores[:, EDEMA] = torch.where((window > 0.2) & (window < 0.3), 4.0, -4.0)
        scores[:, [1, 3, 4, 5]] = -20.0
        return scores


@pytest.mark.parametrize("classes", [6, 7])
@pytest.mark.parametrize("flips", [False, True])
def test_edema_is_no_blood_and_is_there_only_where_the_network_knows_it(
    classes: int, flips: bool
) -> None:
    hu = np.full(GRID.shape, 36.0, np.float32)
    hu[8:20, 8:20, 4:12] = 20.0
    hu[12:16, 12:16, 6:10] = 62.0  # 128 voxels
    bundle = replace(
        load_bundle("ich_segmentation", device="cpu"), network=_Densities(classes), classes=classes
    )
    cavity = Mask(np.ones(GRID.shape, bool), GRID)
    found = segment_ich(CTVolume(hu, GRID), cavity, bundle=bundle, flips=flips, caution=0.5)
    assert (
        np.array_equal(found.labels.voxels == Subtype.IPH, hu == 62.0)
        and found.labels.voxels.max() == Subtype.IPH
    )
    assert found.evidence.expected_ml["any"] == pytest.approx(128 * 0.00675, rel=0.1, abs=2.2)
    assert found.evidence.expected_ml["any"] == pytest.approx(
        sum(found.evidence.expected_ml[s.name] for s in Subtype)
    )
    if classes == 6:
        assert found.edema is None
    else:
        assert found.edema is not None and np.array_equal(found.edema.voxels, hu == 20.0)
