"""Figures beside those of MONAI, scikit-learn and SciPy on toy sets with empties, single cases and
ties; where definitions differ, what each says.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_surface_dice
from scipy.stats import pearsonr
from sklearn.metrics import f1_score, mean_absolute_error, median_absolute_error

from monai_ich.agreement import amounts
from monai_ich.agreement.detection import f1
from monai_ich.agreement.overlap import dice
from monai_ich.agreement.surface import normalized_surface_dice
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import Mask

GRID = Geometry((6, 5, 4), np.diag([0.7, 0.7, 5.0, 1.0]))
EMPTY, ONE = np.zeros(GRID.shape, bool), np.zeros(GRID.shape, bool)
ONE[2, 2, 1] = True
SOME = np.random.default_rng(3).random((2, *GRID.shape)) < 0.3
MASKS = [(EMPTY, EMPTY), (EMPTY, ONE), (ONE, EMPTY), (ONE, ONE), (SOME[0], SOME[1])]
# measured and true amounts: one case, ties among both, equal pairs, a spread
AMOUNTS = [
    [[3.0, 2.0]],
    [[2.0, 2.0], [2.0, 4.0], [5.0, 4.0], [5.0, 4.0]],
    [[0.0, 0.0], [1.5, 1.5], [9.0, 9.0]],
    np.random.default_rng(4).lognormal(2.0, 1.0, (30, 2)).tolist(),
]


def _tensor(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(mask[None, None].astype(np.float32))


@pytest.mark.parametrize("pair", MASKS, ids=["none", "missed", "false", "same", "some"])
def test_dice_is_that_of_monai_which_takes_two_empty_masks_for_agreement_too(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    found = dice(*(Mask(mask, GRID) for mask in pair))
    monai = compute_dice(*map(_tensor, pair), include_background=True, ignore_empty=False)
    assert found == pytest.approx(monai.item(), abs=1e-6)


def test_two_empty_masks_have_a_surface_dice_of_1_where_monai_has_none() -> None:
    assert normalized_surface_dice(Mask(EMPTY, GRID), Mask(EMPTY, GRID)) == 1.0
    found = compute_surface_dice(_tensor(EMPTY), _tensor(EMPTY), [2.0], include_background=True)
    assert torch.isnan(found).all()
    one = normalized_surface_dice(Mask(EMPTY, GRID), Mask(ONE, GRID))
    monai = compute_surface_dice(_tensor(EMPTY), _tensor(ONE), [2.0], include_background=True)
    assert one == monai.item() == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_f1_is_that_of_scikit_learn(seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 2, (12, 2)).astype(float)
    assert f1(table).item() == pytest.approx(f1_score(table[:, 1], table[:, 0]), abs=1e-12)


def test_f1_of_nothing_is_undefined_where_scikit_learn_says_0_by_default() -> None:
    assert np.isnan(f1(np.zeros((3, 2))).item())
    assert f1_score([0, 0, 0], [0, 0, 0], zero_division=0.0) == 0.0
    assert f1(np.array([[1.0, 1.0]])).item() == f1_score([1], [1]) == 1.0


@pytest.mark.parametrize("pairs", AMOUNTS, ids=["one case", "ties", "equal", "spread"])
def test_absolute_errors_are_those_of_scikit_learn(pairs: list[list[float]]) -> None:
    table = np.array(pairs)
    measured, true = table.T
    mean, median = amounts.mean_absolute_error(table), amounts.median_absolute_error(table)
    assert mean.item() == pytest.approx(mean_absolute_error(true, measured), abs=1e-9)
    assert median.item() == pytest.approx(median_absolute_error(true, measured), abs=1e-9)


@pytest.mark.parametrize("pairs", AMOUNTS[1:], ids=["ties", "equal", "spread"])
def test_concordance_is_pearsons_correlation_of_scipy_times_lins_bias_correction(
    pairs: list[list[float]],
) -> None:
    measured, true = np.array(pairs).T
    scale = measured.std() / true.std()
    location = (measured.mean() - true.mean()) / np.sqrt(measured.std() * true.std())
    correction = 2.0 / (scale + 1.0 / scale + location**2)
    expected = pearsonr(measured, true).statistic * correction
    found = amounts.concordance(np.array(pairs)).item()
    if measured.tolist() == true.tolist():
        assert expected == pytest.approx(1.0)
    assert found == pytest.approx(expected, abs=1e-9)
