"""Results in words."""

from __future__ import annotations

from collections.abc import Iterable

from monai_ich.core.exam import ExamMeasurements, Lesion, ShiftAt, SubtypeFinding
from monai_ich.core.followup import VolumeChange
from monai_ich.core.labels import label_of
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice, Provenance

RESEARCH_USE = "For research use; not a medical device."
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


def interval_words(interval: tuple[float, float] | None, unit: str) -> list[str]:
    """For example ``["95 % interval 5.6 to 7.0 mm"]``; empty where there is none."""
    if interval is None:
        return []
    low, high = interval
    return [f"95 % interval {low:.1f} to {high:.1f} {unit}"]


def probability_words(probability: float | None) -> list[str]:
    """For example ``["probability 97 %"]``; empty where there is none."""
    return [] if probability is None else [f"probability {100 * probability:.0f} %"]


def thickness_words(lesion: Lesion) -> str:
    """For example ``"11.2 mm"``, or why it is not measurable; empty for a lesion that is not on the
    skull.
    """
    if lesion.thickness is None:
        return ""
    mm = lesion.thickness.value
    return f"not measurable: {lesion.thickness.reason}" if mm is None else f"{mm:.1f} mm"


def finding_words(finding: SubtypeFinding) -> str:
    """Whether a subtype is there."""
    if finding.present:
        return "present" if finding.certain else "blood is present, its subtype is uncertain"
    return "too little to count" if finding.volume.value else "not found"


def headline(exam: ExamMeasurements) -> str:
    """One sentence: is there blood, which, how much."""
    if not exam.hemorrhage_present:
        below = exam.total_volume_ml
        return (
            "No hemorrhage found."
            if below == 0
            else f"No hemorrhage found ({below:.2f} mL: too little to count)."
        )
    words = {
        f: f"{label_of(f.subtype).name.lower()} {f.volume.value:.1f} mL"
        for f in exam.subtypes
        if f.present
    }
    names = [
        text if f.certain else f"of uncertain subtype (perhaps {text})" for f, text in words.items()
    ]
    return f"Hemorrhage found, {exam.total_volume_ml:.1f} mL in all: {', '.join(names)}."


def change_words(change: VolumeChange) -> str:
    """For example ``"IPH: 10.0 to 14.0 mL (+4.0 mL, +40 %)"``."""
    percent = "new" if change.change_percent is None else f"{change.change_percent:+.0f} %"
    name = "all blood" if change.of == "all" else change.of
    return (
        f"{name}: {change.baseline_ml:.1f} to {change.followup_ml:.1f} mL "
        f"({change.change_ml:+.1f} mL, {percent})"
    )


def followup_lines(
    volumes: tuple[VolumeChange, ...], shift: Measurement, warnings: Iterable[Notice]
) -> list[str]:
    """What the command line prints about two scans."""
    whole = volumes[0]
    by = [
        text
        for text, met in (("> 6 mL", whole.over_6_ml), ("> 33 %", whole.over_33_percent))
        if met
    ]
    lines = [RESEARCH_USE, f"Expansion: {'yes, ' + ' and '.join(by) if by else 'no'}."]
    lines += [change_words(v) for v in volumes if v.baseline_ml or v.followup_ml]
    change = (
        f"not measurable: {shift.reason}"
        if shift.value is None
        else f"{shift.value:+.1f} mm to the right"
    )
    return [
        *lines,
        f"Midline shift, change: {change}.",
        *(f"warning {w.code}: {w.message}" for w in warnings),
    ]


def summary_lines(
    exam: ExamMeasurements, warnings: Iterable[Notice], provenance: Provenance
) -> list[str]:
    """What the command line prints at the end."""
    lines = [
        provenance.status or RESEARCH_USE,
        headline(exam),
        f"Midline shift: {shift_words(exam.midline_shift)}.",
        f"Largest midline shift: {shift_words(exam.midline_shift.largest)}.",
    ]
    return lines + [f"warning {w.code}: {w.message}" for w in warnings]
