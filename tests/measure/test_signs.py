"""Each sign on a disk of 40 mm whose numbers are known: at its limit, just below, just above."""

from __future__ import annotations

import numpy as np
import pytest

from monai_ich.core.exam import Criterion
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.signs import SOURCES, check_signs

SHAPE = (90, 90, 4)
X, Y = np.meshgrid(np.arange(90) - 40.0, np.arange(90) - 45.0, indexing="ij")
DISK = np.hypot(X, Y) < 20
BRAIN_HU = 35.0


def _disk(x: float, y: float, radius: float) -> np.ndarray:
    return np.asarray(np.hypot(X - x, Y - y) < radius)


def _signs(
    mask: np.ndarray,
    hu: np.ndarray | None = None,
    *,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 5.0),
    brain_hu: float | NotMeasurable = BRAIN_HU,
) -> dict[str, Criterion]:
    """Of a mask and densities in a plane, on the two middle slices."""
    voxels, density = np.zeros(SHAPE, np.uint8), np.full(SHAPE, BRAIN_HU, np.float32)
    voxels[..., 1:3] = np.where(mask, Subtype.IPH, 0)[..., None]
    geometry = Geometry(SHAPE, np.diag([*spacing_mm, 1.0]))
    density[..., 1:3] = (np.full(DISK.shape, 60.0) if hu is None else hu)[..., None]
    found = check_signs(LabelMap(voxels, geometry, Subtype), CTVolume(density, geometry), brain_hu)
    assert [sign.id for sign in found] == list(SOURCES)
    return {sign.id: sign for sign in found}


def _met(signs: dict[str, Criterion]) -> set[str]:
    assert all(sign.met is not None for sign in signs.values())
    return {name for name, sign in signs.items() if sign.met}


def test_a_round_even_clot_has_no_sign() -> None:
    assert _met(_signs(DISK)) == set()


def test_noise_is_no_sign() -> None:
    noise = np.random.default_rng(0).normal(60.0, 6.0, DISK.shape)
    assert _met(_signs(DISK, noise)) == set()


@pytest.mark.parametrize(("below_hu", "met"), [(17.9, False), (18.0, True), (18.1, True)])
def test_a_blend_is_18_hu_between_two_halves(below_hu: float, met: bool) -> None:
    signs = _signs(DISK, np.where(X < 0, 60.0, 60.0 - below_hu))
    assert ("blend_sign" in _met(signs)) is met
    assert signs["blend_sign"].because == (
        f"{below_hu:.1f} HU between two adjacent regions, limit 18 HU"
    )
    assert not signs["black_hole_sign"].met and not signs["fluid_level"].met


def test_a_slope_is_no_blend() -> None:
    assert not _signs(DISK, 50.0 - X)["blend_sign"].met


@pytest.mark.parametrize(("below_hu", "met"), [(27.9, False), (28.0, True), (28.1, True)])
def test_a_black_hole_is_28_hu_darker_and_enclosed(below_hu: float, met: bool) -> None:
    hole = np.where(_disk(5, 5, 5), 80.0 - below_hu, 80.0)
    signs = _signs(DISK, hole)
    assert signs["black_hole_sign"].met is met and not signs["blend_sign"].met
    open_ = np.where(_disk(18, 0, 6), 80.0 - below_hu, 80.0)
    assert not _signs(DISK, open_)["black_hole_sign"].met


@pytest.mark.parametrize(("hu", "met"), [(39.9, True), (40.0, True), (40.1, False)])
def test_a_swirl_is_no_denser_than_brain(hu: float, met: bool) -> None:
    assert _signs(DISK, np.where(_disk(5, 5, 5), hu, 60.0))["swirl_sign"].met is met


def test_a_swirl_needs_the_brain_and_denser_blood() -> None:
    unknown = _signs(DISK, brain_hu=NotMeasurable("no anatomy labels were given"))["swirl_sign"]
    assert unknown.met is None and unknown.because == "no anatomy labels were given"
    assert _signs(DISK, np.full(DISK.shape, 38.0))["swirl_sign"].met is None


@pytest.mark.parametrize(("foci", "met"), [(2, False), (3, True), (4, True)])
def test_heterogeneous_is_three_dark_foci(foci: int, met: bool) -> None:
    places = [(-9, 0), (9, 0), (0, 9), (0, -9)][:foci]
    dark = np.any([_disk(x, y, 3.5) for x, y in places], axis=0)
    assert _signs(DISK, np.where(dark, 45.0, 60.0))["heterogeneous_density"].met is met


@pytest.mark.parametrize(("below_hu", "met"), [(9.9, False), (10.0, True), (10.1, True)])
def test_a_fluid_level_is_a_level_line(below_hu: float, met: bool) -> None:
    above = np.where(Y > 0, 60.0 - below_hu, 60.0)  # Y runs to the front: up, on the back
    assert _signs(DISK, above)["fluid_level"].met is met
    assert not _signs(DISK, above[:, ::-1])["fluid_level"].met  # dense above


def test_a_slope_is_no_fluid_level() -> None:
    assert not _signs(DISK, 60.0 - Y)["fluid_level"].met


@pytest.mark.parametrize(
    ("gap_mm", "met"), [(0.9, False), (1.0, True), (20.0, True), (20.1, False)]
)
def test_a_satellite_is_1_to_20_mm_away(gap_mm: float, met: bool) -> None:
    mask = np.zeros(DISK.shape, bool)
    mask[10:40, 20:60] = True  # 30 pixels
    pixel = gap_mm if gap_mm < 5 else gap_mm / 20  # one or twenty empty columns
    empty = 1 if gap_mm < 5 else 20
    mask[40 + empty : 44 + empty, 38:42] = True
    found = _signs(mask, spacing_mm=(pixel, 1.0, 5.0))
    assert found["satellite_sign"].met is met


@pytest.mark.parametrize(("size", "met"), [(6, True), (7, False)])
def test_a_satellite_is_narrower_than_10_mm(size: int, met: bool) -> None:
    """Squares: 5 x 1.414 + 1 = 8.1 mm and 6 x 1.414 + 1 = 9.5 mm; of 7 with 1.1 mm pixels 10.4."""
    mask = DISK.copy()
    mask[65 : 65 + size, 42 : 42 + size] = True
    spacing = (1.0, 1.0, 5.0) if size == 6 else (1.1, 1.1, 5.0)
    assert _signs(mask, spacing_mm=spacing)["satellite_sign"].met is met


@pytest.mark.parametrize(("islands", "met"), [(2, False), (3, True)])
def test_three_separate_islands_are_the_island_sign(islands: int, met: bool) -> None:
    places = [(26, 0), (0, 26), (0, -26)][:islands]
    mask = DISK | np.any([_disk(x, y, 4) for x, y in places], axis=0)
    signs = _signs(mask)
    assert signs["island_sign"].met is met and signs["satellite_sign"].met


@pytest.mark.parametrize(("sprouts", "island"), [(1, False), (2, False), (3, False), (4, True)])
def test_sprouts_make_an_irregular_shape_and_four_an_island_sign(
    sprouts: int, island: bool
) -> None:
    places = [(21, 0), (0, 21), (0, -21), (-21, 0)][:sprouts]
    signs = _signs(DISK | np.any([_disk(x, y, 4) for x, y in places], axis=0))
    assert signs["irregular_shape"].met is (sprouts >= 2)
    assert signs["island_sign"].met is island and not signs["satellite_sign"].met


def test_what_cannot_be_judged_says_why() -> None:
    thick = _signs(DISK, spacing_mm=(1.0, 1.0, 6.0))
    assert {s.because for s in thick.values()} == {"slices of 6.0 mm are thicker than 5 mm"}
    small = _signs(_disk(0, 0, 5))
    assert {s.because for s in small.values()} == {
        "the hematoma is smaller than 1 cm2 on every slice"
    }
    none = _signs(np.zeros_like(DISK))
    assert {s.because for s in none.values()} == {"no IPH was found"}
    for found in (thick, small, none):
        assert all(sign.met is None for sign in found.values())


def test_without_ct_only_the_shape_is_judged() -> None:
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[DISK] = Subtype.IPH
    geometry = Geometry(SHAPE, np.diag([1.0, 1.0, 5.0, 1.0]))
    found = check_signs(LabelMap(voxels, geometry, Subtype), None, NotMeasurable("no CT was given"))
    assert [sign.id for sign in found if sign.met is not None] == [
        "island_sign",
        "satellite_sign",
        "irregular_shape",
    ]


def test_thin_slices_are_judged_as_slabs_of_5_mm() -> None:
    """Noise of 12 HU on slices of 1.25 mm is 6 HU on four of them; the blend stays 20 HU."""
    shape = (90, 90, 16)
    voxels = np.zeros(shape, np.uint8)
    voxels[DISK, :] = Subtype.IPH
    geometry = Geometry(shape, np.diag([1.0, 1.0, 1.25, 1.0]))
    noise = np.random.default_rng(1).normal(0.0, 12.0, shape)
    hu = (np.where(X < 0, 60.0, 40.0)[..., None] + noise).astype(np.float32)
    found = check_signs(LabelMap(voxels, geometry, Subtype), CTVolume(hu, geometry), 20.0)
    assert [sign.id for sign in found if sign.met] == ["blend_sign"]


def test_one_voxel_and_blood_on_every_edge_are_no_accident() -> None:
    geometry = Geometry((30, 30, 3), np.diag([1.0, 1.0, 5.0, 1.0]))
    full = LabelMap(np.full((30, 30, 3), Subtype.IPH, np.uint8), geometry, Subtype)
    ct = CTVolume(np.full((30, 30, 3), 60.0, np.float32), geometry)
    assert all(sign.met is False for sign in check_signs(full, ct, BRAIN_HU))
    one = np.zeros((30, 30, 3), np.uint8)
    one[0, 0, 0] = Subtype.IPH
    assert all(s.met is None for s in check_signs(LabelMap(one, geometry, Subtype), ct, BRAIN_HU))
