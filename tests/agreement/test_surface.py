"""Surface distances: by hand, against MONAI where axes are perpendicular, against brute force where
they are not.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from monai_ich.agreement.surface import (
    hausdorff_95,
    measure_surface_distances,
    normalized_surface_dice,
)
from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import Mask

SHAPE = (14, 12, 6)
STRAIGHT = Geometry(SHAPE, np.diag([0.5, 0.7, 5.0, 1.0]))
TILT = np.eye(4)
TILT[1, 2] = np.tan(np.radians(25.0))  # 2.33 mm to the front from slice to slice
TILTED = Geometry(SHAPE, TILT @ np.diag([0.5, 0.7, 5.0, 1.0]))


def _box(grid: Geometry, *box: slice) -> Mask:
    voxels = np.zeros(grid.shape, bool)
    voxels[box] = True
    return Mask(voxels, grid)


def _blobs(grid: Geometry, seed: int) -> tuple[Mask, Mask]:
    rng = np.random.default_rng(seed)
    one = rng.random(grid.shape) < 0.3
    return Mask(one, grid), Mask(one ^ (rng.random(grid.shape) < 0.05), grid)


def _brute_mm(prediction: Mask, reference: Mask) -> tuple[np.ndarray, np.ndarray]:
    """Every boundary voxel against every other, neighbors looked up one by one."""

    def boundary(mask: Mask) -> np.ndarray:
        padded = np.pad(mask.voxels, 1)
        steps = [s for s in product((-1, 0, 1), repeat=3) if sum(map(abs, s)) == 1]
        found = [p for p in np.argwhere(padded) if not all(padded[tuple(p + s)] for s in steps)]
        return np.array([mask.geometry.affine[:3, :3] @ (p - 1) for p in found])

    apart = np.linalg.norm(boundary(prediction)[:, None] - boundary(reference)[None], axis=-1)
    return apart.min(axis=1), apart.min(axis=0)


def test_a_slab_moved_by_one_slice_of_5_mm() -> None:
    one, other = (_box(STRAIGHT, slice(0, 4), slice(0, 4), slice(k, k + 1)) for k in (2, 3))
    found = measure_surface_distances(one, other)
    assert found.to_reference_mm.tolist() == [5.0] * 16 == found.to_prediction_mm.tolist()
    assert hausdorff_95(found).value == 5.0
    assert normalized_surface_dice(found) == 0.0 and normalized_surface_dice(found, 5.0) == 1.0


def test_a_shift_from_slice_to_slice_counts_the_shear() -> None:
    one, other = (_box(TILTED, slice(0, 1), slice(0, 1), slice(k, k + 1)) for k in (2, 3))
    value = hausdorff_95(measure_surface_distances(one, other)).value
    assert value == pytest.approx(5.0 / np.cos(np.radians(25.0))), (
        "the step is longer than the distance of the planes"
    )


def test_two_voxels_against_one() -> None:
    one = _box(STRAIGHT, slice(0, 1), slice(0, 1), slice(0, 1))
    two = _box(STRAIGHT, slice(0, 9, 8), slice(0, 1), slice(0, 1))
    found = measure_surface_distances(two, one)
    assert found.to_reference_mm.tolist() == [0.0, 4.0] and found.to_prediction_mm.tolist() == [0.0]
    assert normalized_surface_dice(found) == 2 / 3
    assert hausdorff_95(found).value == pytest.approx(0.95 * 4.0)


def test_two_empty_masks_agree_and_one_has_no_distance_but_a_reason() -> None:
    empty, full = Mask(np.zeros(SHAPE, bool), STRAIGHT), Mask(np.ones(SHAPE, bool), STRAIGHT)
    none = measure_surface_distances(empty, empty)
    assert (normalized_surface_dice(none), hausdorff_95(none).value) == (1.0, 0.0)
    missed, false = measure_surface_distances(empty, full), measure_surface_distances(full, empty)
    assert (normalized_surface_dice(missed), normalized_surface_dice(false)) == (0.0, 0.0)
    assert (hausdorff_95(missed).value, hausdorff_95(missed).reason) == (
        None,
        "the prediction is empty",
    )
    assert hausdorff_95(false).reason == "the reference is empty"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grid", [STRAIGHT, TILTED])
def test_brute_force_finds_the_same(grid: Geometry, seed: int) -> None:
    found = measure_surface_distances(*_blobs(grid, seed))
    ours, theirs = _brute_mm(*_blobs(grid, seed))
    np.testing.assert_allclose(found.to_reference_mm, ours, atol=1e-9)
    np.testing.assert_allclose(found.to_prediction_mm, theirs, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_monai_finds_the_same_where_axes_are_perpendicular(seed: int) -> None:
    prediction, reference = _blobs(STRAIGHT, seed)
    a, b = (torch.from_numpy(m.voxels)[None, None].float() for m in (prediction, reference))
    spacing = STRAIGHT.spacing_mm
    found = measure_surface_distances(prediction, reference)
    hd95 = compute_hausdorff_distance(
        a, b, include_background=True, percentile=95, spacing=spacing
    ).item()
    nsd = compute_surface_dice(a, b, [1.0], include_background=True, spacing=spacing).item()
    assert hausdorff_95(found).value == pytest.approx(hd95, rel=1e-5)
    assert normalized_surface_dice(found, 1.0) == pytest.approx(nsd, rel=1e-5) and 0 < nsd < 1


def test_spacing_alone_would_be_wrong_on_a_tilted_grid() -> None:
    one, other = (
        _box(TILTED, slice(0, 1), slice(6, 7), slice(2, 3)),
        _box(TILTED, slice(0, 1), slice(3, 4), slice(3, 4)),
    )
    ahead = 5.0 * np.tan(np.radians(25.0)) - 3 * 0.7
    assert hausdorff_95(measure_surface_distances(one, other)).value == pytest.approx(
        np.hypot(5.0, ahead)
    )
    a, b = (torch.from_numpy(m.voxels)[None, None].float() for m in (one, other))
    monai = compute_hausdorff_distance(
        a, b, include_background=True, percentile=95, spacing=TILTED.spacing_mm
    ).item()
    assert monai == pytest.approx(np.hypot(5.0 / np.cos(np.radians(25.0)), 3 * 0.7), rel=1e-5), (
        "0.9 mm too much"
    )


def test_masks_on_other_grids_are_refused() -> None:
    with pytest.raises(GeometryError, match="GRID_MISMATCH"):
        measure_surface_distances(_blobs(STRAIGHT, 0)[0], _blobs(TILTED, 0)[0])
