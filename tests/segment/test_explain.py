from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.heatmaps import judge, randomized
from benchmarks.tables import CHANGED, HIGHER
from monai_ich.anatomy.cavity import cavity_box
from monai_ich.bundle import Bundle, load_bundle
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.segment.explain import explain_ich
from monai_ich.synth.dataset import design_case
from monai_ich.synth.generate import synthesize
from tests.phantom import grid


class Brightness(torch.nn.Module):
    """Takes for IPH what is bright in brain window, and knows no other class."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Conv3d(1, 6, 1, bias=False)
        is_iph = torch.arange(6) == Subtype.IPH
        self.last.load_state_dict({"weight": is_iph.float().reshape(6, 1, 1, 1, 1)})

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.last(torch.relu(10 * image[:, :1] - 5))
        return scores


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle("ich_segmentation", device="cpu")


def head(geometry: Geometry) -> tuple[CTVolume, LabelMap, Mask]:
    """Brain of 33 HU with a clot of 65 HU in it, in a skull of 900 HU."""
    ras = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    radius = np.linalg.norm(ras / [65, 80, 65], axis=-1)
    clot = np.linalg.norm(ras - [-30, 15, 5], axis=-1) < 14
    hu = np.select([clot, radius < 1, radius < 1.1], [65.0, 33.0, 900.0], -1000.0).astype(
        np.float32
    )
    return (
        CTVolume(hu, geometry),
        LabelMap(clot.astype(np.uint8) * np.uint8(Subtype.IPH), geometry, Subtype),
        Mask(radius < 0.9, geometry),
    )


@pytest.mark.parametrize("tilt_deg", [0.0, 18.0])
def test_heat_lies_in_the_world_where_the_network_finds_its_reason(
    shipped: Bundle, tilt_deg: float
) -> None:
    ct, labels, cavity = head(grid(pixels=96, pixel_mm=2.2, tilt_deg=tilt_deg))
    bundle = replace(shipped, network=Brightness())
    (found,) = explain_ich(ct, labels, [Subtype.IPH], cavity=cavity, bundle=bundle)
    assert (
        found.subtype is Subtype.IPH and found.geometry is ct.geometry and found.voxels.max() == 255
    )
    hot = np.argwhere(found.voxels > 128)
    assert np.allclose(ct.geometry.to_world(hot.mean(axis=0)), [-30, 15, 5], atol=2.0)
    assert not found.voxels[~cavity.voxels].any()  # bone is as bright as can be, and stays as it is


def test_without_a_mask_the_most_probable_voxels_are_asked_about(shipped: Bundle) -> None:
    ct, labels, cavity = head(grid(pixels=96, pixel_mm=2.2))
    nothing = LabelMap(np.zeros_like(labels.voxels), labels.geometry, Subtype)
    bundle = replace(shipped, network=Brightness())
    box = cavity_box(cavity, margin_mm=12)
    (found,) = explain_ich(ct, nothing, [Subtype.IPH], cavity=cavity, within=box, bundle=bundle)
    assert labels.voxels[np.unravel_index(found.voxels.argmax(), found.voxels.shape)] == Subtype.IPH
    assert explain_ich(ct, labels, [], cavity=cavity, bundle=bundle) == ()


@pytest.mark.slow
@pytest.mark.parametrize("subtype", [Subtype.IPH, Subtype.SAH])
def test_shipped_weights_pass_the_sanity_check(shipped: Bundle, subtype: Subtype) -> None:
    """Adebayo 2018: other weights, another map; and in blood the map is higher than elsewhere, but
    with other weights it is not.
    """
    case = design_case(960_000, hemorrhages={subtype: 30.0}, tilt_deg=12.0, thickness_mm=5.0)
    scan = synthesize(replace(case, scanner=replace(case.scanner, bottom_mm=-62.0, top_mm=95.0)))
    cavity = Mask(scan.anatomy.voxels > 0, scan.ct.geometry)
    box = cavity_box(cavity, margin_mm=12)
    heat, *others = (
        explain_ich(scan.ct, scan.labels, [subtype], cavity=cavity, within=box, bundle=bundle)[
            0
        ].voxels
        for bundle in (shipped, randomized(shipped, 1), randomized(shipped, 2))
    )
    for other in others:
        found = judge(heat, other, scan.labels.voxels > 0, cavity.voxels)
        assert abs(found["alike"]) < CHANGED and found["higher"] > HIGHER and found["hit"]
        assert found["higher"] > 3 * found["higher_randomized"]
