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
    find_surface_elements,
    hausdorff_95,
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
Box = tuple[slice, ...]
SLAB, SLAB_ABOVE = ((slice(0, 4), slice(0, 4), slice(k, k + 1)) for k in (2, 3))
VOXEL, VOXEL_BESIDE = ((slice(i, i + 1), slice(3, 4), slice(2, 3)) for i in (3, 5))
SMALL, LARGE = (slice(2, 8), slice(2, 8), slice(1, 4)), (slice(3, 9), slice(2, 9), slice(1, 5))
CORNER, CORNER_TOO = (slice(0, 5), slice(0, 5)), (slice(0, 6), slice(0, 4))
NOTHING, PLATE = (slice(0, 0),), (slice(0, 4),)


def _box(grid: Geometry, *box: slice) -> Mask:
    voxels = np.zeros(grid.shape, bool)
    voxels[box] = True
    return Mask(voxels, grid)


def _blobs(grid: Geometry, seed: int) -> tuple[Mask, Mask]:
    rng = np.random.default_rng(seed)
    one = rng.random(grid.shape) < 0.3
    return Mask(one, grid), Mask(one ^ (rng.random(grid.shape) < 0.05), grid)


def _tensor(mask: Mask) -> torch.Tensor:
    return torch.from_numpy(mask.voxels)[None, None].float()


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
    assert hausdorff_95(one, other).value == 5.0
    assert normalized_surface_dice(one, other) == pytest.approx(0.5), "they share one of two faces"
    assert normalized_surface_dice(one, other, 5.0) == 1.0


def test_a_shift_from_slice_to_slice_counts_the_shear() -> None:
    one, other = (_box(TILTED, slice(0, 1), slice(0, 1), slice(k, k + 1)) for k in (2, 3))
    assert hausdorff_95(one, other).value == pytest.approx(5.0 / np.cos(np.radians(25.0))), (
        "the step is longer than the distance of the planes"
    )


def test_two_voxels_against_one() -> None:
    one = _box(STRAIGHT, slice(0, 1), slice(0, 1), slice(0, 1))
    two = _box(STRAIGHT, slice(0, 9, 8), slice(0, 1), slice(0, 1))
    assert normalized_surface_dice(two, one) == pytest.approx(2 / 3), "2 of 3 equal surfaces"
    assert hausdorff_95(two, one).value == pytest.approx(0.95 * 4.0)


def test_two_empty_masks_agree_and_one_has_no_distance_but_a_reason() -> None:
    empty, full = Mask(np.zeros(SHAPE, bool), STRAIGHT), Mask(np.ones(SHAPE, bool), STRAIGHT)
    assert (normalized_surface_dice(empty, empty), hausdorff_95(empty, empty).value) == (1.0, 0.0)
    assert normalized_surface_dice(empty, full) == normalized_surface_dice(full, empty) == 0.0
    missed, false = hausdorff_95(empty, full), hausdorff_95(full, empty)
    assert (missed.value, missed.reason) == (None, "the prediction is empty")
    assert false.reason == "the reference is empty"


def test_the_area_of_one_voxel_is_that_of_eight_cut_corners() -> None:
    a, b, c = TILTED.affine[:3, :3].T
    faces = np.cross(b, c), np.cross(c, a), np.cross(a, b)  # as vectors, each with its area
    corners = [
        np.linalg.norm(sum(s * f for s, f in zip(signs, faces, strict=True))) / 8
        for signs in product((-1, 1), repeat=3)
    ]
    found = find_surface_elements(_box(TILTED, slice(3, 4), slice(3, 4), slice(3, 4)))
    assert sorted(found.area_mm2) == pytest.approx(sorted(corners)) and len(corners) == 8
    unit = Mask(np.ones((1, 1, 1), bool), Geometry((1, 1, 1), np.eye(4)))
    assert find_surface_elements(unit).area_mm2.sum() == pytest.approx(np.sqrt(3))
    assert np.abs(find_surface_elements(unit).at_ras_mm).tolist() == [[0.5] * 3] * 8


def test_a_large_box_has_nearly_the_area_of_its_faces() -> None:
    grid = Geometry((42, 42, 42), TILT)
    found = find_surface_elements(_box(grid, *[slice(1, 41)] * 3))
    sheared = 1.0 / np.cos(np.radians(25.0))  # the face that the slices' shift stretches
    assert found.area_mm2.sum() == pytest.approx(40**2 * 2 * (2 + sheared), rel=0.02)


@pytest.mark.parametrize(
    ("prediction", "reference", "tolerance_mm", "dice", "areas_mm2"),
    [
        (SLAB, SLAB_ABOVE, 2.0, 0.5, (46.86640495145571, 46.86640495145571)),
        (VOXEL, VOXEL_BESIDE, 0.5, 0.5, (4.315379473464645, 4.315379473464645)),
        (VOXEL, VOXEL_BESIDE, 1.0, 1.0, (4.315379473464645, 4.315379473464645)),
        (SMALL, LARGE, 0.5, 0.7621320049716475, (219.4384058042017, 319.57564400602894)),
        (SMALL, LARGE, 1.0, 0.9113486297448574, (219.4384058042017, 319.57564400602894)),
        (SMALL, LARGE, 2.0, 0.9139459646389905, (219.4384058042017, 319.57564400602894)),
        (CORNER, CORNER_TOO, 0.5, 0.840300915393373, (346.86170644599923, 334.1755557357603)),
        (NOTHING, PLATE, 2.0, 0.0, (0.0, 622.9573347649459)),
    ],
)
def test_deepminds_surface_distance_0_1_finds_the_same(
    prediction: Box,
    reference: Box,
    tolerance_mm: float,
    dice: float,
    areas_mm2: tuple[float, float],
) -> None:
    one, other = _box(STRAIGHT, *prediction), _box(STRAIGHT, *reference)
    assert normalized_surface_dice(one, other, tolerance_mm) == pytest.approx(dice, abs=1e-6)
    areas = [find_surface_elements(mask).area_mm2.sum() for mask in (one, other)]
    assert areas == pytest.approx(areas_mm2, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grid", [STRAIGHT, TILTED])
def test_brute_force_finds_the_same(grid: Geometry, seed: int) -> None:
    ways = _brute_mm(*_blobs(grid, seed))
    expected = max(np.percentile(way, 95.0) for way in ways)
    assert hausdorff_95(*_blobs(grid, seed)).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_monai_finds_the_same_where_axes_are_perpendicular(seed: int) -> None:
    prediction, reference = _blobs(STRAIGHT, seed)
    options = {"include_background": True, "spacing": STRAIGHT.spacing_mm}
    a, b = _tensor(prediction), _tensor(reference)
    hd95 = compute_hausdorff_distance(a, b, percentile=95, **options).item()
    nsd = compute_surface_dice(a, b, [0.6], use_subvoxels=True, **options).item()
    assert hausdorff_95(prediction, reference).value == pytest.approx(hd95, rel=1e-6)
    found = normalized_surface_dice(prediction, reference, 0.6)
    assert found == pytest.approx(nsd, abs=1e-6) and 0 < nsd < 1


def test_spacing_alone_would_be_wrong_on_a_tilted_grid() -> None:
    one, other = (
        _box(TILTED, slice(0, 1), slice(6, 7), slice(2, 3)),
        _box(TILTED, slice(0, 1), slice(3, 4), slice(3, 4)),
    )
    ahead = 5.0 * np.tan(np.radians(25.0)) - 3 * 0.7
    assert hausdorff_95(one, other).value == pytest.approx(np.hypot(5.0, ahead))
    monai = compute_hausdorff_distance(
        _tensor(one),
        _tensor(other),
        include_background=True,
        percentile=95,
        spacing=TILTED.spacing_mm,
    ).item()
    assert monai == pytest.approx(np.hypot(5.0 / np.cos(np.radians(25.0)), 3 * 0.7), rel=1e-5), (
        "0.9 mm too much"
    )


def test_masks_on_other_grids_are_refused() -> None:
    for compare in (hausdorff_95, normalized_surface_dice):
        with pytest.raises(GeometryError, match="GRID_MISMATCH"):
            compare(_blobs(STRAIGHT, 0)[0], _blobs(TILTED, 0)[0])
