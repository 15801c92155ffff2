"""How a hemorrhage changed between two scans of one patient."""

from __future__ import annotations

from monai_ich.core.followup import TimePoint, VolumeChange
from monai_ich.core.measurement import Measurement


def compare_volumes(baseline: TimePoint, followup: TimePoint) -> tuple[VolumeChange, ...]:
    """All blood first, then each subtype."""
    names = [name for name in baseline.volume_ml if name in followup.volume_ml]
    total = VolumeChange("all", sum(baseline.volume_ml.values()), sum(followup.volume_ml.values()))
    return (
        total,
        *(VolumeChange(name, baseline.volume_ml[name], followup.volume_ml[name]) for name in names),
    )


def compare_shifts(baseline: TimePoint, followup: TimePoint) -> Measurement:
    """Change of the midline shift in mm, positive toward the patient's right.

    >>> shifts = [Measurement("s", mm, "mm", "midline", "m") for mm in (-4.0, -6.5)]
    >>> a, b = (TimePoint(name, {}, mm) for name, mm in zip("ab", shifts, strict=True))
    >>> compare_shifts(a, b).value
    -2.5
    """
    method = "difference of two midline shifts, each from its own plane"
    if baseline.shift_mm.method != followup.shift_mm.method and None not in (
        baseline.shift_mm.value,
        followup.shift_mm.value,
    ):
        reason = "the two analyses measured it differently: analyze both with one version"
        return Measurement("midline_shift_change", None, "mm", "midline", method, reason=reason)
    for when, point in (("baseline", baseline), ("follow-up", followup)):
        if point.shift_mm.value is None:
            reason = f"{when}: {point.shift_mm.reason}"
            return Measurement("midline_shift_change", None, "mm", "midline", method, reason=reason)
    change = float(followup.shift_mm.value or 0.0) - float(baseline.shift_mm.value or 0.0)
    return Measurement("midline_shift_change", change, "mm", "midline", method)
