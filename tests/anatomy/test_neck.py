"""Where the cavity ends below."""

from __future__ import annotations

import numpy as np
import pytest

from monai_ich.anatomy.neck import TALLEST_MM, drop_canal, drop_neck
from monai_ich.core.geometry import Geometry

AFFINE = np.diag([2.5, 2.5, 5.0, 1.0])


def _column(slices: int, enclosed: range) -> tuple[np.ndarray, np.ndarray]:
    """A cavity of one disk a slice, from feet to head, with a ring of bone on some."""
    x, y = np.indices((80, 80)) - 40
    disk, ring = np.hypot(x, y) < 24, (np.hypot(x, y) >= 24) & (np.hypot(x, y) < 28)
    cavity = np.repeat(disk[:, :, None], slices, 2)
    hu = np.full(cavity.shape, 40.0, np.float32)
    for k in enclosed:
        hu[:, :, k][ring] = 900
    return cavity, hu


def test_a_cavity_ends_where_bone_no_longer_encloses_it() -> None:
    cavity, hu = _column(60, range(32, 60))  # 300 mm, of which 140 mm have a skull
    kept = drop_neck(cavity, hu, Geometry(cavity.shape, AFFINE))
    assert kept.any((0, 1)).tolist() == [k >= 32 for k in range(60)]


def test_a_gap_in_the_skull_is_no_end_of_it() -> None:
    cavity, hu = _column(60, range(32, 60))
    hu[:, :, 40:43] = 40.0  # 15 mm
    kept = drop_neck(cavity, hu, Geometry(cavity.shape, AFFINE))
    assert kept.any((0, 1)).argmax() == 32


@pytest.mark.parametrize("axis", [0, 1])
def test_head_and_feet_are_told_by_the_world(axis: int) -> None:
    cavity, hu = _column(60, range(28))  # stored from head to feet, slices along another axis
    affine = AFFINE.copy()
    affine[2, 2] = -5.0
    order = [(2, 0, 1), (0, 2, 1)][axis]
    turned = affine.copy()
    turned[:, :3] = affine[:, list(order)]
    kept = drop_neck(
        cavity.transpose(order),
        hu.transpose(order),
        Geometry(tuple(cavity.shape[n] for n in order), turned),
    )
    assert kept.transpose(np.argsort(order)).any((0, 1)).tolist() == [k < 28 for k in range(60)]


def test_no_cavity_is_taller_than_any_head() -> None:
    cavity, hu = _column(60, range(60))
    kept = drop_neck(cavity, hu, Geometry(cavity.shape, AFFINE))
    assert (
        kept.any((0, 1)).sum() * 5.0 == pytest.approx(TALLEST_MM, abs=5.0) and kept[:, :, -1].any()
    )


def test_heads_as_tall_as_heads_are_and_stripped_ones_are_left() -> None:
    cavity, hu = _column(36, range(10, 36))
    assert drop_neck(cavity, hu, Geometry(cavity.shape, AFFINE)) is cavity
    cavity, hu = _column(60, range(0))
    assert (
        drop_neck(cavity, hu, Geometry(cavity.shape, AFFINE)).all((0, 1)).tolist()
        == cavity.all((0, 1)).tolist()
    )
    nothing = np.zeros((4, 4, 90), bool)
    assert (
        drop_neck(nothing, np.zeros(nothing.shape, np.float32), Geometry(nothing.shape, AFFINE))
        is nothing
    )


@pytest.mark.parametrize(("tail", "goes"), [(2, False), (3, False), (4, True), (12, True)])
def test_a_canal_below_the_skull_is_no_cavity(tail: int, goes: bool) -> None:
    cavity, _ = _column(40, range(0))
    x, y = np.indices((80, 80)) - 40
    canal = np.hypot(x, y) < 4  # 3 cm2
    low = 40 - 20 - tail  # 100 mm of head above it
    cavity[:, :, : low + tail] = False
    cavity[:, :, low : low + tail] = canal[:, :, None]
    kept = drop_canal(cavity, Geometry(cavity.shape, AFFINE))
    assert kept.any((0, 1)).argmax() == (low + tail if goes else low)
    assert np.array_equal(kept[:, :, low + tail :], cavity[:, :, low + tail :])
