"""Published criteria as facts: met, not met, or why that cannot be decided. No advice."""

from __future__ import annotations

from collections.abc import Mapping

from monai_ich.core.exam import Criterion, Lesion, MidlineShift, SubtypeFinding
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.measure.volume import DEFAULT_OPERATING_POINTS_ML

_EDH = "Bullock 2006, doi:10.1227/01.NEU.0000210363.91172.A8"
_SDH = "Bullock 2006, doi:10.1227/01.NEU.0000210364.29290.C9"
_ICH = "Hemphill 2001, doi:10.1161/01.STR.32.4.891"
_SOURCES = {
    "BTF-2006-EDH-VOLUME": (Subtype.EDH, _EDH),
    "BTF-2006-SDH-THICKNESS": (Subtype.SDH, _SDH),
    "BTF-2006-SDH-SHIFT": (Subtype.SDH, _SDH),
    "ICH-SCORE-VOLUME": (Subtype.IPH, _ICH),
    "ICH-SCORE-IVH": (Subtype.IVH, _ICH),
    "ICH-SCORE-INFRATENTORIAL": (Subtype.IPH, _ICH),
}
Verdict = tuple[bool | None, str]


def check_criteria(
    subtypes: tuple[SubtypeFinding, ...],
    lesions: tuple[Lesion, ...],
    shift: MidlineShift,
    anatomy: LabelMap | None,
    operating_points: Mapping[str, float] = DEFAULT_OPERATING_POINTS_ML,
) -> tuple[Criterion, ...]:
    """EDH > 30 mL; SDH > 10 mm thick or shift > 5 mm; the imaging points of the ICH score.

    Args:
        subtypes: a criterion about a subtype that the labels' maker confuses with others stays
            undecided where such blood is present.
        lesions: for thickness and compartment.
        shift: the midline shift.
        anatomy: None where there is none, which leaves the compartment open.
        operating_points: subtype name to the mL from which it counts as present; less decides
            nothing.
    """
    finding = {f.subtype: f for f in subtypes}
    ml = {subtype: float(f.volume.value or 0.0) for subtype, f in finding.items()}
    least = {s: operating_points.get(s.name, DEFAULT_OPERATING_POINTS_ML[s.name]) for s in Subtype}
    verdicts: dict[str, Verdict] = {
        "BTF-2006-EDH-VOLUME": (ml[Subtype.EDH] > 30, f"EDH {ml[Subtype.EDH]:.1f} mL, limit 30 mL"),
        "BTF-2006-SDH-THICKNESS": _thickness(
            finding[Subtype.SDH].present, lesions, least[Subtype.SDH]
        ),
        "BTF-2006-SDH-SHIFT": _shift(finding[Subtype.SDH].present, shift),
        "ICH-SCORE-VOLUME": (ml[Subtype.IPH] >= 30, f"IPH {ml[Subtype.IPH]:.1f} mL, limit 30 mL"),
        "ICH-SCORE-IVH": (finding[Subtype.IVH].present, f"IVH {ml[Subtype.IVH]:.1f} mL"),
        "ICH-SCORE-INFRATENTORIAL": _below(
            finding[Subtype.IPH].present, lesions, anatomy, least[Subtype.IPH]
        ),
    }
    doubt = any(f.present and not f.certain for f in subtypes)
    found = []
    for name, (met, because) in verdicts.items():
        subtype, source = _SOURCES[name]
        if doubt and not finding[subtype].certain:
            met, because = None, f"{because}; there is blood of uncertain subtype"
        found.append(Criterion(name, met, because, source))
    return tuple(found)


def _thickness(present: bool, lesions: tuple[Lesion, ...], least_ml: float) -> Verdict:
    """On axial slices, as Bullock measures. One clot (or part of one) that is thick enough decides;
    that none is, only where each that counts could be measured.
    """
    if not present:
        return False, "no SDH"
    clots = [(x, x.axial_thickness) for x in lesions if x.subtype is Subtype.SDH]
    known = [mm for x, axial in clots if (mm := (axial and axial.value) or x.thickness_least_mm)]
    thickest = max(known, default=0.0)
    if thickest > 10:
        return True, f"SDH {thickest:.1f} mm thick, limit 10 mm"
    for clot, axial in clots:
        if axial is not None and axial.value is None and clot.volume_ml >= least_ml:
            return None, f"SDH of {clot.volume_ml:.1f} mL, thickness: {axial.reason}"
    if not known:
        return None, "the thickness of the SDH was not measured"
    return False, f"SDH {thickest:.1f} mm thick, limit 10 mm"


def _shift(present: bool, shift: MidlineShift) -> Verdict:
    mm = shift.measurement.value
    if not present:
        return False, "no SDH"
    if mm is None:
        return None, f"midline shift: {shift.measurement.reason}"
    return mm > 5, f"SDH with midline shift {mm:.1f} mm, limit 5 mm"


def _below(
    present: bool, lesions: tuple[Lesion, ...], anatomy: LabelMap | None, least_ml: float
) -> Verdict:
    """Met when the IPH below the tentorium would be called present by itself: a speck there decides
    nothing.
    """
    if not present:
        return False, "no IPH"
    if anatomy is None:
        return None, "no anatomy labels were given"
    placed = [x for x in lesions if x.subtype is Subtype.IPH and x.compartment != "unknown"]
    if not placed:
        return None, "the IPH lies outside of the anatomy labels"
    ml = sum(x.volume_ml for x in placed if x.compartment == "infratentorial")
    return ml > 0 and ml >= least_ml, f"infratentorial IPH {ml:.1f} mL"
