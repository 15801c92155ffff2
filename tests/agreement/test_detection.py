"""Exams with and without a finding, amounts measured and true: by hand and against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
    median_absolute_error,
    roc_auc_score,
)

from monai_ich.agreement import amounts
from monai_ich.agreement.amounts import bias, concordance, lower_limit, upper_limit
from monai_ich.agreement.bootstrap import bootstrap_interval
from monai_ich.agreement.detection import (
    Confusion,
    auc,
    count_confusion,
    f1,
    kappa,
    wilson_interval,
)
from monai_ich.agreement.overlap import match_lesions, relative_volume_difference
from tests.agreement.test_agreement import _mask


def test_wilson_for_8_of_10() -> None:
    z, p, n = 1.959964, 0.8, 10
    middle, half = (
        (p + z * z / 20) / (1 + z * z / 10),
        z * np.sqrt(p * 0.2 / n + z * z / 400) / (1 + z * z / 10),
    )
    assert wilson_interval(8, 10) == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson_interval(10, 10) or (0, 0)
    assert (low, high) == (pytest.approx(0.7225, abs=1e-4), 1.0), "never from 1 to 1"
    assert wilson_interval(0, 0) is None


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (3, 7), (41, 41), (0, 30)])
def test_wilson_is_that_of_scipy(successes: int, trials: int) -> None:
    theirs = binomtest(successes, trials).proportion_ci(method="wilson")
    ours = wilson_interval(successes, trials)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_counts_patients_where_these_are_fewer_than_scans() -> None:
    assert wilson_interval(4, 8, 2) == wilson_interval(1, 2)
    assert wilson_interval(4, 8, 8) == wilson_interval(4, 8)


def test_a_confusion_matrix_by_hand_and_by_scikit_learn() -> None:
    said = np.array([1, 1, 1, 0, 0, 1, 0], bool)
    true = np.array([1, 1, 0, 0, 0, 1, 1], bool)
    found = count_confusion(said, true)
    assert found == Confusion(3, 1, 1, 2)
    (tn, fp), (fn, tp) = confusion_matrix(true, said)
    assert found == Confusion(tp, fp, fn, tn)
    table = np.stack([said, true], axis=-1).astype(float)
    assert f1(table) == 6 / 8 == f1_score(true, said)
    assert np.isnan(f1(np.zeros((3, 2)))), "nothing there and nothing said"


@pytest.mark.parametrize("seed", range(3))
def test_auc_is_that_of_scikit_learn_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.random(50) < 0.4
    scores = np.round(true * 0.5 + rng.normal(0, 1, 50), 1)
    table = np.stack([scores, true], axis=-1)
    assert auc(table) == pytest.approx(roc_auc_score(true, scores))
    assert auc(np.stack([table, -table])).shape == (2,), "one figure for each resample"


def test_auc_by_hand_and_without_a_second_kind() -> None:
    assert auc(np.array([[3.0, 1], [2, 0], [1, 1], [0, 0]])) == 3 / 4
    assert np.isnan(auc(np.array([[3.0, 1], [2, 1]])))
    assert bootstrap_interval(np.array([[3.0, 1], [2, 0]] * 8), auc) == (1.0, 1.0)


def test_limits_of_agreement_and_concordance_by_hand() -> None:
    table = np.array(
        [[12.0, 10.0], [20.0, 20.0], [31.0, 30.0]]
    )  # differences 2, 0, 1: mean 1, deviation 1
    assert bias(table) == 1.0
    assert (lower_limit(table), upper_limit(table)) == (
        pytest.approx(1 - 1.96),
        pytest.approx(1 + 1.96),
    )
    shared = (-9 * -10 + -1 * 0 + 10 * 10) / 3  # about means 21 and 20
    assert concordance(table) == pytest.approx(2 * shared / (182 / 3 + 200 / 3 + 1))
    assert concordance(table[:, [0, 0]]) == 1.0
    assert np.isnan(lower_limit(table[:1]))
    assert amounts.mean_absolute_error(table) == mean_absolute_error(*table.T) == 1.0
    assert amounts.median_absolute_error(table) == median_absolute_error(*table.T) == 1.0


@pytest.mark.parametrize("statistic", [concordance, amounts.intraclass_correlation])
def test_a_correlation_of_one_case_or_of_equal_ones_is_undefined(
    statistic: Callable[[np.ndarray], np.ndarray],
) -> None:
    assert np.isnan(statistic(np.array([[12.0, 10.0]])))
    assert np.isnan(statistic(np.full((3, 2), 0.1)))
    assert np.isnan(statistic(np.array([[29.9, 30.0], [30.1, 30.0]]))), "truth does not vary"
    assert statistic(np.array([[1.0, 1.0], [2.0, 2.0]])) == 1.0
    stack = np.array([[[1.0, 1.0], [2.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert np.isnan(statistic(stack)).tolist() == [False, True]


def test_icc_of_the_table_of_shrout_and_fleiss() -> None:
    judges = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
    )
    assert amounts.intraclass_correlation(judges).round(2) == 0.29
    by_case, by_rater, rest = 281 / 60, 80 + 1 / 12, 41 / 60  # mean squares of the first two
    two = (by_case - rest) / (by_case + rest + 2 * (by_rater - rest) / 6)
    assert amounts.intraclass_correlation(judges[:, :2]) == pytest.approx(two)


@pytest.mark.parametrize("seed", range(3))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    said, true = np.random.default_rng(seed).random((2, 20)) < 0.4
    table = np.stack([said, true], axis=-1).astype(float)
    assert kappa(table) == pytest.approx(cohen_kappa_score(said, true), abs=1e-9)
    assert kappa(np.stack([table, table[:, [0, 0]]]))[1] == 1.0
    assert np.isnan(kappa(np.ones((3, 2)))), "all of one kind"
    assert kappa(np.array([[1.0, 0.0], [1.0, 0.0]])) == 0.0, "all said, none true"


def test_relative_volume_difference_and_its_reasons() -> None:
    assert relative_volume_difference(12.0, 10.0).value == pytest.approx(0.2)
    assert relative_volume_difference(0.0, 10.0).value == -1.0
    assert relative_volume_difference(0.0, 0.0).value == 0.0
    assert relative_volume_difference(1.0, 0.0).reason == "the reference is empty"


def test_lesions_are_matched_one_by_one() -> None:
    reference = _mask((0, 0, slice(0, 2)), (2, 2, 0), (slice(3, 5), 4, 4))
    found = match_lesions(reference, _mask((0, 0, 1), (4, 4, 4)))
    assert found.volume_ml.round(9).tolist() == [2.0, 1.0, 2.0] and found.touched.tolist() == [
        True,
        False,
        True,
    ]
    assert len(match_lesions(_mask(), reference).volume_ml) == 0
