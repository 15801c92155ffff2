"""Each criterion at, below and above its limit, and what leaves it open."""

from __future__ import annotations

import pytest

from monai_ich.core.labels import Subtype
from monai_ich.measure.blood import Blood
from monai_ich.measure.criteria import CRITERION_COLUMNS, check_criteria
from monai_ich.measure.verdict import beside, compare
from tests.measure.findings import blood_of, lesion

EDH, IPH, IVH, SAH, SDH = Subtype


def _met(name: str, blood: Blood) -> bool | None:
    return {c.id: c.met for c in check_criteria(blood)}[name]


def _because(name: str, blood: Blood) -> str:
    return {c.id: c.because for c in check_criteria(blood)}[name]


@pytest.mark.parametrize(
    ("name", "subtype", "values_ml", "expected"),
    [
        ("BTF-2006-EDH-VOLUME", EDH, (29.999, 30.0, 30.001), (False, False, True)),
        ("BTF-2006-IPH-VOLUME", IPH, (49.999, 50.0, 50.001), (False, False, True)),
        ("ICH-SCORE-VOLUME", IPH, (29.999, 30.0, 30.001), (False, True, True)),
        ("ICH-SCORE-IVH", IVH, (0.0, 0.099, 0.1), (False, None, True)),
        ("BTF-2006-IPH-MASS-EFFECT", IPH, (19.999, 20.0, 20.001), (False, False, None)),
    ],
)
def test_volume_limits(
    name: str, subtype: Subtype, values_ml: tuple[float, ...], expected: tuple[bool | None, ...]
) -> None:
    found = tuple(_met(name, blood_of(lesion(subtype, ml))) for ml in values_ml)
    assert found == expected


@pytest.mark.parametrize(("subtype", "limit_mm"), [(EDH, 15), (SDH, 10)])
def test_thickness_limits(subtype: Subtype, limit_mm: float) -> None:
    name = f"BTF-2006-{subtype.name}-THICKNESS"
    found = [
        _met(name, blood_of(lesion(subtype, 20.0, thick_mm=limit_mm + d))) for d in (-1e-3, 0, 1e-3)
    ]
    assert found == [False, False, True]


@pytest.mark.parametrize("subtype", [EDH, SDH])
def test_shift_limits(subtype: Subtype) -> None:
    name = f"BTF-2006-{subtype.name}-SHIFT"
    found = [_met(name, blood_of(lesion(subtype, 20.0), shift_mm=mm)) for mm in (4.999, 5, 5.001)]
    assert found == [False, False, True]
    assert _met(name, blood_of(lesion(subtype, 20.0))) is None, "the shift was not measured"
    assert _met(name, blood_of(shift_mm=9.0)) is False, "there is no such blood"


def test_a_trace_is_never_called_absent() -> None:
    points = {s.name: 2.8 for s in Subtype}
    trace = blood_of(
        *(lesion(s, 2.7, thick_mm=11.0) for s in Subtype), shift_mm=6.0, operating_points=points
    )
    found = {c.id: c for c in check_criteria(trace)}
    for name in ("ICH-SCORE-IVH", "BTF-2006-SDH-SHIFT", "BTF-2006-SDH-THICKNESS"):
        assert found[name].met is None
        assert "2.7 mL, below the operating point of 2.8 mL: too little to tell" in (
            found[name].because
        )
    assert found["BTF-2006-EDH-VOLUME"].met is False, "2.7 mL cannot be above 30 mL"
    assert found["BTF-2006-EDH-THICKNESS"].met is False, "11 mm cannot be above 15 mm"


def test_a_pontine_trace_leaves_infratentorial_open() -> None:
    pons = lesion(IPH, 2.0, compartment="infratentorial")
    name = "ICH-SCORE-INFRATENTORIAL"
    assert _met(name, blood_of(pons, operating_points={"IPH": 2.8})) is None
    assert _met(name, blood_of(pons, operating_points={"IPH": 2.0})) is True
    assert _met(name, blood_of(pons, lesion(IPH, 9.0), operating_points={"IPH": 2.8})) is None
    assert _met(name, blood_of(lesion(IPH, 9.0), operating_points={"IPH": 2.8})) is False


def test_blood_outside_of_the_anatomy_or_a_fossa_out_of_view_leaves_the_place_open() -> None:
    name = "ICH-SCORE-INFRATENTORIAL"
    above, speck = lesion(IPH, 9.0), lesion(IPH, 0.05, compartment="unknown")
    assert _met(name, blood_of(above, speck)) is False
    assert _met(name, blood_of(speck, operating_points={"IPH": 0.01})) is None
    assert _met(name, blood_of(above, lesion(IPH, 0.1, compartment="unknown"))) is None
    assert _because(name, blood_of(above, fossa=False)).endswith("fossa is not in view")
    assert _because(name, blood_of(above, anatomy=False)).endswith("no anatomy labels were given")
    assert _met(name, blood_of(anatomy=False)) is False, "no blood, no place"


def test_posterior_fossa_is_open_only_where_there_is_a_mass_there() -> None:
    name = "BTF-2006-POSTERIOR-FOSSA"
    assert _met(name, blood_of(lesion(SDH, 9.0))) is False
    assert _met(name, blood_of(lesion(EDH, 0.001, compartment="infratentorial"))) is None
    because = _because(name, blood_of(lesion(SDH, 9.0, compartment="infratentorial")))
    assert because.startswith("EDH, IPH and SDH in the posterior fossa 9.0 mL; not known: whether")
    assert _met(name, blood_of(lesion(SAH, 9.0, compartment="infratentorial"))) is False
    above = blood_of(lesion(SDH, 9.0), uncertain=tuple(Subtype))
    assert _met(name, above) is False, "of whichever subtype it is, it does not lie there"
    below = blood_of(lesion(SAH, 9.0, compartment="infratentorial"), uncertain=tuple(Subtype))
    assert _met(name, below) is None


def test_parenchymal_mass_effect_says_what_is_known_and_what_is_not() -> None:
    name, large = "BTF-2006-IPH-MASS-EFFECT", lesion(IPH, 25.0)
    assert _because(name, blood_of(large, shift_mm=5.0)) == (
        "largest supratentorial IPH 25.0 mL, limit > 20 mL; midline shift 5.0 mm, limit >= 5 mm; "
        "not known: whether it is frontal or temporal"
    )
    assert _because(name, blood_of(large, shift_mm=4.9)).endswith(
        "frontal or temporal and whether the basal cisterns are compressed"
    )
    cerebellar = lesion(IPH, 25.0, compartment="infratentorial")
    assert _met(name, blood_of(cerebellar, shift_mm=9.0)) is False


def test_parenchymal_volume_is_that_of_one_lesion_and_the_scores_that_of_all() -> None:
    two = blood_of(lesion(IPH, 28.0), lesion(IPH, 27.0))
    assert _met("BTF-2006-IPH-VOLUME", two) is False and _met("ICH-SCORE-VOLUME", two) is True


def test_a_thin_clot_decides_nothing_beside_one_that_could_not_be_measured() -> None:
    rim, falcine = lesion(SDH, 9.0, thick_mm=3.0), lesion(SDH, 0.1, why="it lies on the falx")
    name = "BTF-2006-SDH-THICKNESS"
    assert _because(name, blood_of(rim, falcine)) == (
        "SDH of 0.1 mL, thickness: it lies on the falx"
    )
    assert _met(name, blood_of(rim, lesion(SDH, 0.09, why="a speck"))) is False
    assert _met(name, blood_of(lesion(SDH, 0.09, why="x"), operating_points={"SDH": 0})) is None


def test_uncertain_blood_decides_where_all_of_it_would_be_too_little() -> None:
    name = "BTF-2006-EDH-VOLUME"
    for sdh_ml, met in ((20.0, False), (20.1, None)):
        both = lesion(EDH, 10.0), lesion(SDH, sdh_ml)
        assert _met(name, blood_of(*both, uncertain=(EDH, SDH))) is met
    assert _met("BTF-2006-SDH-SHIFT", blood_of(lesion(EDH, 0.01), uncertain=(EDH, SDH))) is None
    assert _met("ICH-SCORE-IVH", blood_of(lesion(EDH, 9.0), uncertain=(EDH, SDH))) is False


@pytest.mark.parametrize(
    ("value", "limits", "words"),
    [
        (29.999, (30,), "29.999"),
        (29.94, (30,), "29.9"),
        (29.95001, (30,), "29.95"),
        (30.0, (30,), "30.0"),
        (30.04, (30,), "30.04"),
        (0.0, (30,), "0.0"),
        (0.0004, (0, 0.1), "0.0004"),
    ],
)
def test_a_number_is_printed_on_its_side_of_the_limit(
    value: float, limits: tuple[float, ...], words: str
) -> None:
    assert beside(value, *limits) == words


def test_floating_point_noise_decides_nothing() -> None:
    ml = 3 * 10.1 - 0.3  # 29.999999999999996 or so
    assert ml != 30 and compare("IPH {}", ml, 30, "mL", at_limit=True).met is True


def test_names_of_columns_fit_statistics_packages() -> None:
    for column in CRITERION_COLUMNS.values():
        assert column.isidentifier() and column == column.lower()
        assert len(f"{column}_reason") <= 26
    assert len(set(CRITERION_COLUMNS.values())) == len(CRITERION_COLUMNS) == 11
