"""Hematoma expansion between two scans of one patient, as publications define it.

All definitions are about the intraparenchymal hemorrhage (IPH), some with the intraventricular
one (IVH). None is about other blood: a subdural hematoma that is evacuated hides no expansion, and
one that grows is none.

"More than 6 mL or 33 %" stands in the abstract of Brouwers. Brott's 33 %, Dowlatshahi's 12.5 mL and
that Mayer adds IVH to IPH are taken from papers that cite them.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass

from monai_ich.core.exam import NO_SUBTYPES
from monai_ich.core.followup import Amount, Expansion, VolumeChange

BOTH = "iph_ivh"
BROTT = "Brott 1997, doi:10.1161/01.STR.28.1.1"
BROUWERS = "Brouwers 2014, doi:10.1001/jamaneurol.2013.5433"
DOWLATSHAHI = "Dowlatshahi 2011, doi:10.1212/WNL.0b013e3182143317"
LI = "Li 2020, doi:10.1007/s12028-020-00958-8"
MAYER = "Mayer 2005, doi:10.1056/NEJMoa042991"
YOGENDRAKUMAR = "Yogendrakumar 2020, doi:10.1161/STROKEAHA.119.027451"

Verdict = bool | None
_Changes = Mapping[str, VolumeChange]


@dataclass(frozen=True)
class _Definition:
    """Limits: more than these, or at least these where `inclusive`; None where there is none."""

    id: str
    source: str
    of: str = "IPH"
    over_ml: float | None = None
    over_percent: float | None = None
    inclusive: bool = False
    ivh: bool = False


_DEFINITIONS = (
    _Definition("iph_over_6_ml", DOWLATSHAHI, over_ml=6.0),
    _Definition("iph_over_33_pct", BROTT, over_percent=33.0),
    _Definition("iph_over_6_ml_or_33_pct", BROUWERS, over_ml=6.0, over_percent=33.0),
    _Definition("iph_over_12_5_ml", DOWLATSHAHI, over_ml=12.5),
    _Definition(
        "revised_with_ivh",
        f"{YOGENDRAKUMAR}; IVH growth: {LI}",
        over_ml=6.0,
        over_percent=33.0,
        inclusive=True,
        ivh=True,
    ),
    _Definition(
        "iph_ivh_6_ml_or_33_pct",
        f"the sum: {MAYER}; the limits: {BROUWERS}",
        of=BOTH,
        over_ml=6.0,
        over_percent=33.0,
    ),
)
EXPANSION_IDS = tuple(definition.id for definition in _DEFINITIONS)
_IVH_GROWTH_ML = 1.0


def judge_expansion(
    volumes: tuple[VolumeChange, ...], *, certain: bool = True
) -> tuple[Expansion, ...]:
    """Apply each definition.

    Without any IPH there is nothing to expand: undecided, with the reason. So is a relative change
    of less than `core.followup.LEAST_BASELINE_ML`, IVH that is too little to count, and all where
    the masks do not tell subtypes apart.

    Args:
        volumes: changes of IPH, IVH and `BOTH`, as `compare_volumes` gives them.
        certain: false where either scan holds blood of an uncertain subtype, which might be IPH:
            then nothing is decided.

    >>> changes = [VolumeChange(of, Amount(20.0), Amount(29.0)) for of in ("IPH", "IVH", BOTH)]
    >>> [e.expanded for e in judge_expansion(tuple(changes))]
    [True, True, True, False, True, True]
    """
    changes = {change.of: change for change in volumes}
    return tuple(_judge(definition, changes, certain) for definition in _DEFINITIONS)


def _judge(definition: _Definition, changes: _Changes, certain: bool) -> Expansion:
    if "IPH" not in changes:
        return _undecided(definition, NO_SUBTYPES)
    change = changes[definition.of]
    if not certain:
        return _undecided(definition, "blood of an uncertain subtype may be IPH")
    if not changes["IPH"].baseline.ml and not changes["IPH"].followup.ml:
        return _undecided(definition, "there is no IPH in either scan")
    exceeds = operator.ge if definition.inclusive else operator.gt
    verdicts: list[Verdict] = []
    words = [_words(change)]
    if definition.over_ml is not None:
        verdicts.append(exceeds(change.change_ml, definition.over_ml))
    if definition.over_percent is not None:
        percent = change.percent
        verdicts.append(
            None if percent.value is None else exceeds(percent.value, definition.over_percent)
        )
        words += [] if percent.value is not None else [f"no relative change: {percent.reason}"]
    if definition.ivh:
        verdicts.append(_ivh_grew(changes["IVH"]))
        words.append(_words(changes["IVH"]))
        words += [] if verdicts[-1] is not None else ["IVH too little to count in one of the scans"]
    return Expansion(definition.id, _any(verdicts), "; ".join(words), definition.source)


def _undecided(definition: _Definition, reason: str) -> Expansion:
    return Expansion(definition.id, None, reason, definition.source)


def _ivh_grew(change: VolumeChange) -> Verdict:
    """Whether any IVH is new, or it grew by at least 1 mL; None where that hangs on a trace."""
    before, after = change.baseline, change.followup
    if after.ml <= before.ml:
        return False
    if change.change_ml >= _IVH_GROWTH_ML or not before.ml:
        return True if after.present else None
    return False if before.present else None


def _any(verdicts: list[Verdict]) -> Verdict:
    """True where one is; None where one is open and none is true.

    >>> _any([False, None]), _any([True, None]), _any([False, False])
    (None, True, False)
    """
    if any(verdicts):
        return True
    return None if None in verdicts else False


def _words(change: VolumeChange) -> str:
    before, after = _ml(change.baseline), _ml(change.followup)
    name = change.of.upper().replace("_", " + ")
    return f"{name} {before} to {after} mL"


def _ml(amount: Amount) -> str:
    """Three decimals, so that a volume beside its limit is believable; trailing zeros go."""
    return f"{amount.ml:.3f}".rstrip("0").rstrip(".")
