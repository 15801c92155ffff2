"""Calibration recovers what made the scans, and its intervals cover new ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_ich.calibration.fit import Outcome, calibrate
from monai_ich.core.calibration import ANY, Calibration, Evidence, scale_ml
from monai_ich.core.errors import InputError
from monai_ich.core.labels import Subtype

NAMES = [*(s.name for s in Subtype), ANY]


def outcome(rng: np.random.Generator) -> Outcome:
    """An SDH in half of the scans; what is found has a skewed error in proportion to its doubt."""
    true = float(np.exp(rng.uniform(0, 4))) if rng.random() < 0.5 else 0.0
    expected = true * 0.9 + 0.02 * rng.random()
    doubt = 0.1 * expected
    found = (
        max(0.0, true - scale_ml(expected, doubt) * float(rng.normal(0.5, 1.0))) if true else 0.0
    )
    none = dict.fromkeys(NAMES, 0.0)
    log_odds = 2.0 if true else -2.0
    expected_ml, doubt_ml, surest = (
        none | {"SDH": value, ANY: value} for value in (expected, doubt, log_odds)
    )
    evidence = Evidence(expected_ml, doubt_ml, surest)
    return Outcome(none | {"SDH": true}, none | {"SDH": found}, evidence)


def made(count: int, seed: int) -> list[Outcome]:
    rng = np.random.default_rng(seed)
    errors = np.random.default_rng([seed, 1]).normal(0.5, 1.0, count)
    return [replace(outcome(rng), shift_error_mm=float(mm)) for mm in errors]


@pytest.fixture(scope="module")
def learned() -> Calibration:
    return calibrate(
        made(300, 0), weights_sha256="f00d", anatomy_sha256="cafe", data="300 made-up scans"
    )


@pytest.mark.parametrize("name", ["SDH", ANY])
def test_intervals_cover_new_scans(learned: Calibration, name: str) -> None:
    covered = []
    for o in made(2000, 1):
        if (found := o.found_ml["SDH"]) > 0:
            low, high = learned.of[name].interval_ml(
                found,
                o.evidence.expected_ml[name],
                o.evidence.doubt_ml[name],
                o.evidence.log_odds[name],
            )
            covered.append(low <= o.true_ml["SDH"] <= high)
    assert 0.90 < np.mean(covered) < 0.98


def test_the_interval_of_the_shift_covers_new_scans(learned: Calibration) -> None:
    assert learned.shift is not None and learned.shift.weights_sha256 == "cafe"
    low, high = learned.shift.interval_mm(10.0)
    assert low == pytest.approx(10.0 + 0.5 - 1.96, abs=0.3) and high == pytest.approx(
        10.0 + 0.5 + 1.96, abs=0.3
    )
    covered = [low <= 10.0 + (o.shift_error_mm or 0.0) <= high for o in made(2000, 1)]
    assert 0.92 < np.mean(covered) < 0.98


def test_too_few_known_shifts_give_no_interval_of_the_shift() -> None:
    outcomes = [replace(o, shift_error_mm=None) for o in made(20, 0)]
    assert (
        calibrate(outcomes, weights_sha256="f00d", anatomy_sha256="cafe", data="no shift").shift
        is None
    )


def test_probability_and_operating_point_tell_the_scans_apart(learned: Calibration) -> None:
    sdh = learned.of["SDH"]
    assert sdh.probability(-3.0) < 0.1 < 0.9 < sdh.probability(3.0)
    new = made(500, 2)
    said = [o.found_ml["SDH"] >= sdh.operating_point_ml for o in new]
    assert np.mean([s == (o.true_ml["SDH"] > 0) for s, o in zip(said, new, strict=True)]) > 0.95


def test_a_subtype_that_never_occurs_stays_improbable_and_has_no_interval_of_its_own(
    learned: Calibration,
) -> None:
    edh = learned.of["EDH"]
    assert edh.present == 0 and edh.probability(50.0) < 0.01
    assert edh.where_found is None and edh.where_none == (0.0, 0.0)


def test_too_few_scans_are_refused() -> None:
    with pytest.raises(InputError, match="TOO_FEW_SCANS"):
        calibrate(made(9, 0), weights_sha256="f00d", anatomy_sha256="cafe", data="nine")


def test_scans_in_which_none_was_found_are_counted_and_those_of_them_that_bled() -> None:
    outcomes = made(40, 0)
    none, sdh = dict.fromkeys(NAMES, 0.0), {"SDH": 2.0}
    outcomes += [Outcome(none | sdh, none, outcomes[0].evidence) for _ in range(3)]
    found = calibrate(outcomes, weights_sha256="f00d", anatomy_sha256="cafe", data="made up")
    silent = sum(o.found_ml["SDH"] == 0 for o in outcomes)
    bled = sum(o.found_ml["SDH"] == 0 < o.true_ml["SDH"] for o in outcomes)
    assert (found.of["SDH"].none_found, found.of["SDH"].missed) == (silent, bled) and bled >= 3
    assert (found.of["EDH"].none_found, found.of["EDH"].missed) == (43, 0)
    assert found.learned_on.with_blood == sum(o.true_ml["SDH"] > 0 for o in outcomes)
