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
    """Blood where the brain window reads 0.7 and more (56 HU), surer where it reads 0.85 (68 HU);
    edema where it reads a fourth (20 HU).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        window = image[:, 0]
        scores = torch.zeros(len(image), self.classes, *window.shape[1:])
        scores[:, Subtype.IPH] = torch.where(window > 0.7, 4.0, -4.0) + 4.0 * (window > 0.85)
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
    found = segment_ich(
        CTVolume(hu, GRID), cavity, bundle=bundle, flips=flips, caution=0.5, certainty=3.0
    )
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


@pytest.mark.parametrize(("sure", "stays"), [(0, False), (14, False), (15, True), (40, True)])
def test_a_piece_stays_whole_where_enough_of_it_is_sure(sure: int, stays: bool) -> None:
    clot = np.zeros(GRID.shape, bool)
    clot[12:16, 12:16, 6:10] = True
    hu = np.where(clot, 62.0, 36.0).astype(np.float32)
    hu[tuple(np.argwhere(clot)[:sure].T)] = 72.0  # 15 of them are 0.1 mL
    hu[4, 4, 4] = 72.0  # sure, and too little
    bundle = replace(
        load_bundle("ich_segmentation", device="cpu"), network=_Densities(6), classes=6
    )
    found = segment_ich(CTVolume(hu, GRID), bundle=bundle, caution=0.5, certainty=6.0)
    assert np.array_equal(found.labels.voxels > 0, clot & stays)
    assert found.evidence.log_odds["any"] == pytest.approx(7.5 if sure >= 29 else 3.5, abs=0.2)
    each = segment_ich(CTVolume(hu, GRID), bundle=bundle, caution=0.5, certainty=0.5)
    assert np.array_equal(each.labels.voxels > 0, clot), "only its size counts"
