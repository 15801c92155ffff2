"""Figures as reported: a value with its interval and number, or the reason why not."""

from __future__ import annotations

import numpy as np
import pytest

from monai_ich.agreement.amounts import bias, concordance
from monai_ich.agreement.bootstrap import bootstrap_interval, mean, ratio
from monai_ich.agreement.estimate import Estimate, estimate, estimate_share


def test_a_figure_of_no_case_or_one_says_so() -> None:
    assert estimate(np.empty((0, 1)), mean) == Estimate(None, None, 0, "no case counts")
    assert estimate(np.array([[7.0]]), mean) == Estimate(7.0, None, 1, None, "one case")
    one = estimate(np.array([[3.0, 4.0]]), concordance)
    assert one == Estimate(None, None, 1, "one case is too few")


def test_an_interval_from_one_value_says_so() -> None:
    two_scans = estimate(np.array([[1.0], [3.0]]), mean, ["a", "a"])
    assert two_scans == Estimate(2.0, None, 2, None, "one patient")
    assert estimate(np.full((5, 1), 1.0), mean) == Estimate(1.0, None, 5, None, "no spread")
    equal = estimate(np.full((5, 2), 1.0), concordance)
    assert equal.reason == "all cases are of one kind or equal"


def test_nothing_of_nothing_is_no_share() -> None:
    table = np.array([[1.0, 2.0], [0.0, 0.0], [8.0, 10.0]])
    assert (estimate(table, ratio).value, estimate(table, ratio).n) == (0.75, 2)
    assert estimate(np.zeros((2, 2)), ratio).reason == "no case counts"


def test_scans_of_one_patient_are_drawn_together() -> None:
    values = np.array([[0.0], [1.0], [0.0], [1.0]])
    pairs = bootstrap_interval(values, mean, patients=["a", "b", "a", "b"])
    assert pairs == (0.0, 1.0), "of two patients, half of the draws hold one of them only"
    assert bootstrap_interval(values, mean, patients=["a", "b", "b", "a"]) == (0.5, 0.5)
    assert bootstrap_interval(values, mean, patients=["a"] * 4) is None


def test_patients_with_unequal_numbers_of_scans_weigh_by_their_scans() -> None:
    values = np.array([[3.0], [0.0], [0.0]])
    drawn: list[tuple[int, ...]] = []

    def watch(table: np.ndarray) -> np.ndarray:
        drawn.extend({tuple(sorted(row)) for row in table[..., 0].astype(int).tolist()})
        return mean(table)

    assert bootstrap_interval(values, watch, patients=["a", "b", "b"]) == (0.0, 3.0)
    assert sorted(drawn) == [(0, 0, 0, 0), (0, 0, 3), (3, 3)], "each way to draw a and b"


def test_each_patient_once_gives_what_cases_alone_give() -> None:
    table = np.random.default_rng(0).normal(size=(20, 2))
    alone = bootstrap_interval(table, bias)
    assert bootstrap_interval(table, bias, patients=[f"p{n}" for n in range(20)]) == alone


def test_twins_of_each_case_leave_the_interval_as_it_was() -> None:
    table = np.random.default_rng(0).normal(size=(20, 2))
    twins = bootstrap_interval(
        np.repeat(table, 2, axis=0),
        bias,
        patients=[*"aabbccddeeffgghhii", *"jjkkllmmnnooppqqrrsstt"],
    )
    assert twins == pytest.approx(bootstrap_interval(table, bias))


def test_a_share_counts_patients() -> None:
    found = estimate_share([True, True, False, False], ["a", "a", "b", "b"])
    assert found.value == 0.5 and found.n == 4
    assert found.interval == estimate_share([True, False], ["a", "b"]).interval
    assert estimate_share([], []).reason == "no case counts"
