"""Boxes around masks and labels."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import find_objects

from monai_ich.core.errors import LabelError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap, box_around, box_inside


@given(st.integers(0, 2**32 - 1), st.sampled_from(["C", "F"]))
def test_boxes_are_those_of_scipy_in_any_order_of_memory(
    seed: int, order: Literal["C", "F"]
) -> None:
    rng = np.random.default_rng(seed)
    voxels = np.zeros((7, 6, 5), np.uint8, order=order)
    for _ in range(rng.integers(0, 6)):
        voxels[tuple(rng.integers(0, voxels.shape))] = rng.integers(1, len(Subtype) + 1)
    found = {
        value: box for value, box in enumerate(find_objects(voxels), start=1) if box is not None
    }
    assert LabelMap(voxels, Geometry((7, 6, 5), np.eye(4)), Subtype).boxes() == found
    whole = find_objects((voxels > 0).astype(np.uint8))
    assert box_around(voxels > 0) == (whole[0] if whole else None)


def test_a_box_grows_by_millimeters_and_ends_at_the_edge() -> None:
    geometry = Geometry((20, 20, 4), np.diag([0.5, 1.0, 5.0, 1.0]))
    outer = geometry.grow((slice(2, 4), slice(8, 9), slice(1, 2)), 2.4)
    assert outer == (slice(0, 9), slice(5, 12), slice(0, 3))
    assert box_inside(outer, (slice(2, 4), slice(3, 4), slice(1, 2))) == (
        slice(2, 4),
        slice(8, 9),
        slice(1, 2),
    )


@pytest.mark.parametrize(
    "wrong", [np.full((2, 2, 2), 6, np.uint8), np.full((2, 2, 2), -1), np.full((2, 2, 2), 1.5)]
)
def test_values_without_a_meaning_are_refused_whatever_their_type(wrong: np.ndarray) -> None:
    with pytest.raises(LabelError, match="UNKNOWN_LABEL"):
        LabelMap(wrong, Geometry((2, 2, 2), np.eye(4)), Subtype)
