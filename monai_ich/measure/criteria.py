"""Published criteria as facts: met, not met, or why that cannot be decided. No advice.

Only what images show is judged. Criteria of consciousness, age or course are not here, nor is the
fifth paper of the series, on depressed skull fractures, which are not looked for.

References:
    Bullock 2006, doi:10.1227/01.NEU.0000210363.91172.A8 (EDH),
    doi:10.1227/01.NEU.0000210364.29290.C9 (SDH), doi:10.1227/01.NEU.0000210365.36914.E3
    (parenchymal), doi:10.1227/01.NEU.0000210366.36914.38 (posterior fossa); Hemphill 2001,
    doi:10.1161/01.STR.32.4.891
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monai_ich.core.exam import Criterion
from monai_ich.core.labels import Subtype
from monai_ich.measure.blood import MASSES, Blood
from monai_ich.measure.verdict import Verdict, beside

_EDH = "Bullock 2006, doi:10.1227/01.NEU.0000210363.91172.A8"
_SDH = "Bullock 2006, doi:10.1227/01.NEU.0000210364.29290.C9"
_IPH = "Bullock 2006, doi:10.1227/01.NEU.0000210365.36914.E3"
_FOSSA = "Bullock 2006, doi:10.1227/01.NEU.0000210366.36914.38"
_ICH = "Hemphill 2001, doi:10.1161/01.STR.32.4.891"


@dataclass(frozen=True)
class _Rule:
    """One criterion: its id and title in reports, its column in tables, how it is decided."""

    id: str
    column: str
    title: str
    source: str
    decide: Callable[[Blood], Verdict]


def check_criteria(blood: Blood) -> tuple[Criterion, ...]:
    """Decide each criterion.

    A criterion about a subtype that the labels' maker confuses with others stays undecided where
    such blood is present and could decide it.
    """
    found = []
    for rule in _RULES:
        verdict = rule.decide(blood)
        found.append(Criterion(rule.id, verdict.met, verdict.because, rule.source, rule.title))
    return tuple(found)


def _large_iph(blood: Blood) -> Verdict:
    """Any one lesion above 50 mL."""
    return blood.over_ml("largest IPH", blood.largest_ml(Subtype.IPH), 50, Subtype.IPH)


def _iph_mass_effect(blood: Blood) -> Verdict:
    """A frontal or temporal lesion above 20 mL with a shift of 5 mm or more or compressed cisterns:
    never met, since neither lobes nor cisterns are known.
    """
    ml = blood.largest_ml(Subtype.IPH, outside_of="infratentorial")
    large = blood.over_ml("largest supratentorial IPH", ml, 20, Subtype.IPH)
    if large.met is False:
        return large
    shifted = blood.shifted(5, at_limit=True)
    open_ = "whether it is frontal or temporal"
    if not shifted.met:
        open_ += " and whether the basal cisterns are compressed"
    return Verdict(None, f"{large.because}; {shifted.because}; not known: {open_}")


def _fossa_mass(blood: Blood) -> Verdict:
    """A mass in the posterior fossa with mass effect: not met where there is no mass, never met
    since its effect is not measured.
    """
    every_ml, unplaced = blood.below_tentorium(*Subtype)
    if any(blood.ml.values()) and not every_ml and unplaced is None:
        return Verdict(False, "no blood in the posterior fossa")
    if not any(blood.ml[s] for s in MASSES) and not blood.doubt(*MASSES):
        return Verdict(False, "no EDH, IPH or SDH")
    ml, why = blood.below_tentorium(*MASSES)
    if not ml and why is None and not blood.doubt(*MASSES):
        return Verdict(False, "no EDH, IPH or SDH in the posterior fossa")
    known = why or f"EDH, IPH and SDH in the posterior fossa {beside(ml, 0)} mL"
    return Verdict(
        None,
        f"{known}; not known: whether the fourth ventricle is distorted, the basal cisterns are "
        "compressed or there is hydrocephalus",
    )


def _infratentorial(blood: Blood) -> Verdict:
    """IPH below the tentorium that would be called present by itself."""
    present = blood.present(Subtype.IPH)
    if present.met is False or blood.doubt(Subtype.IPH):
        return present
    ml, why = blood.below_tentorium(Subtype.IPH)
    below = blood.amount("infratentorial IPH", ml, Subtype.IPH)
    return below if below.met or why is None else Verdict(None, f"{present.because}; {why}")


_RULES = (
    _Rule(
        "BTF-2006-EDH-VOLUME",
        "btf_edh_volume",
        "Epidural hematoma larger than 30 mL",
        _EDH,
        lambda b: b.total_over(Subtype.EDH, 30),
    ),
    _Rule(
        "BTF-2006-EDH-THICKNESS",
        "btf_edh_thickness",
        "Epidural hematoma thicker than 15 mm",
        _EDH,
        lambda b: b.thick(Subtype.EDH, 15),
    ),
    _Rule(
        "BTF-2006-EDH-SHIFT",
        "btf_edh_shift",
        "Epidural hematoma with midline shift over 5 mm",
        _EDH,
        lambda b: b.with_shift(Subtype.EDH, 5),
    ),
    _Rule(
        "BTF-2006-SDH-THICKNESS",
        "btf_sdh_thickness",
        "Subdural hematoma thicker than 10 mm",
        _SDH,
        lambda b: b.thick(Subtype.SDH, 10),
    ),
    _Rule(
        "BTF-2006-SDH-SHIFT",
        "btf_sdh_shift",
        "Subdural hematoma with midline shift over 5 mm",
        _SDH,
        lambda b: b.with_shift(Subtype.SDH, 5),
    ),
    _Rule(
        "BTF-2006-IPH-VOLUME",
        "btf_iph_volume",
        "Parenchymal lesion larger than 50 mL",
        _IPH,
        _large_iph,
    ),
    _Rule(
        "BTF-2006-IPH-MASS-EFFECT",
        "btf_iph_mass_effect",
        "Frontal or temporal lesion over 20 mL with mass effect",
        _IPH,
        _iph_mass_effect,
    ),
    _Rule(
        "BTF-2006-POSTERIOR-FOSSA",
        "btf_posterior_fossa",
        "Posterior fossa lesion with mass effect",
        _FOSSA,
        _fossa_mass,
    ),
    _Rule(
        "ICH-SCORE-VOLUME",
        "ich_score_volume",
        "ICH score: parenchymal hemorrhage of 30 mL or more",
        _ICH,
        lambda b: b.total_over(Subtype.IPH, 30, at_limit=True),
    ),
    _Rule(
        "ICH-SCORE-IVH",
        "ich_score_ivh",
        "ICH score: intraventricular hemorrhage",
        _ICH,
        lambda b: b.present(Subtype.IVH),
    ),
    _Rule(
        "ICH-SCORE-INFRATENTORIAL",
        "ich_score_infratent",
        "ICH score: infratentorial hemorrhage",
        _ICH,
        _infratentorial,
    ),
)
CRITERION_COLUMNS = {rule.id: rule.column for rule in _RULES}
CRITERION_TITLES = {rule.id: rule.title for rule in _RULES}
