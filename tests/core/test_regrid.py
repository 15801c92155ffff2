import numpy as np
import pytest

from monai_ich.core.regrid import even_positions, is_even, regrid, slab_widths_mm


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
