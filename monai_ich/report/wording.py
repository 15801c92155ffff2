"""Results in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monai_ich.core.calibration import Misses, rules_out_zero
from monai_ich.core.exam import ExamMeasurements, ShiftAt, SubtypeFinding
from monai_ich.core.followup import Comparison, VolumeChange
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.lesion import Lesion
from monai_ich.core.measurement import NotMeasurable, share_words
from monai_ich.core.presence import Presence
from monai_ich.core.provenance import RESEARCH_USE, Notice, Provenance

MET = {True: "met", None: "not decidable", False: "not met"}
LIMITS = (
    "Masks are those of a network or of whoever drew them, and every number here follows from "
    "them: look at the slices "
    "before you use a number. Small and thin bleeds can be missed, dense structures along bone, "
    "falx and tentorium can "
    "be taken for blood, and subtypes can be confused. An interval is given where the weights "
    "were calibrated on scans "
    "with known truth, and holds for scans like those. Anything but blood (fracture, infarct, "
    "tumor, calcification) is "
    "not looked for."
)


def shift_words(shift: ShiftAt) -> str:
    """For example ``"6.3 mm toward the right"``, or why it is not measurable."""
    mm = shift.measurement.value
    if mm is None:
        return f"not measurable: {shift.measurement.reason}"
    return f"{mm:.1f} mm" + (f" toward the {shift.toward}" if shift.toward else "")


def interval_words(
    interval: tuple[float, float] | None,
    unit: str,
    misses: Misses | None = None,
    probability: float | None = None,
) -> list[str]:
    """For example ``["95 % interval 5.6 to 7.0 mm"]``; empty where none was calibrated. One of 0.0
    to 0.0 says how often some is missed, and none is given where that much doubt forbids it (see
    `Calibrator.interval_ml`).
    """
    if interval is None:
        open_ = misses is not None and rules_out_zero(probability)
        return ["none is outlined, but not ruled out"] if open_ else []
    ends = [f"{end:.1f}" for end in interval]
    missed = f" ({misses.beside(probability)})" if misses and ends == ["0.0", "0.0"] else ""
    return [f"95 % interval {ends[0]} to {ends[1]} {unit}{missed}"]


def probability_words(probability: float | None) -> list[str]:
    """For example ``["probability 97 %"]``; empty where there is none."""
    return [] if probability is None else [f"probability {share_words(probability)}"]


def thickness_words(lesion: Lesion) -> str:
    """For example ``"8.1 mm, axial 11.0 mm"``, or why it is not measurable; empty for a lesion that
    is not on the skull.
    """
    normal, axial = lesion.thickness, lesion.axial_thickness
    if normal is None:
        return ""
    if normal.value is None:
        return f"not measurable: {normal.reason}"
    if axial is None:
        return f"{normal.value:.1f} mm"
    across = f"not measurable: {axial.reason}" if axial.value is None else f"{axial.value:.1f} mm"
    return f"{normal.value:.1f} mm, axial {across}"


def place_words(lesion: Lesion) -> str:
    """For example ``"left, thalamus"``: of an IPH the region, of others the compartment."""
    side = {"both": "both sides", "unknown": "side unknown"}.get(lesion.side, lesion.side)
    found = lesion.location
    compartment = lesion.compartment.replace("unknown", "compartment unknown")
    if found is None:
        return f"{side}, {compartment}"
    if found.value is None:
        return f"{side}, {compartment}; region not known: {found.reason}"
    return f"{side}, {found.value.replace('_', ' ')}"


def abc2_words(lesion: Lesion) -> str:
    """For example ``"11.9 mL (54.1 x 20.0 x 22.0 mm)"``, or why there is none."""
    found = lesion.abc2
    if isinstance(found, NotMeasurable):
        return found.reason.removeprefix("ABC/2 is ")
    return f"{found.ml:.1f} mL ({found.a_mm:.1f} x {found.b_mm:.1f} x {found.c_mm:.1f} mm)"


def density_words(lesion: Lesion) -> str:
    """For example ``"63 HU, hyperdense"``: the mean, of an SDH its class against the brain too."""
    words = [] if lesion.mean_hu is None else [f"{lesion.mean_hu:.0f} HU"]
    if lesion.density is not None and lesion.density.value is not None:
        words.append(lesion.density.value)
    elif lesion.density is not None:
        words.append(f"class not known: {lesion.density.reason}")
    return ", ".join(words)


def finding_words(finding: SubtypeFinding) -> str:
    """Whether a subtype is there."""
    if finding.presence is Presence.FOUND and not finding.certain:
        return "blood is found, its subtype is uncertain"
    return finding.presence.value


def headline(exam: ExamMeasurements) -> str:
    """One sentence: is there blood, which, how much."""
    ml = exam.total_volume_ml
    if exam.presence is Presence.NOT_FOUND and exam.disagreements:
        names = " and ".join(exam.disagreements).replace("any", "hemorrhage")
        return f"The masks show no hemorrhage; a second reading does ({names}): look at the slices."
    if exam.presence is Presence.NOT_FOUND:
        return "No hemorrhage found." if ml == 0 else f"No hemorrhage found (a trace, {ml:.2f} mL)."
    words = [_named(f) for f in exam.subtypes if f.presence is not Presence.NOT_FOUND]
    named = f": {', '.join(words)}" if words else ""
    if exam.presence is Presence.FOUND:
        open_ = ", of uncertain subtype" if any(w.startswith("perhaps") for w in words) else ""
        open_ = ", its subtype not told by the mask" if exam.unnamed else open_
        return f"Hemorrhage found, {ml:.1f} mL in all{open_}{named}."
    said = ", ".join([f"{ml:.1f} mL in all", *probability_words(exam.probability)])
    return f"Hemorrhage is possible, look at the slices ({said}){named}."


def _named(finding: SubtypeFinding) -> str:
    """For example ``"intraparenchymal hemorrhage 5.0 mL"``; perhaps: it is blood, of which subtype
    stays open; possibly: whether it is blood stays open.
    """
    text = f"{label_of(finding.subtype).name.lower()} {finding.volume.value:.1f} mL"
    if finding.presence is Presence.POSSIBLE:
        return f"possibly {text}"
    return text if finding.certain else f"perhaps {text}"


def glance_lines(exam: ExamMeasurements) -> list[str]:
    """What a reader asks next: shift, place and signs of the largest IPH, criteria that are met."""
    lines = [
        f"Midline shift at the foramina of Monro: {shift_words(exam.midline_shift)}.",
        f"Largest midline shift: {shift_words(exam.midline_shift.largest)}.",
    ]
    largest = next((x for x in exam.lesions if x.subtype is Subtype.IPH), None)
    if largest is not None:
        signs = [sign.title.lower() for sign in exam.signs if sign.met]
        said = f" Present on non-contrast CT: {', '.join(signs)}." if signs else ""
        lines.append(f"Largest IPH: {largest.volume_ml:.1f} mL, {place_words(largest)}.{said}")
    met = [criterion.title for criterion in exam.criteria if criterion.met]
    undecided = sum(criterion.met is None for criterion in exam.criteria)
    rest = f" Not decidable: {undecided} of {len(exam.criteria)}." if undecided else ""
    return [*lines, f"Published criteria that are met: {'; '.join(met) or 'none'}.{rest}"]


def change_words(change: VolumeChange) -> str:
    """For example ``"IPH: 10.0 to 14.0 mL (+4.0 mL, +40 %)"``."""
    percent = change.percent
    relative = f"{percent.value:+.0f} %" if percent.value is not None else percent.reason
    name = {"all": "all blood", "iph_ivh": "IPH + IVH"}.get(change.of, change.of)
    return (
        f"{name}: {change.baseline.ml:.1f} to {change.followup.ml:.1f} mL "
        f"({change.change_ml:+.1f} mL, {relative})"
    )


def followup_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """What the command line prints: each later scan against the baseline."""
    lines = [RESEARCH_USE]
    for found in comparisons:
        hours = "hours not given" if found.hours is None else f"{found.hours:g} h later"
        lines.append(f"{found.followup.case_id} against {found.baseline.case_id}, {hours}")
        lines += [change_words(v) for v in found.volumes if v.baseline.ml or v.followup.ml]
        answer = {True: "yes", False: "no", None: "not decidable"}
        lines += [f"{e.id}: {answer[e.expanded]} ({e.because})" for e in found.expansions]
        shift = found.shift
        change = (
            f"not measurable: {shift.reason}"
            if shift.value is None
            else f"{shift.value:+.1f} mm to the right"
        )
        lines.append(f"Midline shift, change: {change}.")
        lines += [f"warning {w.code}: {w.message}" for w in found.warnings]
    return lines


def summary_lines(
    exam: ExamMeasurements, warnings: Iterable[Notice], provenance: Provenance
) -> list[str]:
    """What the command line prints at the end."""
    lines = [
        provenance.status or RESEARCH_USE,
        headline(exam),
        *glance_lines(exam),
    ]
    return lines + [f"warning {w.code}: {w.message}" for w in warnings]
