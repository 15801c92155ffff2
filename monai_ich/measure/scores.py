"""Published scores in their parts, each as far as images and labels give it.

What rests on third and fourth ventricle apart, on horns, expansion, basal cisterns or the thickness
of SAH is known only where it follows from no blood being there; else the reason stands for it. A
total is known where all parts are. Points are those of the publication, but for Stockholm, where
the parts are facts. Graeb's grades, the parts of Stockholm and Hijdra's sums are taken from papers
that cite them, not from the originals.

References:
    Graeb 1982, doi:10.1148/radiology.143.1.6977795; Morgan 2013,
    doi:10.1161/STROKEAHA.112.670653; Hallevi 2009, Crit Care Med 37:969; Hijdra 1990, Stroke
    21:1156; Frontera 2006, doi:10.1227/01.NEU.0000218821.34014.1B; Marshall 1991,
    doi:10.3171/sup.1991.75.1s.0s14; Maas 2005, doi:10.1227/01.NEU.0000186013.63046.6B; Raj 2014,
    doi:10.1227/NEU.0000000000000533; Nelson 2010, doi:10.1089/neu.2009.0986
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monai_ich.core.exam import Score
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import LabelMap
from monai_ich.measure.blood import MASSES, SPECK_ML, Blood
from monai_ich.measure.ventricle_blood import Value, VentricleBlood, measure_ventricle_blood
from monai_ich.measure.verdict import Verdict, all_of, any_of, beside

_MASS_ML = 25  # Marshall, Helsinki
_SHIFT_MM = 5  # Marshall, Rotterdam
_CISTERNS = "the basal cisterns are not measured"
_THIRD = "the third ventricle is not labeled apart from the lateral ventricles"
_FOURTH = "how much of the fourth ventricle is blood is not measured"
_HORNS = "the horns are not labeled apart from the rest of the ventricle"
_THICK = "the thickness of the SAH is not measured"
SCORE_IDS = (
    *("graeb", "mgraeb", "ivhs", "hijdra", "mfisher"),
    *("marshall", "rotterdam", "helsinki", "stockholm"),
)
_UNITS = {"ml": "mL", "mm": "mm"}
_ABBREVIATIONS = {"dai", *(subtype.name.lower() for subtype in Subtype)}


def part_words(score: Score, part: str) -> str:
    """The name of a part in words; its unit stands at the number.

    >>> part_words(Score("stockholm", "", (), None, ""), "stockholm_sdh_both_sides")
    'SDH both sides'
    """
    name = part.removeprefix(f"{score.id}_").removesuffix("_mm")
    name = name.replace("_ml", " volume")
    return " ".join(w.upper() if w in _ABBREVIATIONS else w for w in name.split("_"))


def measure_scores(blood: Blood, labels: LabelMap) -> tuple[Score, ...]:
    """The parts of each score.

    Args:
        blood: the findings, with shift and anatomy.
        labels: map of `Subtype` on the anatomy's grid.
    """
    ventricles = measure_ventricle_blood(blood, labels)
    return (
        _graeb(ventricles),
        _modified_graeb(ventricles),
        _ivh_score(ventricles),
        _hijdra(blood),
        _modified_fisher(blood),
        _marshall(blood),
        _rotterdam(blood),
        _helsinki(blood),
        _stockholm(blood),
    )


def _score(
    name: str, title: str, source: str, parts: Mapping[str, Value], total: Value | None
) -> Score:
    def number(part: str, value: Value) -> Measurement:
        unit = _UNITS.get(part.rsplit("_", 1)[-1], "1")
        found, why = (None, value) if isinstance(value, str) else (value, None)
        return Measurement(f"{name}_{part}", found, unit, title, "by its publication", reason=why)

    whole = None if total is None else number("total", total)
    return Score(name, title, tuple(number(*part) for part in parts.items()), whole, source)


def _missing(parts: Mapping[str, Value]) -> str | None:
    names = [name for name, value in parts.items() if isinstance(value, str)]
    return f"not known: {', '.join(names)}" if names else None


def _sum(parts: Mapping[str, Value], plus: float = 0.0) -> Value:
    return _missing(parts) or plus + sum(v for v in parts.values() if not isinstance(v, str))


def _points(verdict: Verdict, yes: Value = 1.0, no: float = 0.0) -> Value:
    if verdict.met is None:
        return verdict.because
    return yes if verdict.met else no


def _sides(found: VentricleBlood, grade: Callable[[float], Value]) -> dict[str, Value]:
    """Points of the lateral ventricles by the share of each that is blood."""
    return {
        side: _points(found.holds[side], share if isinstance(share, str) else grade(share))
        for side, share in found.share.items()
    }


def _third(found: VentricleBlood) -> Value:
    return _points(any_of(found.holds["left"], found.holds["right"]), _THIRD)


def _percent(share: float) -> str:
    return f"{beside(100 * share, 25, 100 / 3, 50, 75)} % of it is blood"


def _graeb(found: VentricleBlood) -> Score:
    """Graeb names a trace, less and more than half, and filled and expanded. As numbers: up to a
    quarter, the first grade of Morgan 2013; below a half; up to three quarters; above that it
    depends on expansion.
    """

    def grade(share: float) -> Value:
        if share > 0.75:
            return f"{_percent(share)}: 3, or 4 if it is expanded, which is not measured"
        return 1.0 if share <= 0.25 else 2.0 if share < 0.5 else 3.0

    points = _sides(found, grade) | {
        "third": _third(found),
        "fourth": _points(found.holds["fossa"], _FOURTH),
    }
    amounts = {f"{side}_share": share for side, share in found.share.items()}
    parts = {**amounts, "fossa_ml": found.fossa_ml, **points}
    source = "Graeb 1982, doi:10.1148/radiology.143.1.6977795"
    return _score("graeb", "Graeb (1982)", source, parts, _sum(points))


def _modified_graeb(found: VentricleBlood) -> Score:
    """Eight parts, each with a point more if it is expanded."""
    names = ("", "_occipital", "_temporal")
    parts: dict[str, Value] = {
        f"{side}{name}": _points(found.holds[side], _HORNS)
        for side in found.share
        for name in names
    }
    parts |= {"third": _third(found), "fourth": _points(found.holds["fossa"], _FOURTH)}
    source = "Morgan 2013, doi:10.1161/STROKEAHA.112.670653"
    return _score("mgraeb", "Modified Graeb (2013)", source, parts, _sum(parts))


def _ivh_score(found: VentricleBlood) -> Score:
    """3 (left + right) + third + fourth + 3 (hydrocephalus)."""

    def grade(share: float) -> Value:
        if share <= 1 / 3:
            return f"{_percent(share)}: 1, or 0 if it is but a small layer"
        return 2.0 if share <= 2 / 3 else 3.0

    parts = _sides(found, grade) | {
        "third": _third(found),
        "fourth": _points(found.holds["fossa"]),
        "hydrocephalus": "hydrocephalus is not measured",
    }
    source = "Hallevi 2009, Crit Care Med 37:969"
    return _score("ivhs", "IVH score (2009)", source, parts, _missing(parts))


def _hijdra(blood: Blood) -> Score:
    """Two sums, of ten cisterns and fissures and of four ventricles. Some papers add them up; here
    each stands by itself.
    """
    parts = {
        "sah": _points(
            blood.present(Subtype.SAH), "the cisterns and fissures are not labeled one by one"
        ),
        "ivh": _points(
            blood.present(Subtype.IVH), "whether blood forms a layer or fills is not measured"
        ),
    }
    return _score("hijdra", "Hijdra (1990)", "Hijdra 1990, Stroke 21:1156", parts, None)


def _modified_fisher(blood: Blood) -> Score:
    sah, ivh = blood.present(Subtype.SAH), blood.present(Subtype.IVH)
    parts: dict[str, Value] = {
        "sah": _points(sah),
        "ivh": _points(ivh),
        "thick": _points(sah, _THICK),
    }
    open_ = "IVH without SAH has no grade" if sah.met is False else _missing(parts)
    grade = _points(any_of(sah, ivh), str(open_))
    source = "Frontera 2006, doi:10.1227/01.NEU.0000218821.34014.1B"
    return _score("mfisher", "Modified Fisher (2006)", source, parts, grade)


def _mass(blood: Blood) -> Verdict:
    largest_ml = blood.largest_ml(*MASSES)
    return blood.over_ml("largest EDH, IPH or SDH", largest_ml, _MASS_ML, *MASSES)


def _marshall(blood: Blood) -> Score:
    parts = {
        "shift": _points(blood.shifted(_SHIFT_MM)),
        "mass": _points(_mass(blood)),
        "mass_ml": blood.largest_ml(*MASSES),
        "cisterns": _CISTERNS,
        "evacuated": "whether a mass was evacuated is not known",
    }
    source = "Marshall 1991, doi:10.3171/sup.1991.75.1s.0s14"
    return _score("marshall", "Marshall (1991)", source, parts, _missing(parts))


def _rotterdam(blood: Blood) -> Score:
    """A point where there is no EDH; one is added to the sum."""
    parts = {
        "cisterns": _CISTERNS,
        "shift": _points(blood.shifted(_SHIFT_MM)),
        "edh": _points(blood.present(Subtype.EDH), yes=0.0, no=1.0),
        "blood": _points(any_of(blood.present(Subtype.IVH), blood.present(Subtype.SAH))),
    }
    source = "Maas 2005, doi:10.1227/01.NEU.0000186013.63046.6B"
    return _score("rotterdam", "Rotterdam (2005)", source, parts, _sum(parts, plus=1.0))


def _helsinki(blood: Blood) -> Score:
    parts = {
        "sdh": _points(blood.present(Subtype.SDH), 2.0),
        "iph": _points(blood.present(Subtype.IPH), 2.0),
        "edh": _points(blood.present(Subtype.EDH), -3.0),
        "mass": _points(_mass(blood), 2.0),
        "ivh": _points(blood.present(Subtype.IVH), 3.0),
        "cisterns": _CISTERNS,
    }
    source = "Raj 2014, doi:10.1227/NEU.0000000000000533"
    return _score("helsinki", "Helsinki (2014)", source, parts, _sum(parts))


def _stockholm(blood: Blood) -> Score:
    """The parts as facts, 0 or 1, and the shift in mm; their weights are left to the reader."""
    shift = blood.shift.measurement
    parts: dict[str, Value] = {
        "shift_mm": str(shift.reason) if shift.value is None else shift.value,
        "edh": _points(blood.present(Subtype.EDH)),
        "sdh_both_sides": _points(_sdh_on_both_sides(blood)),
        "ivh": _points(blood.present(Subtype.IVH)),
        "sah": _points(blood.present(Subtype.SAH), _THICK),
        "dai": "diffuse axonal injury is not looked for",
    }
    source = "Nelson 2010, doi:10.1089/neu.2009.0986"
    return _score("stockholm", "Stockholm (2010)", source, parts, _missing(parts))


def _sdh_on_both_sides(blood: Blood) -> Verdict:
    present = blood.present(Subtype.SDH)
    if not present.met:
        return present
    ml = dict.fromkeys(("left", "right", "both", "unknown"), 0.0)
    for lesion in blood.lesions:
        if lesion.subtype is Subtype.SDH:
            ml[lesion.side] += lesion.volume_ml
    verdict = all_of(
        *(blood.amount(f"SDH on the {s}", ml[s], Subtype.SDH) for s in ("left", "right"))
    )
    open_ml = ml["both"] + ml["unknown"]
    if verdict.met is False and (open_ml >= SPECK_ML or not ml["left"] + ml["right"]):
        return Verdict(
            None, f"SDH of {beside(open_ml, 0)} mL crosses the midline, or its side is not known"
        )
    return verdict
