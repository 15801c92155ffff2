"""A CT and its masks onto another grid: nothing cut, nothing invented, no noise folded in, volumes
kept.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.planes import match_planes
from monai_ich.core.relabel import resample_labels
from monai_ich.core.resample import orthogonal_grid, resample_ct, resample_image
from monai_ich.core.volume import AIR_HU, CTVolume, LabelMap
from tests.phantom import agreement, density, grid, phantom
from tests.strategies import geometries


def _line(spacing_mm: float, count: int, pixels: int = 24) -> Geometry:
    return Geometry((pixels, pixels, count), np.diag([0.5, 0.5, spacing_mm, 1.0]))


def _ras(geometry: Geometry) -> np.ndarray:
    return geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))


def _ball(
    geometry: Geometry, ml: float, center: tuple[float, float, float], value: int = 2
) -> np.ndarray:
    radius_mm = (ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    return (np.linalg.norm(_ras(geometry) - center, axis=-1) <= radius_mm).astype(
        np.uint8
    ) * np.uint8(value)


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@given(geometries(), st.tuples(*[st.none() | st.floats(0.8, 6)] * 3))
def test_the_grid_is_orthogonal_holds_all_runs_right_front_up_and_has_the_spacing_asked_for(
    geometry: Geometry, spacing_mm: tuple[float | None, float | None, float | None]
) -> None:
    found = orthogonal_grid(geometry, spacing_mm)
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in geometry.shape])).reshape(3, -1).T
    inside = found.to_voxel(geometry.to_world(corners))
    assert (
        found.is_orthogonal
        and (np.diag(found.affine)[:3] > 0).all()
        and np.linalg.det(found.affine) > 0
    )
    assert (inside >= -0.5 - 1e-3).all() and (inside <= np.array(found.shape) - 0.5 + 1e-3).all()
    for wanted, step in zip(spacing_mm, found.spacing_mm, strict=True):
        assert wanted is None or step == pytest.approx(wanted)
    assert match_planes(found, found) is not None


@given(geometries())
def test_axes_turned_toward_ras_hold_the_same_voxels(geometry: Geometry) -> None:
    turned = geometry.toward_ras()
    ends = [np.sort(_ras(g).reshape(-1, 3), axis=0) for g in (geometry, turned)]
    assert np.allclose(*ends, atol=1e-6) and turned.voxel_ml == pytest.approx(geometry.voxel_ml)


def test_native_keeps_the_distance_between_planes_along_their_normal() -> None:
    found = orthogonal_grid(grid(tilt_deg=20, slice_mm=5.0), (1.0, 1.0, None))
    assert found.spacing_mm == pytest.approx((1, 1, 5)) and found.shape[2] == 32
    assert found.tilt_deg == pytest.approx(0, abs=1e-5) and np.degrees(
        np.arcsin(found.affine[2, 1])
    ) == pytest.approx(20)


@pytest.mark.parametrize("bad", [(0, 1, 1), (1, -2, 1), (1, 1, float("nan")), (0.01, 0.01, 0.01)])
def test_impossible_spacings_are_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(GeometryError, match="BAD_SPACING"):
        orthogonal_grid(grid(), bad)


@pytest.mark.parametrize("tilt_deg", [0, 20, -25])
def test_the_same_grid_gives_the_same_voxels(tilt_deg: float) -> None:
    ct = phantom(grid(tilt_deg=tilt_deg))
    assert np.abs(resample_ct(ct, ct.geometry).hu - ct.hu).max() < 1e-3


@given(geometries())
def test_a_constant_stays_constant_wherever_it_was_measured(geometry: Geometry) -> None:
    found = resample_image(
        np.full(geometry.shape, 7.0), geometry, orthogonal_grid(geometry, (2, 2, 2)), outside=-1.0
    )
    assert set(np.unique(np.round(found, 3)).tolist()) <= {-1.0, 7.0}


ORIENTATIONS = [
    (np.eye(3)[list(order)] * signs)
    for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1))
    for signs in ((1, 1, 1), (-1, -1, 1), (1, -1, 1), (-1, 1, -1), (-1, -1, -1))
]


@pytest.mark.slow
@pytest.mark.parametrize("turn", ORIENTATIONS, ids=[str(np.int8(t).tolist()) for t in ORIENTATIONS])
def test_a_chiral_head_stays_itself_from_any_orientation(turn: np.ndarray) -> None:
    tilt = np.deg2rad(15)
    linear = turn @ np.array([[3.2, 0, 0], [0, 3.2, 4 * np.tan(tilt)], [0, 0, 4.0]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, -linear @ np.array([32, 36, 24])
    ct = phantom(Geometry((65, 73, 49), affine))
    found = resample_ct(ct, orthogonal_grid(ct.geometry, (2.0, 2.0, 2.0)))
    seen = found.hu > AIR_HU
    ras = _ras(found.geometry)
    brain = seen & (np.linalg.norm(ras / [70, 85, 90], axis=-1) < 0.75)
    assert np.corrcoef(found.hu[brain], density(ras[brain]))[0, 1] > 0.99
    assert np.corrcoef(found.hu[brain], density(ras[brain] * [-1, 1, 1]))[0, 1] < 0.85


def test_a_tilted_series_is_straightened_where_it_is() -> None:
    ct = phantom(grid(tilt_deg=20, slice_mm=2.5, count=64))
    found = resample_ct(ct, orthogonal_grid(ct.geometry, (2.0, 2.0, 2.0)))
    inside = CTVolume(
        np.where(found.hu > AIR_HU, found.hu, -1000).astype(np.float32), found.geometry
    )
    assert agreement(inside) > 0.995


@pytest.mark.parametrize("spacing_mm", [0.6, 0.625, 1.0])
def test_noise_of_thin_slices_falls_as_averaging_predicts(spacing_mm: float) -> None:
    """White noise of 30 HU at 0.6 mm, 5 mm slices: 30 * sqrt(0.6 / 5) = 10.4 HU. Every 8th slice
    would keep 30.
    """
    thin = _line(spacing_mm, int(160 / spacing_mm))
    noise = np.random.default_rng(0).normal(40, 30, thin.shape).astype(np.float32)
    thick = resample_ct(CTVolume(noise, thin), orthogonal_grid(thin, (None, None, 5.0))).hu[
        :, :, 1:-1
    ]
    assert thick.mean() == pytest.approx(40, abs=0.5)
    assert thick.std() == pytest.approx(30 * np.sqrt(spacing_mm / 5), rel=0.05)


def test_no_frequency_folds_in() -> None:
    """A ripple of 1.2 mm along the slices cannot be shown at 5 mm, so nothing of its 100 HU may be
    left.
    """
    thin = _line(0.6, 267, pixels=4)
    ripple = 40 + 100 * np.cos(2 * np.pi * np.arange(267) * 0.6 / 1.3)
    image = np.broadcast_to(ripple, thin.shape).astype(np.float32)
    thick = resample_ct(CTVolume(image, thin), orthogonal_grid(thin, (None, None, 5.0))).hu[
        :, :, 1:-1
    ]
    assert np.abs(thick - 40).max() < 13  # picking slices leaves 100


def test_a_slab_keeps_its_mean_and_its_integral() -> None:
    """7.2 mm of blood (65 HU) in brain (35 HU): 30 HU * 7.2 mm = 216 HU mm, on any thicker
    slices.
    """
    thin = _line(0.6, 300, pixels=4)
    image = np.full(thin.shape, 35, np.float32)
    image[:, :, 121:133] = 65
    for step in (1.0, 2.5, 5.0, 7.0):
        thick = resample_ct(CTVolume(image, thin), orthogonal_grid(thin, (None, None, step))).hu
        line = thick[2, 2][thick[2, 2] > AIR_HU] - 35
        assert line.sum() * step == pytest.approx(216, rel=0.01) and line.max() <= 30.001
        assert step > 2.5 or line.max() == pytest.approx(30, abs=0.01)


def test_no_rim_where_padding_or_the_end_of_the_scan_cuts_the_head() -> None:
    geometry = Geometry((64, 64, 12), np.diag([1.0, 1.0, 5.0, 1.0]))
    i, j = np.indices((64, 64)) - 31.5
    hu = np.where(np.hypot(i, j)[..., None] < 31, 40.0, AIR_HU) * np.ones(12)
    for spacing_mm in ((0.7, 0.7, 2.0), (1.7, 1.7, 7.0), (1.0, 1.0, None)):
        found = resample_ct(
            CTVolume(hu.astype(np.float32), geometry), orthogonal_grid(geometry, spacing_mm)
        ).hu
        assert set(np.unique(np.round(found, 2)).tolist()) == {AIR_HU, 40.0}
        assert (found > 0).sum() > 0.7 * found.size


def test_skin_against_air_is_averaged_as_in_a_scanner() -> None:
    geometry = _line(1.0, 20, pixels=40)
    hu = np.full(geometry.shape, AIR_HU, np.float32)
    hu[15:25, 15:25, 5:15] = 40
    found = resample_ct(CTVolume(hu, geometry), orthogonal_grid(geometry, (None, None, 4.0))).hu[
        20, 20
    ]
    assert sorted(set(np.round(found, 2).tolist())) == [AIR_HU, 0.75 * 40 + 0.25 * AIR_HU, 40.0]


@pytest.mark.parametrize("ml,share", [(20.0, 0.01), (1.5, 0.05)])
@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (1, 1, None), (1.5, 1.5, 3)])
def test_a_mask_comes_back_to_tilted_slices(
    ml: float, share: float, spacing_mm: tuple[float | None, float | None, float | None]
) -> None:
    native = grid(pixels=112, pixel_mm=0.5, slice_mm=5.0, count=14, tilt_deg=20)
    mask = LabelMap(_ball(native, ml, (1.3, -2.1, 0.7)), native, Subtype)
    there = resample_labels(mask, orthogonal_grid(native, spacing_mm))
    back = resample_labels(there, native)
    assert there.volume_ml(2) == pytest.approx(mask.volume_ml(2), rel=share)
    assert back.volume_ml(2) == pytest.approx(mask.volume_ml(2), rel=share)
    assert _dice(mask.voxels > 0, back.voxels > 0) > (0.97 if ml > 2 else 0.9)


def test_a_mask_made_on_the_new_grid_comes_back_with_its_volume() -> None:
    native = grid(pixels=112, pixel_mm=0.5, slice_mm=5.0, count=14, tilt_deg=20)
    fine = orthogonal_grid(native, (1, 1, 1))
    for ml in (20.0, 1.5, 0.2):
        made = LabelMap(_ball(fine, ml, (1.3, -2.1, 0.7)), fine, Subtype)
        back = resample_labels(made, native)
        assert back.volume_ml(2) == pytest.approx(made.volume_ml(2), rel=0.01)
        center = _ras(native)[back.voxels > 0].mean(axis=0)
        assert np.abs(center - (1.3, -2.1, 0.7)).max() < 1.0


def test_what_is_thinner_than_a_voxel_does_not_vanish() -> None:
    fine = Geometry((60, 60, 60), np.diag([0.5, 0.5, 0.5, 1.0]))
    film = np.zeros(fine.shape, np.uint8)
    film[10:50, 10:50, 31] = 5
    speck = film.copy()
    speck[5, 5, 5] = 1
    found = resample_labels(LabelMap(speck, fine, Subtype), orthogonal_grid(fine, (2, 2, 5)))
    assert found.volume_ml(5) == pytest.approx(40 * 40 * 0.5**3 / 1000, rel=0.06)
    assert (found.voxels == 1).sum() == 1


def test_labels_that_touch_leave_no_gap_and_keep_their_volumes() -> None:
    fine = orthogonal_grid(
        grid(pixels=100, pixel_mm=0.5, slice_mm=1.0, count=50), (None, None, None)
    )
    voxels = _ball(fine, 20.0, (0, 0, 0), 1)
    voxels[(voxels > 0) & (_ras(fine)[..., 0] > 3.3)] = 3
    voxels[(voxels > 0) & (_ras(fine)[..., 2] > 5.2)] = 5
    mask = LabelMap(voxels, fine, Subtype)
    found = resample_labels(
        mask, grid(pixels=40, pixel_mm=1.3, slice_mm=5.0, count=12, tilt_deg=15)
    )
    for value in (1, 3, 5):
        assert found.volume_ml(value) == pytest.approx(mask.volume_ml(value), rel=0.05)
    assert found.mask().volume_ml == pytest.approx(mask.mask().volume_ml, rel=0.02)


@given(geometries())
def test_labels_on_the_same_grid_stay(geometry: Geometry) -> None:
    voxels = np.random.default_rng(0).integers(0, 6, geometry.shape).astype(np.uint8)
    mask = LabelMap(voxels, geometry, Subtype)
    assert np.array_equal(
        resample_labels(mask, Geometry(geometry.shape, geometry.affine)).voxels, voxels
    )


def test_grids_turned_against_each_other_are_sampled_in_place() -> None:
    ct = phantom(grid(slice_mm=4.0, count=48))
    turn = np.eye(4)
    angle = np.deg2rad(17)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    target = Geometry((64, 64, 40), turn @ grid(count=40).affine)
    assert match_planes(ct.geometry, target) is None
    found = resample_ct(ct, target)
    ras = _ras(target)
    brain = np.linalg.norm(ras / [70, 85, 90], axis=-1) < 0.75
    assert np.corrcoef(found.hu[brain], density(ras[brain]))[0, 1] > 0.99
    made = LabelMap(_ball(ct.geometry, 20.0, (10, 5, 3)), ct.geometry, Subtype)
    assert resample_labels(made, target).volume_ml(2) == pytest.approx(made.volume_ml(2), rel=0.01)
