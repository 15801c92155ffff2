"""Slices may lie along any axis of a file; what is counted by slice follows them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap, slices_last
from monai_ich.measure.summary import measure_exam
from tests.phantom import grid
from tests.strategies import reoriented


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [
        ((0.5, 0.5, 5.0), 2),
        ((5.0, 0.5, 0.5), 0),
        ((0.5, 5.0, 0.5), 1),
        ((0.5, 0.5, 0.3), 2),  # slices thinner than pixels
        ((1.0, 1.0, 1.0), 2),  # cubes: toward the head
        ((0.5, 0.6, 0.7), 2),
    ],
)
def test_the_slice_axis_is_the_one_of_another_spacing(
    spacing: tuple[float, float, float], axis: int
) -> None:
    assert Geometry((4, 4, 4), np.diag([*spacing, 1.0])).slice_axis == axis


def test_cubes_are_sliced_toward_the_head_whatever_their_order() -> None:
    assert (
        Geometry(
            (4, 4, 4), np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
        ).slice_axis
        == 0
    )
    assert grid(tilt_deg=25).slice_axis == 2


@pytest.mark.slow
@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
def test_abc2_slices_and_volume_do_not_depend_on_the_order_of_axes(
    order: list[int], flips: tuple[bool, ...]
) -> None:
    voxels = np.zeros((30, 40, 9), np.uint8)
    voxels[5:15, 8:28, 2:7] = Subtype.IPH  # 10 x 20 pixels of 0.5 mm on 5 slices of 5 mm
    labels = LabelMap(voxels, Geometry(voxels.shape, np.diag([0.5, 0.5, 5.0, 1.0])), Subtype)
    turned = reoriented(labels, order, flips)
    assert slices_last(turned).geometry.spacing_mm == (0.5, 0.5, 5.0)
    exam = measure_exam(turned)
    lesion = exam.lesions[0]
    assert len(exam.slices) == 9 and lesion.slices == (2, 6)
    assert lesion.volume_ml == pytest.approx(10 * 20 * 5 * 1.25 / 1000)
    assert lesion.abc2.ml == pytest.approx(measure_exam(labels).lesions[0].abc2.ml)
    # A: diagonal of 9.5 x 4.5 mm and a pixel; B: twice the height over it and a pixel; C: 25 mm
    a = np.hypot(9.5, 4.5)
    assert lesion.abc2.ml == pytest.approx((a + 0.5) * (2 * 9.5 * 4.5 / a + 0.5) * 25 / 2 / 1000)
