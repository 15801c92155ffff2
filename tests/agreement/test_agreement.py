import numpy as np
import pytest

from monai_ich.agreement.bootstrap import (
    bootstrap_interval,
    mean,
    median,
    percentile_95,
    ratio,
    share_within,
)
from monai_ich.agreement.overlap import count_lesions_found, dice, shared_ml, shift_error_mm
from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import Mask

CENTIMETER = Geometry((5, 5, 5), np.diag([10.0, 10.0, 10.0, 1.0]))  # a voxel is 1 mL


def _mask(*boxes: tuple[slice | int, ...], grid: Geometry = CENTIMETER) -> Mask:
    voxels = np.zeros(grid.shape, bool)
    for box in boxes:
        voxels[box] = True
    return Mask(voxels, grid)


def test_dice_is_twice_the_shared_over_the_sum() -> None:
    three, two = _mask((slice(0, 3), 0, 0)), _mask((slice(1, 3), 0, 0))
    assert dice(three, two) == dice(two, three) == pytest.approx(4 / 5)
    assert shared_ml(three, two) == pytest.approx(2.0)
    assert dice(three, _mask((4, 4, 4))) == 0.0


def test_two_empty_masks_agree_and_an_empty_one_finds_nothing() -> None:
    assert dice(_mask(), _mask()) == 1.0
    assert dice(_mask(), _mask((0, 0, 0))) == 0.0


def test_masks_on_other_grids_are_refused() -> None:
    other = Geometry((5, 5, 5), np.diag([-10.0, 10.0, 10.0, 1.0]))  # mirrored
    for compare in (dice, shared_ml, count_lesions_found):
        with pytest.raises(GeometryError, match="GRID_MISMATCH"):
            compare(_mask(), _mask(grid=other))


def test_a_lesion_is_found_by_one_voxel_and_counts_only_above_the_limit() -> None:
    two_ml, one_ml, corner = (0, 0, slice(0, 2)), (2, 2, 0), (slice(3, 5), 4, 4)
    reference = _mask(two_ml, one_ml, corner)
    assert count_lesions_found(_mask((0, 0, 1)), reference, over_ml=1.5) == (1, 2)
    assert count_lesions_found(_mask((2, 2, 0)), reference, over_ml=1.5) == (0, 2)
    assert count_lesions_found(_mask((2, 2, 0)), reference) == (1, 3)
    assert count_lesions_found(_mask((0, 0, 2)), reference) == (0, 3), "beside it is not in it"
    assert count_lesions_found(_mask(two_ml), _mask()) == (0, 0)


def test_voxels_that_meet_at_a_corner_are_one_lesion() -> None:
    reference = _mask((0, 0, 0), (1, 1, 1))
    assert count_lesions_found(_mask((0, 0, 0)), reference, over_ml=1.5) == (1, 1)


def test_exchanged_masks_give_the_false_pieces() -> None:
    reference, prediction = _mask((0, 0, 0)), _mask((0, 0, slice(0, 2)), (3, 3, 3), (0, 4, 4))
    touching, pieces = count_lesions_found(reference, prediction)
    assert pieces - touching == 2


@pytest.mark.parametrize(
    ("measured", "toward", "true", "error"),
    [
        (4.0, "right", 5.0, 1.0),
        (4.0, "left", -5.0, 1.0),
        (4.0, "left", 5.0, 9.0),
        (0.4, None, -0.3, 0.1),
    ],
)
def test_a_shift_to_the_wrong_side_is_wrong_twice(
    measured: float, toward: str, true: float, error: float
) -> None:
    assert shift_error_mm(measured, toward, true) == pytest.approx(error)


def test_statistics_of_a_small_table() -> None:
    column = np.array([[0.0], [1.0], [2.0], [9.0]])
    assert (mean(column), median(column), share_within(2.0)(column)) == (3.0, 1.5, 0.75)
    assert percentile_95(np.arange(101.0)[:, None]) == 95.0
    pairs = np.array([[1.0, 2.0], [0.0, 0.0], [8.0, 10.0]])
    assert ratio(pairs) == 0.75, "of all mL together, not the mean of 0.5 and 0.8"
    assert np.isnan(ratio(np.zeros((2, 2))))
    assert mean(np.stack([column, column + 1.0])).tolist() == [3.0, 4.0], (
        "one figure for each resample"
    )


def test_the_bootstrap_is_seeded_and_narrows_with_more_cases() -> None:
    few, many = (np.random.default_rng(1).normal(5.0, 1.0, (n, 1)) for n in (10, 1000))
    assert bootstrap_interval(few, mean) == bootstrap_interval(few, mean)
    low, high = bootstrap_interval(many, mean) or (0.0, 0.0)
    assert 4.85 < low < float(mean(many)) < high < 5.15
    wide = bootstrap_interval(few, mean) or (0.0, 0.0)
    assert wide[1] - wide[0] > 5 * (high - low)
    assert bootstrap_interval(np.full((4, 1), 7.0), median) == (7.0, 7.0)


def test_one_case_has_no_interval_and_neither_has_nothing_over_nothing() -> None:
    assert bootstrap_interval(np.ones((1, 1)), mean) is None
    assert bootstrap_interval(np.zeros((3, 2)), ratio) is None
