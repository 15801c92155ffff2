"""What the cavity encloses is filled, on its slices, unless it is dense as bone."""

from __future__ import annotations

import numpy as np
import pytest

from monai_ich.anatomy.holes import fill_holes


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_a_dense_clot_is_filled_with_its_neighbors_label_and_bone_is_not(slice_axis: int) -> None:
    anatomy = np.zeros((6, 24, 20), np.uint8)
    anatomy[1:5, 2:12, 2:18], anatomy[1:5, 12:22, 2:18] = 1, 2
    hu = np.full(anatomy.shape, 35.0, np.float32)
    anatomy[1:5, 15:18, 6:9], hu[1:5, 15:18, 6:9] = (
        0,
        90.0,
    )  # through all slices: no hole in three dimensions
    anatomy[2, 5, 5], hu[2, 5, 5] = 0, 400.0  # a calcification
    anatomy[3, 14:19, 10:15], hu[3, 14:19, 10:15] = 0, 700.0  # a bone with marrow
    hu[3, 16, 12] = 40.0
    anatomy[2:4, 2:5, 12], hu[2:4, 2:5, 12] = 0, 60.0  # a notch that is open to the side
    clot = hu == 90.0
    anatomy, hu, clot = (np.moveaxis(a, 0, slice_axis) for a in (anatomy, hu, clot))
    filled = fill_holes(anatomy, hu, slice_axis)
    assert (filled[clot] == 2).all() and (filled != anatomy).sum() == clot.sum()
    assert not anatomy[clot].any()  # the input is left alone


def test_what_lies_inside_of_a_shell_of_bone_stays_outside() -> None:
    anatomy, hu = np.ones((12, 12, 3), np.uint8), np.full((12, 12, 3), 35.0, np.float32)
    anatomy[2:10, 2:10, 1], hu[4:7, 4:7, 1], hu[5, 5, 1] = (
        0,
        700.0,
        40.0,
    )  # most of the hole is soft
    shell = np.zeros(anatomy.shape, bool)
    shell[4:7, 4:7, 1] = True
    hu[5, 5, [0, 2]], anatomy[5, 5, [0, 2]] = 700.0, 0
    shell[5, 5] = True
    assert np.array_equal(fill_holes(anatomy, hu, 2) == 0, shell)


def test_an_empty_cavity_stays_empty() -> None:
    nothing = np.zeros((4, 5, 6), np.uint8)
    assert not fill_holes(nothing, np.zeros(nothing.shape, np.float32), 2).any()
