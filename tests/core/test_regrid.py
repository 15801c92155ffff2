import numpy as np
import pytest
from hypothesis import given

from monai_ich.core.regrid import even_positions, is_even, regrid, slab_widths_mm
from tests.strategies import slice_positions


def test_slab_widths_add_up_to_what_the_slices_cover() -> None:
    positions = np.array([0, 4, 8, 9.08, 16.08, 23.08])
    widths = slab_widths_mm(positions)
    assert widths.tolist() == pytest.approx([4, 4, 2.54, 4.04, 7, 7])


def test_every_slice_lies_on_the_even_grid() -> None:
    positions = np.concatenate([np.arange(14) * 4.0, 53.08 + np.arange(14) * 7.0])
    wanted = even_positions(positions)
    assert np.abs(positions[:, None] - wanted[None]).min(axis=1).max() <= 0.12
    assert wanted[0] == positions[0] and wanted[-1] == pytest.approx(positions[-1])
    assert 0.9 < wanted[1] - wanted[0] < 1.1


def test_even_means_within_one_percent() -> None:
    assert is_even(np.arange(10) * 5.0 + np.linspace(0, 0.04, 10))
    assert not is_even(np.array([0, 5, 10, 15.2, 20]))


def test_linear_between_true_positions() -> None:
    slices = np.array([0.0, 10.0, 40.0], np.float32).reshape(1, 1, 3)
    found = regrid(slices, np.array([0.0, 1.0, 4.0]), np.array([0.0, 0.5, 1.0, 2.5, 4.0]))
    assert found.ravel().tolist() == [0, 5, 10, 25, 40]


@given(slice_positions())
def test_every_planned_slice_lies_on_a_plane_of_the_even_grid_and_none_is_coarser(
    positions: np.ndarray,
) -> None:
    wanted = even_positions(positions)
    assert is_even(wanted)
    assert wanted[0] == positions[0] and wanted[-1] == pytest.approx(positions[-1])
    assert np.diff(wanted).max() <= np.diff(positions).min() + 0.12
    assert np.abs(positions[:, None] - wanted[None]).min(axis=1).max() <= 0.12 + 1e-9


@given(slice_positions())
def test_a_linear_ramp_stays_a_linear_ramp(positions: np.ndarray) -> None:
    slices = (3 * positions).astype(np.float32).reshape(1, 1, -1)
    wanted = even_positions(positions)
    assert np.allclose(regrid(slices, positions, wanted).ravel(), 3 * wanted, atol=1e-2)


@given(slice_positions())
def test_slab_widths_sum_to_the_covered_length_and_both_end_halves(positions: np.ndarray) -> None:
    ends = (positions[1] - positions[0] + positions[-1] - positions[-2]) / 2
    assert slab_widths_mm(positions).sum() == pytest.approx(positions[-1] - positions[0] + ends)
