from __future__ import annotations

import numpy as np
import pytest

from monai_ich.core.calibration import ANY, Evidence
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.measure.key_slices import find_key_slices
from monai_ich.measure.summary import measure_exam

GRID = Geometry((20, 20, 4), np.diag([1.0, 1.0, 5.0, 1.0]))
NONE = dict.fromkeys([*Subtype.__members__, ANY], 0.0)


def labels(**squares: list[int]) -> LabelMap:
    """On each slice a square of so many pixels a side; subtypes beside each other."""
    voxels = np.zeros(GRID.shape, np.uint8)
    for n, (name, sides) in enumerate(squares.items()):
        for k, side in enumerate(sides):
            voxels[10 * n : 10 * n + side, :side, k] = Subtype[name]
    return LabelMap(voxels, GRID, Subtype)


def evidence(**slices_ml: tuple[float, ...]) -> Evidence:
    return Evidence(NONE, NONE, NONE, {name: slices_ml.get(name, (0.0,) * 4) for name in NONE})


def test_the_slice_of_largest_area_comes_first() -> None:
    keys = {key.of: key for key in find_key_slices(labels(IPH=[0, 5, 10, 4], SDH=[9, 2, 0, 0]))}
    assert (keys["IPH"].index, keys["IPH"].because) == (2, "largest area of IPH, 1.0 cm²")
    assert keys["IPH"].at_ras_mm == (4.5, 4.5, 10.0)
    assert (keys["SDH"].index, keys[ANY].index) == (0, 2)
    assert set(keys) == {"IPH", "SDH", ANY}


@pytest.mark.parametrize(
    ("expected_ml", "index"), [((0.0, 0.2, 0.0, 0.4), 3), ((0.0, 0.3, 0.9, 0.3), 1)]
)
def test_of_equal_areas_the_more_probable_counts_then_the_lowest(
    expected_ml: tuple[float, ...], index: int
) -> None:
    keys = find_key_slices(labels(EDH=[0, 6, 2, 6]), evidence(EDH=expected_ml))
    assert {key.of: key.index for key in keys}["EDH"] == index


def test_where_nothing_is_labeled_it_is_what_the_network_came_nearest_to() -> None:
    keys = find_key_slices(
        labels(), evidence(SAH=(0.0, 0.05, 0.31, 0.0), IVH=(0.009, 0.0, 0.0, 0.0))
    )
    (key,) = keys
    assert (key.of, key.index) == ("SAH", 2)
    assert key.because == "none labeled; probabilities of SAH add up to the most, 0.31 mL"
    assert find_key_slices(labels()) == ()


def test_slices_are_counted_along_the_axis_of_slices_wherever_it_is_stored() -> None:
    upright = labels(IPH=[0, 5, 10, 4])
    turned = LabelMap(
        np.moveaxis(upright.voxels, 2, 0),
        Geometry((4, 20, 20), GRID.affine[:, [2, 0, 1, 3]].copy()),
        Subtype,
    )
    for key, other in zip(
        measure_exam(upright).key_slices, measure_exam(turned).key_slices, strict=True
    ):
        assert (key.index, key.at_ras_mm) == (other.index, other.at_ras_mm) and key.index == 2
