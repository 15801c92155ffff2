"""A small data set on disk: blocks instead of heads, masks with known values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])


def write_scan(path: Path, seed: int, *, slices: int = 4, affine: np.ndarray = AFFINE) -> Path:
    """An int16 CT of noise: the same seed gives the same voxels."""
    hu = np.random.default_rng(seed).integers(-20, 80, (6, 6, slices)).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(hu, affine), path)
    return path


def write_mask(path: Path, *values: int, slices: int = 4, affine: np.ndarray = AFFINE) -> Path:
    """A mask that holds one voxel of each value."""
    voxels = np.zeros((6, 6, slices), np.uint8)
    voxels[: len(values), 0, 0] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


def write_json(path: Path, record: dict[str, Any]) -> Path:
    path.write_text(json.dumps(record))
    return path
