"""How much of each ventricle is blood, as far as the anatomy labels tell ventricles apart.

A lateral ventricle is labeled with its half of the third; the fourth belongs to the posterior
fossa. Blood that is labeled IVH lies in a ventricle by definition: where the anatomy labels call
its place hemisphere, it counts to that side's ventricle, and the ventricle is larger by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.measure.blood import NO_ANATOMY, NO_FOSSA, SPECK_ML, Blood
from monai_ich.measure.verdict import Verdict, beside

_SIDES = {
    "left": (Anatomy.LEFT_VENTRICLE, Anatomy.LEFT_HEMISPHERE),
    "right": (Anatomy.RIGHT_VENTRICLE, Anatomy.RIGHT_HEMISPHERE),
}
Value = float | str  # a number, or in words why there is none


@dataclass(frozen=True)
class VentricleBlood:
    """Blood of the ventricles.

    Args:
        holds: for ``"left"``, ``"right"`` (lateral ventricle with its half of the third) and
            ``"fossa"`` (fourth): whether there is blood in it.
        share: for each side, the share that is blood, 0 to 1, in four digits.
        fossa_ml: mL of IVH in the posterior fossa.
    """

    holds: Mapping[str, Verdict]
    share: Mapping[str, Value]
    fossa_ml: Value


def measure_ventricle_blood(blood: Blood, labels: LabelMap) -> VentricleBlood:
    """Blood of each ventricle; a number that could not be measured is the reason, in words.

    Args:
        blood: the findings, with the anatomy.
        labels: map of `Subtype` on the anatomy's grid.
    """
    ivh = blood.present(Subtype.IVH)
    if not blood.ml[Subtype.IVH] or blood.anatomy is None:
        number = NO_ANATOMY if blood.ml[Subtype.IVH] else 0.0
        everywhere = Verdict(None, NO_ANATOMY) if ivh.met else ivh
        return VentricleBlood(
            dict.fromkeys((*_SIDES, "fossa"), everywhere), dict.fromkeys(_SIDES, number), number
        )
    anatomy, ivh_ml = blood.anatomy, _ivh_ml(labels, blood.anatomy)

    def held(words: str, ml: float, missing: str | None) -> Verdict:
        if ivh.met is not True:
            return ivh
        verdict = blood.amount(f"IVH {words}", ml, Subtype.IVH)
        if verdict.met is False and missing is not None:
            return Verdict(None, missing)
        if verdict.met is False and ivh_ml[0] >= SPECK_ML:
            outside = beside(ivh_ml[0], 0)
            return Verdict(None, f"{outside} mL of IVH lie outside of the anatomy labels")
        return verdict

    holds: dict[str, Verdict] = {}
    share: dict[str, Value] = {}
    for side, (ventricle, hemisphere) in _SIDES.items():
        here_ml = ivh_ml[ventricle] + ivh_ml[hemisphere]
        ventricle_ml = anatomy.volume_ml(ventricle)
        missing = None if ventricle_ml else f"the {side} lateral ventricle was not found"
        holds[side] = held(f"on the {side}", here_ml, missing)
        share[side] = missing or round(here_ml / (ventricle_ml + ivh_ml[hemisphere]), 4)
    missing = None if anatomy.volume_ml(Anatomy.POSTERIOR_FOSSA) else NO_FOSSA
    fossa_ml = ivh_ml[Anatomy.POSTERIOR_FOSSA]
    holds["fossa"] = held("in the posterior fossa", fossa_ml, missing)
    return VentricleBlood(holds, share, missing or fossa_ml)


def _ivh_ml(labels: LabelMap, anatomy: LabelMap) -> list[float]:
    """Volume of IVH in each part of the anatomy, by its value; 0 is outside."""
    box = labels.boxes()[Subtype.IVH]
    parts = anatomy.voxels[box][labels.voxels[box] == Subtype.IVH]
    counts = np.bincount(parts, minlength=len(Anatomy) + 1)
    return [int(count) * labels.geometry.voxel_ml for count in counts]
