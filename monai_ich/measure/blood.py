"""What criteria and scores ask of the blood of an exam, answered with yes, no or not decidable.

An operating point never turns a trace into "no": above zero and below it, whether there is blood is
open. A limit of volume or thickness that a trace does not reach is decided by the number itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monai_ich.core.exam import MidlineShift, SubtypeFinding
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.lesion import Lesion
from monai_ich.core.volume import LabelMap
from monai_ich.measure.verdict import Verdict, all_of, beside, compare
from monai_ich.measure.volume import DEFAULT_OPERATING_POINTS_ML

SPECK_ML = 0.1  # less, by itself, leaves no question open beside larger lesions
MASSES = (Subtype.EDH, Subtype.IPH, Subtype.SDH)
NO_ANATOMY = "no anatomy labels were given"
NO_FOSSA = "the posterior fossa is not in view"


@dataclass(frozen=True)
class Blood:
    """The findings of an exam.

    Args:
        ml: volume of each subtype.
        least_ml: operating point of each.
        uncertain: subtypes that the labels' maker confuses with others.
        lesions: as found.
        shift: the midline shift.
        anatomy: map of `Anatomy`, or None.
    """

    ml: Mapping[Subtype, float]
    least_ml: Mapping[Subtype, float]
    uncertain: frozenset[Subtype]
    lesions: tuple[Lesion, ...]
    shift: MidlineShift
    anatomy: LabelMap | None

    @classmethod
    def of(
        cls,
        subtypes: Iterable[SubtypeFinding],
        lesions: tuple[Lesion, ...],
        shift: MidlineShift,
        anatomy: LabelMap | None,
        operating_points: Mapping[str, float] = DEFAULT_OPERATING_POINTS_ML,
    ) -> Blood:
        """From what was measured; `operating_points` are subtype name to mL."""
        found = {f.subtype: f for f in subtypes}
        points = {**DEFAULT_OPERATING_POINTS_ML, **operating_points}
        return cls(
            {s: f.volume_ml for s, f in found.items()},
            {s: points[s.name] for s in Subtype},
            frozenset(s for s, f in found.items() if not f.certain),
            lesions,
            shift,
            anatomy,
        )

    def amount(self, words: str, ml: float, subtype: Subtype) -> Verdict:
        """Whether an amount of a subtype is there, by the operating point of the subtype."""
        least = self.least_ml[subtype]
        if not ml:
            return Verdict(False, f"no {words}")
        if ml < least:
            why = f"{words} {beside(ml, 0, least)} mL, below the operating point of {least:g} mL"
            return Verdict(None, f"{why}: too little to tell")
        return Verdict(True, f"{words} {beside(ml, 0)} mL")

    def doubt(self, *subtypes: Subtype) -> bool:
        """Whether blood of one of these may be labeled as another subtype, or the reverse."""
        return not self.uncertain.isdisjoint(subtypes) and self._uncertain_ml() > 0

    def _uncertain_ml(self) -> float:
        return sum(self.ml[s] for s in self.uncertain)

    def present(self, subtype: Subtype) -> Verdict:
        """Whether the exam holds the subtype."""
        verdict = self.amount(subtype.name, self.ml[subtype], subtype)
        return _doubtful(verdict) if self.doubt(subtype) else verdict

    def over_ml(
        self, words: str, ml: float, limit_ml: float, *of: Subtype, at_limit: bool = False
    ) -> Verdict:
        """Whether a volume of the subtypes `of` is above a limit; where they are uncertain, only if
        all blood that may be theirs is not.
        """
        verdict = compare(f"{words} {{}}", ml, limit_ml, "mL", at_limit=at_limit)
        most = sum(self.ml[s] for s in self.uncertain.union(of))
        most_over = compare("{}", most, limit_ml, "mL", at_limit=at_limit).met
        return _doubtful(verdict) if self.doubt(*of) and most_over else verdict

    def total_over(self, subtype: Subtype, limit_ml: float, *, at_limit: bool = False) -> Verdict:
        """Whether all blood of a subtype is above a limit."""
        return self.over_ml(subtype.name, self.ml[subtype], limit_ml, subtype, at_limit=at_limit)

    def largest_ml(self, *subtypes: Subtype, outside_of: str = "") -> float:
        """Volume of the largest lesion of these subtypes; 0.0 where there is none.

        Args:
            outside_of: a compartment whose lesions do not count.
        """
        sizes = [
            x.volume_ml
            for x in self.lesions
            if x.subtype in subtypes and x.compartment != outside_of
        ]
        return max(sizes, default=0.0)

    def thick(self, subtype: Subtype, limit_mm: float) -> Verdict:
        """Whether a clot is thicker than a limit on axial slices, as Bullock measures. One clot, or
        the part of one that could be measured, decides that; that none is, only where each that is
        no speck could be measured.
        """
        present = self.present(subtype)
        if present.met is False or self.doubt(subtype):
            return present
        clots = [x for x in self.lesions if x.subtype is subtype]
        measured = [mm for x in clots if (mm := _least_mm(x)) is not None]
        thickest = max(measured, default=0.0)
        over = compare(f"{subtype.name} {{}} thick", thickest, limit_mm, "mm")
        if over.met:
            return all_of(present, over)
        for clot in sorted(clots, key=lambda x: -x.volume_ml):
            axial = clot.axial_thickness
            unknown = axial is None or axial.value is None
            if unknown and (clot.volume_ml >= SPECK_ML or not measured):
                why = "it was not measured" if axial is None else axial.reason
                size = beside(clot.volume_ml, 0)
                return Verdict(None, f"{subtype.name} of {size} mL, thickness: {why}")
        return over if clots else Verdict(None, f"the thickness of the {subtype.name} is not known")

    def shifted(self, limit_mm: float, *, at_limit: bool = False) -> Verdict:
        """Whether the midline shift is above a limit."""
        found = self.shift.measurement
        if found.value is None:
            return Verdict(None, f"midline shift: {found.reason}")
        return compare("midline shift {}", found.value, limit_mm, "mm", at_limit=at_limit)

    def with_shift(self, subtype: Subtype, limit_mm: float) -> Verdict:
        """Whether the subtype is there beside a midline shift above a limit."""
        return all_of(self.present(subtype), self.shifted(limit_mm))

    def below_tentorium(self, *subtypes: Subtype) -> tuple[float, str | None]:
        """Volume (mL) of the lesions of these subtypes in the posterior fossa, and why it may be
        more, or None.
        """
        if self.anatomy is None:
            return 0.0, NO_ANATOMY
        if Anatomy.POSTERIOR_FOSSA not in self.anatomy.boxes():
            return 0.0, NO_FOSSA
        ml = dict.fromkeys(("infratentorial", "supratentorial", "unknown"), 0.0)
        for lesion in self.lesions:
            if lesion.subtype in subtypes:
                ml[lesion.compartment] += lesion.volume_ml
        placed = ml["infratentorial"] + ml["supratentorial"]
        if not ml["unknown"] or (placed and ml["unknown"] < SPECK_ML):
            return ml["infratentorial"], None
        outside = beside(ml["unknown"], 0)
        return ml["infratentorial"], f"{outside} mL of it lie outside of the anatomy labels"


def _least_mm(clot: Lesion) -> float | None:
    """The axial thickness, or how thick the part of the clot is that could be measured."""
    axial = clot.axial_thickness
    return clot.thickness_least_mm if axial is None or axial.value is None else axial.value


def _doubtful(verdict: Verdict) -> Verdict:
    return Verdict(None, f"{verdict.because}; there is blood of uncertain subtype")
