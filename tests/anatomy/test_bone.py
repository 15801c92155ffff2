"""What is taken from the cavity, and what is not."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from monai_ich.anatomy.bone import drop_skull


def test_only_bone_that_belongs_to_the_skull_is_taken_away() -> None:
    hu = np.full((20, 20, 5), 35.0, np.float32)
    hu[:3], hu[17:], hu[8:10, 8:10, 2] = 1200, 1200, 800  # two walls, a calcification
    hu[3:5, 9] = 600  # an edge of bone that reaches inward
    hu[12:16, 4:9] = 75  # blood
    cavity = np.zeros(hu.shape, bool)
    cavity[1:17, 1:19] = True  # two voxels too far out
    expected = cavity & (np.arange(20) >= 3)[:, None, None]
    expected[3:5, 9] = False
    np.testing.assert_array_equal(drop_skull(cavity, hu), expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_bone_that_meets_the_skull_at_a_corner_belongs_to_it(order: Literal["C", "F"]) -> None:
    hu = np.full((9, 9, 9), 35.0, np.float32, order=order)
    hu[1, 1, 1], hu[2, 2, 2], hu[6, 6, 6] = 900, 900, 900
    cavity = np.zeros(hu.shape, bool, order=order)
    cavity[2:8, 2:8, 2:8] = True
    assert np.argwhere(cavity & ~drop_skull(cavity, hu)).tolist() == [[2, 2, 2]]


def test_nothing_is_taken_from_an_empty_or_a_boneless_cavity() -> None:
    hu = np.full((4, 4, 4), 35.0, np.float32)
    assert not drop_skull(np.zeros(hu.shape, bool), hu).any()
    assert drop_skull(np.ones(hu.shape, bool), hu).all()
