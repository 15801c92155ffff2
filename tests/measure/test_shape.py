import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.measure.components import find_lesions
from monai_ich.measure.shape import sphericity, surface_mm2

SHEARED = np.array([[0.5, 0, 0, 0], [0, 0.5, 1.5, 0], [0, 0, 4.0, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "affine", [np.eye(4), np.diag([0.5, 0.5, 4.0, 1.0]), SHEARED], ids=["cubes", "slices", "tilted"]
)
def test_a_ball_of_20_mm_has_5027_mm2_and_sphericity_1_on_any_grid(affine: np.ndarray) -> None:
    shape = (90, 90, 12) if affine[2, 2] > 1 else (45, 45, 45)
    if affine[1, 2]:
        shape = (90, 130, 12)
    geometry = Geometry(shape, affine)
    world = geometry.to_world(np.moveaxis(np.indices(shape), 0, -1))
    ball = np.linalg.norm(world - geometry.to_world((np.array(shape) - 1) / 2), axis=-1) < 20
    assert surface_mm2(ball, geometry) == pytest.approx(4 * np.pi * 20**2, rel=0.03)
    assert sphericity(ball, geometry) == pytest.approx(1.0, abs=0.03)


def test_a_thin_plate_is_no_ball() -> None:
    plate = np.zeros((64, 64, 6), bool)
    plate[2:62, 2:62, 2:4] = (
        True  # 60 x 60 x 2 mm: V = 7200 mm3, A = 7680 mm2, sphericity pi^(1/3) (6 V)^(2/3) / A
    )
    geometry = Geometry(plate.shape, np.eye(4))
    assert sphericity(plate, geometry) == pytest.approx(
        np.cbrt(np.pi) * (6 * 7200) ** (2 / 3) / 7680, rel=0.12
    )


def test_distance_to_the_skull_is_from_border_to_border() -> None:
    geometry = Geometry((40, 20, 20), np.diag([0.5, 1.0, 1.0, 1.0]))
    anatomy, blood = np.zeros((2, *geometry.shape), np.uint8)
    anatomy[4:36, 2:18, 2:18] = Anatomy.LEFT_HEMISPHERE
    blood[10:14, 8:12, 8:12] = Subtype.IPH  # 6 voxels of 0.5 mm from the skull
    blood[30:36, 8:12, 8:12] = Subtype.SDH  # on it
    lesions = find_lesions(
        LabelMap(blood, geometry, Subtype), anatomy=LabelMap(anatomy, geometry, Anatomy)
    )
    assert {x.subtype: x.skull_mm for x in lesions} == {
        Subtype.IPH: pytest.approx(3.0),
        Subtype.SDH: 0.0,
    }
    moved = blood.copy()
    moved[30:39, 4:16, 4:16] = Subtype.SDH  # drawn across the border, which lies deep inside of it
    lesions = find_lesions(
        LabelMap(moved, geometry, Subtype), anatomy=LabelMap(anatomy, geometry, Anatomy)
    )
    assert next(x.skull_mm for x in lesions if x.subtype is Subtype.SDH) == 0.0
    assert all(x.skull_mm is None for x in find_lesions(LabelMap(blood, geometry, Subtype)))


@pytest.mark.parametrize("seed", range(8))
def test_the_nearest_skull_is_found_whatever_the_lesion_looks_like(seed: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = Geometry((50, 60, 24), np.diag([1.0, 1.0, 3.0, 1.0]))
    anatomy, blood = np.zeros((2, *geometry.shape), np.uint8)
    anatomy[2:48, 2:58, 2:22] = Anatomy.LEFT_HEMISPHERE
    low, high = np.sort(rng.integers((5, 5, 5), (45, 55, 19), size=(2, 3)), axis=0)
    box = tuple(slice(a, b + 2) for a, b in zip(low, high, strict=True))
    blood[box] = Subtype.IPH
    walls = np.array([[2, 48], [2, 58], [2, 22]]) - 0.5  # where the cavity ends, in voxels
    least = min(
        min((a - wall[0]) * mm, (wall[1] - (b + 1)) * mm)
        for a, b, wall, mm in zip(low, high, walls, geometry.spacing_mm, strict=True)
    )
    (lesion,) = find_lesions(
        LabelMap(blood, geometry, Subtype), anatomy=LabelMap(anatomy, geometry, Anatomy)
    )
    assert lesion.skull_mm == pytest.approx(least - 0.5)
