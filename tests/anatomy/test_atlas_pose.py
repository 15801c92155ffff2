"""The average head, turned, scaled and moved by a known map, is brought back to the atlas."""

import numpy as np
import pytest

from monai_ich.anatomy.atlas_pose import _load_atlas, find_atlas_pose
from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.atlas import AtlasPose
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.volume import LabelMap
from tests.heads import rotation

PLACES_MM = np.array(
    [[27, 0, 2], [-27, 0, 2], [13, -19, 8], [3, -27, -32], [20, -60, -36], [-35, 40, 10]], float
)


def _head(world_to_mni: np.ndarray, geometry: Geometry) -> LabelMap:
    """The average head's labels on a grid."""
    atlas, shape = _load_atlas(), geometry.shape
    mni = AtlasPose(world_to_mni).to_mni(
        geometry.to_world(np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3))
    )
    inside, below, wet = (atlas.distance_mm(n, mni).reshape(shape) < 0 for n in range(3))
    right = mni[:, 0].reshape(shape) > 0
    voxels = np.where(right, Anatomy.RIGHT_HEMISPHERE, Anatomy.LEFT_HEMISPHERE)
    voxels = np.where(wet, voxels + 2, voxels)  # ventricles follow the hemispheres
    voxels = np.where(below, Anatomy.POSTERIOR_FOSSA, voxels)
    return LabelMap(np.where(inside, voxels, 0).astype(np.uint8), geometry, Anatomy)


def _grid(spacing_mm: tuple[float, float, float], shear: float = 0.0) -> Geometry:
    affine = np.diag([*spacing_mm, 1.0])
    affine[1, 2] = shear * spacing_mm[2]
    shape = tuple(int(240 / mm) for mm in spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape, affine)


@pytest.mark.parametrize(
    ("turned", "grid"),
    [
        ((0, 0, 0), _grid((2.0, 2.0, 2.0))),
        ((18, 6, -10), _grid((2.0, 2.0, 2.0))),
        ((-18, 0, 8), _grid((1.5, 1.5, 5.0), shear=0.36)),
    ],
    ids=["straight", "turned", "tilted and thick"],
)
def test_places_are_found_within_2_mm(turned: tuple[float, float, float], grid: Geometry) -> None:
    truth = np.eye(4)
    truth[:3, :3] = np.diag([1.12, 1.05, 1.10]) @ rotation(*turned)
    truth[:3, 3] = [4.0, -15.0, 9.0]
    labels = _head(truth, grid)
    pose = find_atlas_pose(labels, fit_midline(labels))
    assert isinstance(pose, AtlasPose)
    world = (PLACES_MM - truth[:3, 3]) @ np.linalg.inv(truth[:3, :3]).T
    assert np.linalg.norm(pose.to_mni(world) - PLACES_MM, axis=1).max() < 2.0


def test_without_midline_or_posterior_fossa_there_is_no_pose_but_a_reason() -> None:
    labels = _head(np.eye(4), _grid((3.0, 3.0, 3.0)))
    midline = fit_midline(labels)
    assert find_atlas_pose(labels, NotMeasurable("no plane")) == NotMeasurable("no plane")
    whole = labels.voxels.copy()
    whole[whole == Anatomy.POSTERIOR_FOSSA] = 0
    found = find_atlas_pose(LabelMap(whole, labels.geometry, Anatomy), midline)
    assert isinstance(found, NotMeasurable) and "posterior fossa" in found.reason


@pytest.mark.slow
def test_the_file_is_what_its_maker_makes() -> None:
    from lab.surface_atlas import average_surfaces

    made, held = average_surfaces() / 2.0, _load_atlas().maps_mm
    assert np.abs(made - held).max() <= 0.5
