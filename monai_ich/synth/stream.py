"""Synthetic heads made while a network trains, instead of read from files."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from monai_ich.core.labels import EDEMA
from monai_ich.synth.dataset import design_case
from monai_ich.synth.draw import draw_case
from monai_ich.synth.generate import synthesize


def synthetic_rows(
    first_seed: int, heads: int, *, bloodless_every: int = 1
) -> list[dict[str, Any]]:
    """A data list of heads that are not made yet: rows of ``seed`` and ``case``, one after another.

    Args:
        first_seed: of the first head. Sets on disk begin at 0, the test set of `make
            evaluate-synth` at 900,000.
        heads: how many seeds to look at.
        bloodless_every: every how many-th of the heads without hemorrhage is listed (see
            `read_data_list`).
    """
    seeds = range(first_seed, first_seed + heads)
    bloodless = [seed for seed in seeds if not draw_case(seed).hemorrhages]
    skipped = {seed for number, seed in enumerate(bloodless) if number % bloodless_every}
    return [{"seed": seed, "case": f"seed {seed}"} for seed in seeds if seed not in skipped]


class MakeHeadd(Transform):
    """In the place of `LoadImaged` and `EnsureChannelFirstd`: the row's seed becomes a scan with
    its labels.

    Args:
        keys: name in the result to ``"image"`` (HU), ``"label"`` (`Subtype` and `EDEMA`) or
            ``"anatomy"`` (`Anatomy`); each is a `MetaTensor` ``(1, I, J, K)`` in RAS millimeters.
        device: where heads are made and stay.
        design: fixed instead of drawn, as for `monai_ich.synth.dataset.design_case`, for example
            ``{"pixels": 256}``.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        device: torch.device | str = "cpu",
        design: Mapping[str, Any] | None = None,
    ) -> None:
        self.keys, self.device, self.design = dict(keys), torch.device(device), dict(design or {})

    def __call__(self, row: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        scan = synthesize(
            design_case(int(row["seed"]), **self.design), self.device, thickness=False
        )
        labels = np.where(scan.edema.voxels, EDEMA, scan.labels.voxels).astype(np.uint8)
        parts = {"image": scan.ct.hu, "label": labels, "anatomy": scan.anatomy.voxels}
        affine = torch.from_numpy(scan.ct.geometry.affine.copy())
        made = {
            name: MetaTensor(
                torch.from_numpy(parts[source])[None].float(), affine=affine, meta={"space": "RAS"}
            )
            for name, source in self.keys.items()
        }
        return {**row, **{name: tensor.to(self.device) for name, tensor in made.items()}}
