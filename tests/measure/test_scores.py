"""Each part of each score at, below and above its limit, and why parts and totals are missing."""

from __future__ import annotations

import numpy as np
import pytest

from monai_ich.core.exam import Score
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.measure.blood import Blood
from monai_ich.measure.scores import SCORE_IDS, measure_scores
from monai_ich.measure.summary import measure_exam
from tests.measure.findings import blood_of, lesion

EDH, IPH, IVH, SAH, SDH = Subtype
NOTHING = LabelMap(np.zeros((2, 2, 2), np.uint8), Geometry((2, 2, 2), np.eye(4)), Subtype)
EVERYWHERE = LabelMap(np.full((2, 2, 2), 3, np.uint8), NOTHING.geometry, Subtype)
ROW = {  # thousand voxels of 0.001 mL each
    Anatomy.LEFT_HEMISPHERE: 0,
    Anatomy.LEFT_VENTRICLE: 1,
    Anatomy.RIGHT_HEMISPHERE: 2,
    Anatomy.RIGHT_VENTRICLE: 3,
    Anatomy.POSTERIOR_FOSSA: 4,
    0: 5,
}


def _parts(score_id: str, scores: tuple[Score, ...]) -> dict[str, float | str | None]:
    """The parts and the total by name without the score's; a reason stands for what is unknown."""
    (score,) = [s for s in scores if s.id == score_id]
    numbers = score.numbers
    return {
        m.name.removeprefix(f"{score_id}_"): m.reason if m.value is None else m.value
        for m in numbers
    }


def _of(score_id: str, blood: Blood) -> dict[str, float | str | None]:
    labels = EVERYWHERE if blood.ml[IVH] else NOTHING
    return _parts(score_id, measure_scores(blood, labels))


def _ivh(
    filled: dict[int, int],
    *,
    empty: tuple[int, ...] = (),
    operating_ml: float = 0.001,
) -> tuple[Score, ...]:
    """Scores of rows of 1 mL, one a part of the anatomy, with so many of their 1000 voxels IVH."""
    voxels, anatomy = np.zeros((2, 6, 1000, 1), np.uint8)
    for part, row in ROW.items():
        anatomy[row] = 0 if part in empty else part
        voxels[row, : filled.get(part, 0)] = IVH
    geometry = Geometry(voxels.shape, np.eye(4))
    exam = measure_exam(
        LabelMap(voxels, geometry, Subtype),
        anatomy=LabelMap(anatomy, geometry, Anatomy),
        operating_points={"IVH": operating_ml},
    )
    return exam.scores


LEFT, RIGHT = Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE
FOSSA = Anatomy.POSTERIOR_FOSSA


@pytest.mark.parametrize(
    ("count", "graeb", "ivhs"),
    [
        (0, 0, 0),
        (1, 1, None),
        (250, 1, None),
        (251, 2, None),
        (333, 2, None),
        (334, 2, 2),
        (499, 2, 2),
        (500, 3, 2),
        (666, 3, 2),
        (667, 3, 3),
        (750, 3, 3),
        (751, None, 3),
        (1000, None, 3),
    ],
)
def test_a_lateral_ventricle_is_graded_by_the_share_that_is_blood(
    count: int, graeb: int | None, ivhs: int | None
) -> None:
    scores = _ivh({LEFT: count})
    found = _parts("graeb", scores)
    assert found["left_share"] == count / 1000 and found["right_share"] == 0.0
    assert found["right"] == 0.0 and found["fourth"] == 0.0
    for score, expected, reason in (
        ("graeb", graeb, "3, or 4 if it is expanded, which is not measured"),
        ("ivhs", ivhs, "1, or 0 if it is but a small layer"),
    ):
        left = _parts(score, scores)["left"]
        assert left == expected if expected is not None else str(left).endswith(reason)


def test_blood_on_one_side_leaves_third_and_total_open_with_the_reason() -> None:
    scores = _ivh({LEFT: 400})
    third = "the third ventricle is not labeled apart from the lateral ventricles"
    assert _parts("graeb", scores)["third"] == _parts("ivhs", scores)["third"] == third
    assert _parts("graeb", scores)["total"] == "not known: third"
    modified = _parts("mgraeb", scores)
    assert [modified[k] for k in ("right", "right_occipital", "right_temporal", "fourth")] == [
        0
    ] * 4
    assert modified["total"] == "not known: left, left_occipital, left_temporal, third"


def test_blood_in_the_fourth_ventricle_only() -> None:
    scores = _ivh({FOSSA: 300})
    graeb = _parts("graeb", scores)
    assert graeb["fossa_ml"] == pytest.approx(0.3) and graeb["left"] == graeb["third"] == 0
    assert graeb["fourth"] == "how much of the fourth ventricle is blood is not measured"
    assert _parts("ivhs", scores)["fourth"] == 1


def test_no_ivh_is_a_score_of_zero_with_and_without_anatomy() -> None:
    for blood in (blood_of(lesion(IPH, 20.0)), blood_of(anatomy=False)):
        for score in ("graeb", "mgraeb"):
            assert set(_of(score, blood).values()) == {0.0}
        assert _of("ivhs", blood)["total"] == "not known: hydrocephalus"


def test_blood_that_the_anatomy_calls_hemisphere_counts_to_the_ventricle_of_its_side() -> None:
    found = _parts("graeb", _ivh({LEFT: 500, Anatomy.LEFT_HEMISPHERE: 1000}))
    assert found["left_share"] == 0.75 and found["left"] == 3  # 1500 of 2000


def test_blood_outside_of_the_anatomy_leaves_empty_ventricles_open() -> None:
    assert _parts("graeb", _ivh({LEFT: 400, 0: 99}))["right"] == 0
    found = _parts("graeb", _ivh({LEFT: 400, 0: 100}))
    assert found["right"] == found["fourth"] == "0.1 mL of IVH lie outside of the anatomy labels"
    assert found["left"] == 2


def test_a_ventricle_or_fossa_that_was_not_found_is_not_free_of_blood() -> None:
    found = _parts("graeb", _ivh({LEFT: 400}, empty=(RIGHT, FOSSA)))
    assert found["right"] == found["right_share"] == "the right lateral ventricle was not found"
    assert found["fourth"] == found["fossa_ml"] == "the posterior fossa is not in view"


def test_a_trace_in_a_ventricle_is_not_graded() -> None:
    found = _parts("graeb", _ivh({LEFT: 400, RIGHT: 50}, operating_ml=0.1))
    assert (found["left"], found["right_share"]) == (2, 0.05)
    assert str(found["right"]).startswith("IVH on the right 0.05 mL, below the operating point")
    found = _parts("graeb", _ivh({LEFT: 99}, operating_ml=0.1))
    assert str(found["right"]).startswith("IVH 0.099 mL, below"), "all of it may be noise"


def test_without_anatomy_the_ventricles_are_not_told_apart() -> None:
    found = _of("graeb", blood_of(lesion(IVH, 5.0), anatomy=False))
    assert set(list(found.values())[:-1]) == {"no anatomy labels were given"}


@pytest.mark.parametrize(
    ("lesions", "total"),
    [
        ((), 0.0),
        ((lesion(SAH, 5.0),), "not known: thick"),
        ((lesion(SAH, 5.0), lesion(IVH, 5.0)), "not known: thick"),
        ((lesion(IVH, 5.0),), "IVH without SAH has no grade"),
        ((lesion(SAH, 0.09), lesion(IVH, 5.0)), "not known: sah, thick"),
    ],
)
def test_modified_fisher(lesions: tuple, total: float | str) -> None:
    found = _of("mfisher", blood_of(*lesions))
    assert found["total"] == total
    assert found["ivh"] == float(any(x.subtype is IVH for x in lesions))
    assert (found["thick"] == 0) == (not found["sah"])


def test_hijdra_sums_are_zero_or_open_and_have_no_total() -> None:
    assert _of("hijdra", blood_of(lesion(SAH, 0.1))) == {
        "sah": "the cisterns and fissures are not labeled one by one",
        "ivh": 0.0,
    }


@pytest.mark.parametrize(("mm", "points"), [(4.999, 0), (5.0, 0), (5.001, 1)])
def test_shift_in_marshall_and_rotterdam(mm: float, points: float) -> None:
    blood = blood_of(shift_mm=mm)
    assert _of("marshall", blood)["shift"] == _of("rotterdam", blood)["shift"] == points
    assert _of("stockholm", blood)["shift_mm"] == mm
    open_ = _of("marshall", blood_of())["shift"]
    assert open_ == "midline shift: no falx is in view"


@pytest.mark.parametrize(("ml", "is_mass"), [(24.999, 0), (25.0, 0), (25.001, 1)])
@pytest.mark.parametrize("subtype", [EDH, IPH, SDH])
def test_a_mass_is_one_lesion_above_25_ml(subtype: Subtype, ml: float, is_mass: int) -> None:
    blood = blood_of(lesion(subtype, ml), lesion(subtype, 5.0), lesion(SAH, 40.0))
    found = _of("marshall", blood)
    assert (found["mass"], found["mass_ml"]) == (is_mass, ml)
    assert _of("helsinki", blood)["mass"] == 2 * is_mass
    assert found["total"] == "not known: cisterns, evacuated" or found["shift"] != 0


@pytest.mark.parametrize(("ml", "state"), [(0.0, 0), (0.099, None), (0.1, 1)])
@pytest.mark.parametrize(
    ("subtype", "score", "part", "no_yes"),
    [
        (SDH, "helsinki", "sdh", (0, 2)),
        (IPH, "helsinki", "iph", (0, 2)),
        (EDH, "helsinki", "edh", (0, -3)),
        (IVH, "helsinki", "ivh", (0, 3)),
        (EDH, "rotterdam", "edh", (1, 0)),
        (IVH, "rotterdam", "blood", (0, 1)),
        (SAH, "rotterdam", "blood", (0, 1)),
        (EDH, "stockholm", "edh", (0, 1)),
        (IVH, "stockholm", "ivh", (0, 1)),
        (SAH, "mfisher", "sah", (0, 1)),
    ],
)
def test_presence_gives_points_and_a_trace_none(
    subtype: Subtype, score: str, part: str, no_yes: tuple[int, int], ml: float, state: int | None
) -> None:
    found = _of(score, blood_of(lesion(subtype, ml)))[part]
    if state is None:
        assert "below the operating point of 0.1 mL" in str(found)
    else:
        assert found == no_yes[state]


def test_totals_of_trauma_need_the_cisterns() -> None:
    blood = blood_of(shift_mm=2.0)
    assert _of("rotterdam", blood)["total"] == "not known: cisterns"
    assert _of("helsinki", blood)["total"] == "not known: cisterns"
    assert _of("stockholm", blood)["total"] == "not known: dai"


@pytest.mark.parametrize(
    ("sides", "both"),
    [
        ({}, 0),
        ({"left": 9.0}, 0),
        ({"left": 9.0, "right": 0.1}, 1),
        ({"left": 9.0, "right": 0.099}, "SDH on the right 0.099 mL"),
        ({"left": 9.0, "both": 0.099}, 0),
        ({"left": 9.0, "both": 0.1}, "SDH of 0.1 mL crosses the midline"),
        ({"unknown": 9.0}, "SDH of 9.0 mL crosses the midline, or its side is not known"),
    ],
)
def test_sdh_on_both_sides(sides: dict[str, float], both: int | str) -> None:
    found = _of("stockholm", blood_of(*(lesion(SDH, ml, side=s) for s, ml in sides.items())))
    value = found["sdh_both_sides"]
    assert str(value).find(both) >= 0 if isinstance(both, str) else value == both


def test_blood_of_uncertain_subtype_leaves_its_points_open() -> None:
    found = _of("helsinki", blood_of(lesion(EDH, 26.0), uncertain=(EDH, SDH)))
    for part in ("edh", "sdh", "mass"):
        assert str(found[part]).endswith("there is blood of uncertain subtype")
    assert found["iph"] == found["ivh"] == 0
    assert _of("graeb", blood_of(lesion(SAH, 9.0), uncertain=(IVH, SAH)))["left"] == (
        "no IVH; there is blood of uncertain subtype"
    )


def test_names_of_columns_fit_statistics_packages() -> None:
    scores = measure_scores(blood_of(), NOTHING)
    names = [number.name for score in scores for number in score.numbers]
    full = measure_scores(blood_of(*(lesion(s, 9.0) for s in Subtype)), EVERYWHERE)
    assert names == [number.name for score in full for number in score.numbers]
    assert tuple(score.id for score in scores) == SCORE_IDS
    assert len(set(names)) == len(names)
    for name in (*names, *(f"{score}_reason" for score in SCORE_IDS)):
        assert len(name) <= 26 and name.isidentifier() and name == name.lower()
