"""Heads made in memory are the heads that files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd

from monai_ich.synth.dataset import design_case, write_case
from monai_ich.synth.draw import draw_case
from monai_ich.synth.stream import MakeHeadd, synthetic_rows

KEYS = {"image": "image", "label": "label", "cavity": "anatomy"}
DESIGN = {"pixels": 64, "thickness_mm": 8.0, "tilt_deg": 12.0}


@pytest.mark.slow
def test_a_head_in_memory_is_the_head_of_the_files(tmp_path: Path) -> None:
    seed = 3
    folder = write_case(design_case(seed, **DESIGN), tmp_path / "head")
    files = {
        "image": folder / "ct.nii.gz",
        "label": folder / "ich.nii.gz",
        "cavity": folder / "anatomy.nii.gz",
    }
    names = list(KEYS)
    load = [
        LoadImaged(keys=names, reader="NibabelReader", image_only=True),
        EnsureChannelFirstd(keys=names),
    ]
    turned = Orientationd(keys=names, axcodes="RAS", labels=None)
    read = Compose([*load, turned])({name: str(path) for name, path in files.items()})
    made = Compose([MakeHeadd(KEYS, design=DESIGN), turned])({"seed": seed})
    for name in names:
        np.testing.assert_allclose(made[name].affine, read[name].affine, atol=1e-4)
        assert torch.equal(made[name].as_tensor(), read[name].as_tensor().float()), name
    assert made["cavity"].unique().numel() == 6


def test_rows_leave_out_most_heads_without_blood() -> None:
    seeds = {
        name: [row["seed"] for row in synthetic_rows(50, 60, bloodless_every=name)]
        for name in (1, 3)
    }
    assert seeds[1] == list(range(50, 110))
    bloodless = [seed for seed in seeds[1] if not draw_case(seed).hemorrhages]
    assert len(bloodless) > 5
    assert set(seeds[1]) - set(seeds[3]) == {seed for n, seed in enumerate(bloodless) if n % 3}
