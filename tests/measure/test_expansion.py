"""Hematoma expansion as publications define it, on pairs that a reader can check by hand."""

from __future__ import annotations

import pytest

from monai_ich.core.followup import Amount, TimePoint
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.measure.comparison import compare_scans
from monai_ich.measure.expansion import EXPANSION_IDS

SHIFT = Measurement("midline_shift", 0.0, "mm", "midline", "")


def _point(name: str, **more: object) -> TimePoint:
    """Volumes by subtype; below 0.1 mL is too little to count."""
    ml = {s.name: float(more.pop(s.name, 0.0)) for s in Subtype}  # type: ignore[arg-type]
    interval = more.pop("interval", None)
    certain = bool(more.pop("certain", True))
    amounts = {
        k: Amount(v, v >= 0.1, certain, interval if k == "IPH" else None)  # type: ignore[arg-type]
        for k, v in ml.items()
    }
    return TimePoint(name, amounts, Amount(sum(ml.values())), SHIFT, **more)  # type: ignore[arg-type]


# IPH and IVH before and after, then: > 6 mL, > 33 %, either, > 12.5 mL, revised, IPH + IVH
Y, N, U = True, False, None
PAIRS = [
    ((20, 0), (29, 0), (Y, Y, Y, N, Y, Y)),
    ((20, 0), (26, 0), (N, N, N, N, Y, N)),  # 6 mL exactly: the revised definition says >=
    ((20.1, 0), (26.1, 0), (N, N, N, N, Y, N)),  # and does not hang on rounding
    ((20, 0), (26.001, 0), (Y, N, Y, N, Y, Y)),
    ((10, 0), (13.3, 0), (N, N, N, N, Y, N)),  # 33 % exactly
    ((10, 0), (13.31, 0), (N, Y, Y, N, Y, Y)),
    ((40, 0), (52.5, 0), (Y, N, Y, N, Y, Y)),  # 12.5 mL exactly
    ((40, 0), (52.6, 0), (Y, N, Y, Y, Y, Y)),
    ((30, 0), (12, 0), (N, N, N, N, N, N)),
    ((20, 0), (20, 0), (N, N, N, N, N, N)),
    ((20, 0), (20, 0.5), (N, N, N, N, Y, N)),  # any new IVH
    ((20, 0), (20, 0.05), (N, N, N, N, U, N)),  # too little to count
    ((20, 3), (20, 3.9), (N, N, N, N, N, N)),
    ((20, 3), (20, 4), (N, N, N, N, Y, N)),  # IVH by 1 mL
    ((20, 0.05), (20, 0.5), (N, N, N, N, U, N)),  # new, or not?
    ((20, 5), (20, 12), (N, N, N, N, Y, Y)),
    ((20, 9), (27, 0), (Y, Y, Y, N, Y, N)),  # IVH drained
    ((0.2, 0), (0.3, 0), (N, U, U, N, U, U)),  # a trace
    ((0, 0), (20, 0), (Y, U, Y, Y, Y, Y)),  # new
    ((0, 4), (0, 9), (U, U, U, U, U, U)),  # no IPH at all
]


@pytest.mark.parametrize(("before", "after", "expected"), PAIRS)
def test_each_definition_on_a_pair(
    before: tuple[float, float],
    after: tuple[float, float],
    expected: tuple[bool | None, ...],
) -> None:
    points = (_point(n, IPH=v[0], IVH=v[1]) for n, v in (("a", before), ("b", after)))
    found = compare_scans(*points).expansions
    assert tuple(e.id for e in found) == EXPANSION_IDS
    assert tuple(e.expanded for e in found) == expected
    assert all(e.because and "doi:" in e.source for e in found)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"IPH": 20, "SDH": 30}, {"IPH": 29, "SDH": 5}, True),  # SDH evacuated
        ({"IPH": 20, "SAH": 2}, {"IPH": 20, "SAH": 9}, False),  # other blood grew
    ],
)
def test_other_blood_neither_hides_nor_makes_expansion(
    before: dict[str, float], after: dict[str, float], expected: bool
) -> None:
    found = compare_scans(_point("a", **before), _point("b", **after))
    assert {e.expanded for e in found.expansions if e.id == "iph_over_6_ml"} == {expected}


def test_blood_of_an_uncertain_subtype_leaves_all_open() -> None:
    found = compare_scans(_point("a", IPH=20), _point("b", IPH=30, certain=False))
    assert {e.expanded for e in found.expansions} == {None}


@pytest.mark.parametrize(
    ("later", "code"),
    [
        ({"weights": {"ich": "cd"}, "version": "1", "hours": 24.0}, "DIFFERENT_WEIGHTS"),
        ({"weights": {"ich": "ab"}, "version": "2", "hours": 24.0}, "DIFFERENT_VERSIONS"),
        (
            {"weights": {"ich": "ab"}, "version": "1", "origin": {"settings_digest": "e1"}},
            "DIFFERENT_SETTINGS",
        ),
        ({"weights": {"ich": "ab"}, "version": "1", "hours": 73.0}, "LATE_FOLLOWUP"),
        (
            {"weights": {"ich": "ab"}, "version": "1", "interval": (10.9, 15.0)},
            "CHANGE_WITHIN_INTERVALS",
        ),
        ({"weights": {"ich": "ab"}, "version": "1", "interval": (11.1, 15.0)}, None),
    ],
)
def test_what_a_change_may_come_from_is_said(later: dict[str, object], code: str | None) -> None:
    first = {"weights": {"ich": "ab"}, "version": "1", "hours": 0.0, "interval": (9.0, 11.0)}
    made = {"origin": {"settings_digest": "d0"}}
    found = compare_scans(
        _point("a", IPH=10, **first, **made), _point("b", IPH=13, **{**made, **later})
    )
    assert [w.code for w in found.warnings] == ([] if code is None else [code])
