import numpy as np
import pytest
from hypothesis import given

from monai_ich.core.errors import GeometryError, IchError, LabelError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Cavity, Subtype, label_of
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import CTVolume, LabelMap
from tests.strategies import geometries


@given(geometries())
def test_lps_and_back_is_identity(geometry: Geometry) -> None:
    again = Geometry.from_lps(geometry.shape, geometry.affine_lps)
    assert again == geometry and hash(again) == hash(geometry)


def test_equal_grids_have_equal_hashes() -> None:
    negative_zero = np.diag([1.0, 1.0, -1.0, 1.0])
    negative_zero[2, 3] = -0.0
    one, other = (
        Geometry((1, 1, 1), np.diag([1.0, 1.0, -1.0, 1.0])),
        Geometry((1, 1, 1), negative_zero),
    )
    assert one == other and hash(one) == hash(other)


def test_left_and_posterior_change_sign_superior_does_not() -> None:
    lps = np.eye(4)
    lps[:3, 3] = [10, 20, 30]
    geometry = Geometry.from_lps((2, 2, 2), lps)
    assert geometry.to_world([0, 0, 0]).tolist() == [-10, -20, 30]
    assert geometry.to_world([1, 1, 1]).tolist() == [-11, -21, 31]


@given(geometries())
def test_world_and_back_is_identity(geometry: Geometry) -> None:
    ijk = np.indices(geometry.shape).reshape(3, -1).T
    assert np.allclose(geometry.to_voxel(geometry.to_world(ijk)), ijk, atol=1e-6)


@given(geometries())
def test_orthogonal_copy_holds_every_voxel_and_its_axes_are_perpendicular(
    geometry: Geometry,
) -> None:
    copy = geometry.orthogonal()
    assert copy.is_orthogonal
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in geometry.shape])).reshape(3, -1).T
    inside = copy.to_voxel(geometry.to_world(corners))
    assert (inside >= -0.5 - 1e-4).all() and (inside <= np.array(copy.shape) - 0.5 + 1e-4).all()


def test_voxel_volume_of_a_tilted_grid_is_the_determinant_not_the_product_of_spacings() -> None:
    tilt = np.deg2rad(20)
    affine = np.diag([0.5, 1.0, 5.0, 1.0])
    affine[:3, 1] = [0, 0.5 * np.cos(tilt), 0.5 * np.sin(tilt)]
    geometry = Geometry((4, 4, 4), affine)
    assert geometry.voxel_ml == pytest.approx(0.5 * 0.5 * np.cos(tilt) * 5 / 1000)
    assert np.prod(geometry.spacing_mm) / 1000 / geometry.voxel_ml == pytest.approx(
        1.0642, abs=1e-4
    )
    assert geometry.tilt_deg == pytest.approx(20.0)


def test_cropped_voxels_stay_where_they_are() -> None:
    affine = np.array([[0, -2, 0, 5], [1.5, 0, 0.4, -3], [0, 0, 3, 9], [0, 0, 0, 1.0]])
    geometry = Geometry((6, 7, 8), affine)
    inner = geometry.crop((slice(2, 5), slice(1, None), slice(3, 8)))
    assert inner.shape == (3, 6, 5)
    assert np.allclose(inner.to_world([0, 0, 0]), geometry.to_world([2, 1, 3]))


@pytest.mark.parametrize(
    "affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3), np.diag([1, 1, 1, 2.0])]
)
def test_impossible_grids_do_not_exist(affine: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="BAD_GEOMETRY"):
        Geometry((2, 2, 2), affine)


def test_a_volume_and_its_geometry_have_one_shape() -> None:
    with pytest.raises(GeometryError, match="GRID_MISMATCH"):
        CTVolume(np.zeros((2, 2, 2), np.float32), Geometry((2, 2, 3), np.eye(4)))


def test_a_label_without_meaning_is_refused() -> None:
    with pytest.raises(LabelError, match=r"UNKNOWN_LABEL.*\[9\]"):
        LabelMap(np.full((2, 2, 2), 9, np.uint8), Geometry((2, 2, 2), np.eye(4)), Subtype)


def test_each_label_has_its_own_name_and_color() -> None:
    rows = [label_of(v) for labels in (Subtype, Anatomy, Cavity) for v in labels]
    assert len({row.name for row in rows}) == len(rows) == len({row.color for row in rows})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measurement_is_finite_or_has_a_reason(value: float) -> None:
    with pytest.raises(IchError, match="NOT_FINITE"):
        Measurement("volume", value, "mL", "SDH", "count")
    with pytest.raises(IchError, match="NO_REASON"):
        Measurement("volume", None, "mL", "SDH", "count")
