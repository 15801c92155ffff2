import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.straighten import straighten
from monai_ich.core.volume import AIR_HU, CTVolume, LabelMap
from tests.phantom import density, grid


@pytest.mark.parametrize("tilt_deg", [-25, 12])
def test_every_voxel_is_kept_within_half_a_pixel_of_its_place(tilt_deg: float) -> None:
    geometry = grid(tilt_deg=tilt_deg)
    voxels = np.zeros(geometry.shape, np.uint8)
    points = [(10, 12, 0), (20, 40, 9), (33, 21, 17), (5, 50, geometry.shape[2] - 1)]
    for value, point in enumerate(points, start=1):
        voxels[point] = value
    straight = straighten(LabelMap(voxels, geometry, Subtype))
    assert straight.geometry == geometry.orthogonal()
    for value, point in enumerate(points, start=1):
        (there,) = np.argwhere(straight.voxels == value)
        assert there[2] == point[2]  # slices keep their number
        offset = np.abs(geometry.orthogonal().to_voxel(geometry.to_world(point)) - there)
        assert offset.max() <= 0.5 + 1e-6


def test_a_straightened_ct_keeps_its_values_and_is_air_around() -> None:
    geometry = grid(tilt_deg=18)
    ras = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    ct = CTVolume(density(ras).astype(np.float32), geometry)
    straight = straighten(ct)
    added = straight.hu.size - ct.hu.size
    assert added > 0
    assert np.array_equal(
        np.sort(straight.hu, axis=None), np.sort(np.append(ct.hu, np.full(added, AIR_HU)))
    )


def test_an_orthogonal_image_is_itself() -> None:
    image = LabelMap(np.zeros(grid().shape, np.uint8), grid(), Subtype)
    assert straighten(image) is image


def test_a_shear_within_the_slices_is_resampled() -> None:
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    affine[0, 1] = 0.4
    geometry = Geometry((40, 40, 6), affine)
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[10:25, 10:25, 2:4] = Subtype.IPH
    labels = LabelMap(voxels, geometry, Subtype)
    straight = straighten(labels)
    assert straight.geometry.is_orthogonal
    assert straight.volume_ml(Subtype.IPH) == pytest.approx(labels.volume_ml(Subtype.IPH), rel=0.02)
