"""Which heat map to believe: MONAI's explanations before the sanity check of Adebayo 2018.

    python -m benchmarks.heatmaps [--heads 3] [--slow-heads 1] [--out benchmarks/heatmaps.json]

On synthetic heads that training never saw, each method explains the subtype with most labeled
voxels, once with the weights of the bundle and once with randomized ones, the region that is asked
about the same. A method passes where

- its two maps differ: the size of Spearman's rank correlation within the cavity is below 0.5 on
every head, and
- its map of the real weights is higher in true blood than in the rest of the
cavity: at least three times on every head, and highest in true blood (the pointing game) on most.

A map can be high in blood for reasons of the input alone, so the ratio of the randomized weights
stands beside it. Seconds are CPU seconds of one map, one thread. Occlusion covers cubes of 30 mm
and takes long: on fewer heads.

References:
    Adebayo 2018 doi:10.48550/arXiv.1810.03292; Zhang 2018 doi:10.1007/s11263-017-1059-x (pointing
    game)
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.visualize import GradCAM, OcclusionSensitivity, SmoothGrad, VanillaGrad
from scipy.stats import spearmanr

from benchmarks import tables
from monai_ich.anatomy.cavity import cavity_box
from monai_ich.bundle import Bundle, load_bundle
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import installed_versions
from monai_ich.core.volume import Mask
from monai_ich.parts.explanation import RegionScore, weigh_features
from monai_ich.segment.explain import Method, explain_ich
from monai_ich.segment.ich import segment_ich
from monai_ich.synth.dataset import design_case
from monai_ich.synth.generate import SyntheticScan, synthesize

HEADS = (
    {Subtype.IPH: 30.0},
    {Subtype.SDH: 50.0},
    {Subtype.EDH: 35.0},
    {Subtype.IVH: 20.0},
    {Subtype.SAH: 25.0},
)
SEED = 960_000
HU, WINDOWS_HU = 40.0, ((0.0, 80.0), (-20.0, 180.0), (-200.0, 1000.0))  # of the network's channels
Row = dict[str, Any]


def even(image: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """The image with a cavity of even 40 HU (gray matter): where ways to an image begin."""
    windows = torch.tensor([(HU - low) / (high - low) for low, high in WINDOWS_HU])
    return torch.where(inside, windows.to(image)[:, None, None, None], image)


def integrate_gradients(
    score: torch.nn.Module, index: int, image: torch.Tensor, inside: torch.Tensor, steps: int = 4
) -> torch.Tensor:
    """Sundararajan 2017: the mean gradient on the way from an even cavity, times the way."""
    gradient, start = VanillaGrad(score), even(image, inside)
    way, mean = image - start, torch.zeros_like(image)
    for step in range(steps):
        mean += gradient((start + way * ((step + 0.5) / steps)).detach(), index) / steps
    return (mean * way)[0].sum(0)


def gradient(
    score: RegionScore, index: int, image: torch.Tensor, inside: torch.Tensor
) -> torch.Tensor:
    """Simonyan 2013: the size of the gradient."""
    return VanillaGrad(score)(image.clone(), index)[0].abs().sum(0)


def smooth_gradient(
    score: RegionScore, index: int, image: torch.Tensor, inside: torch.Tensor
) -> torch.Tensor:
    """Smilkov 2017: the same, averaged over four noisy copies."""
    torch.manual_seed(0)
    return SmoothGrad(score, stdev_spread=0.05, n_samples=4, verbose=False)(image.clone(), index)[
        0
    ].sum(0)


def grad_cam(
    score: RegionScore, index: int, image: torch.Tensor, inside: torch.Tensor, *, layer: str
) -> torch.Tensor:
    """Selvaraju 2017, at a level of the shipped network."""
    score.requires_grad_(True)
    explain = GradCAM(score, f"network.{layer}", postprocessing=lambda heat: heat)
    return explain(image, class_idx=index)[0, 0].detach()


def occlusion(
    score: RegionScore, index: int, image: torch.Tensor, inside: torch.Tensor
) -> torch.Tensor:
    """Zeiler 2014: how far the score falls when a cube of 30 mm fades to even brain density."""
    start = even(image, inside)
    explain = OcclusionSensitivity(
        _FromStart(score, start),
        mask_size=(20, 20, 10),
        n_batch=1,
        verbose=False,
        overlap=0.0,
        activate=False,
    )
    with torch.inference_mode():
        covered, _ = explain(image - start)
        return score(image)[0, index] - torch.as_tensor(covered)[0, index]


class _FromStart(torch.nn.Module):
    """MONAI fades to zero; so the way from `start` is what it is given."""

    def __init__(self, score: RegionScore, start: torch.Tensor) -> None:
        super().__init__()
        self.score, self.start = score, start

    def forward(self, way: torch.Tensor) -> torch.Tensor:
        return self.score(self.start + torch.as_tensor(way))


METHODS: dict[str, Method] = {
    "Grad-CAM, last features": weigh_features,
    "Grad-CAM, lowest level": partial(grad_cam, layer="1.bottleneck"),
    "integrated gradients": integrate_gradients,
    "gradient": gradient,
    "SmoothGrad": smooth_gradient,
    "occlusion": occlusion,
}
SLOW = ("occlusion",)
QUICK = tuple(name for name in METHODS if name not in SLOW)


def randomized(bundle: Bundle, seed: int = 1) -> Bundle:
    """The same bundle with the values of each tensor of weights in random order, so that what a
    layer gives keeps its size (its batch norm is part of the weights).
    """
    network, order = deepcopy(bundle.network), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in network.parameters():
            values = weights.flatten()
            weights.copy_(values[torch.randperm(len(values), generator=order)].view_as(weights))
    return replace(bundle, network=network)


def judge(heat: np.ndarray, other: np.ndarray, blood: np.ndarray, cavity: np.ndarray) -> Row:  # type: ignore[type-arg]
    """One head: how alike two maps are, and how much higher the first (and the other) is in
    blood.
    """
    rest = cavity & ~blood
    same = np.ptp(other[cavity]) == 0  # the randomized map is empty: nothing in common
    return {
        "alike": 0.0 if same else round(float(spearmanr(heat[cavity], other[cavity]).statistic), 3),
        "higher": round(float(heat[blood].mean() / max(heat[rest].mean(), 1e-3)), 1),
        "higher_randomized": round(float(other[blood].mean() / max(other[rest].mean(), 1e-3)), 1),
        "hit": bool(blood[np.unravel_index(np.where(cavity, heat, 0).argmax(), heat.shape)]),
    }


def make(number: int) -> SyntheticScan:
    """A head of the set, upright or tilted by 12 degrees."""
    tilt_deg = 12.0 * (number % 2)
    case = design_case(
        SEED + number, hemorrhages=HEADS[number], thickness_mm=5.0, tilt_deg=tilt_deg
    )
    return synthesize(replace(case, scanner=replace(case.scanner, bottom_mm=-62.0, top_mm=95.0)))


def rows_of(number: int, bundle: Bundle, methods: Sequence[str]) -> list[Row]:
    """One head, every method."""
    scan = make(number)
    cavity = Mask(scan.anatomy.voxels > 0, scan.ct.geometry)
    box = cavity_box(cavity, margin_mm=12.0)
    labels = segment_ich(scan.ct, cavity, within=box, bundle=bundle).labels
    subtype = max(Subtype, key=labels.volume_ml)
    rows = []
    for name in methods:
        maps, seconds = [], 0.0
        for one in (randomized(bundle), bundle):
            start = time.process_time()
            (found,) = explain_ich(
                scan.ct,
                labels,
                [subtype],
                cavity=cavity,
                within=box,
                bundle=one,
                method=METHODS[name],
            )
            seconds = time.process_time() - start
            maps.append(found.voxels)
        row = {
            "method": name,
            "head": SEED + number,
            "explained": subtype.name,
            "cpu_s": round(seconds, 1),
        }
        rows.append(row | judge(maps[1], maps[0], scan.labels.voxels > 0, cavity.voxels))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Print the table and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=3, choices=range(1, len(HEADS) + 1))
    parser.add_argument("--slow-heads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle("ich_segmentation", device="cpu")
    rows = [row for number in range(args.heads) for row in rows_of(number, bundle, QUICK)]
    rows += [row for number in range(args.slow_heads) for row in rows_of(number, bundle, SLOW)]
    record = {
        "versions": installed_versions(),
        "weights_sha256": bundle.weights_sha256,
        "rows": rows,
    }
    args.out.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    print(tables.heatmaps(record))


if __name__ == "__main__":
    main()
