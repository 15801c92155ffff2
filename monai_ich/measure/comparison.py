"""How the hemorrhage of one patient changed from one scan to a later one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from monai_ich.core.followup import Amount, Comparison, TimePoint, VolumeChange
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice
from monai_ich.measure.expansion import BOTH, judge_expansion

ALL = "all"
LATEST_H = 72.0


def compare_scans(
    baseline: TimePoint, followup: TimePoint, warnings: Iterable[Notice] = ()
) -> Comparison:
    """Everything that is said of two scans; `warnings` come first."""
    volumes = compare_volumes(baseline, followup)
    amounts = [*baseline.amounts.values(), *followup.amounts.values()]
    certain = all(amount.certain or not amount.present for amount in amounts)
    found = Comparison(
        baseline,
        followup,
        volumes,
        judge_expansion(volumes, certain=certain),
        compare_shifts(baseline, followup),
        tuple(warnings),
    )
    return replace(found, warnings=found.warnings + _comparable(found))


def compare_volumes(baseline: TimePoint, followup: TimePoint) -> tuple[VolumeChange, ...]:
    """All blood first, then IPH and IVH together, then each subtype; only all blood where one of
    the masks does not tell subtypes apart.
    """
    every = VolumeChange(ALL, baseline.total, followup.total)
    if not baseline.amounts or not followup.amounts:
        return (every,)
    return (
        every,
        VolumeChange(BOTH, _both(baseline), _both(followup)),
        *(
            VolumeChange(name, amount, followup.amounts[name])
            for name, amount in baseline.amounts.items()
        ),
    )


def _both(point: TimePoint) -> Amount:
    """IPH and IVH; their intervals do not add up to one of the sum."""
    return Amount(round(sum(point.amounts[name].ml for name in ("IPH", "IVH")), 3))


def compare_shifts(baseline: TimePoint, followup: TimePoint) -> Measurement:
    """Change of the midline shift in mm, positive toward the patient's right.

    >>> shifts = [Measurement("s", mm, "mm", "midline", "m") for mm in (-4.0, -6.5)]
    >>> a, b = (TimePoint(n, {}, Amount(0), mm) for n, mm in zip("ab", shifts, strict=True))
    >>> compare_shifts(a, b).value
    -2.5
    """
    method = "difference of two midline shifts, each from its own plane"

    def none(reason: str) -> Measurement:
        return Measurement("midline_shift_change", None, "mm", "midline", method, reason=reason)

    for when, point in (("baseline", baseline), ("follow-up", followup)):
        if point.shift_mm.value is None:
            return none(f"{when}: {point.shift_mm.reason}")
    if baseline.shift_mm.method != followup.shift_mm.method:
        return none("the two analyses measured it differently: analyze both with one version")
    change = float(followup.shift_mm.value or 0.0) - float(baseline.shift_mm.value or 0.0)
    return Measurement("midline_shift_change", change, "mm", "midline", method)


def _comparable(found: Comparison) -> tuple[Notice, ...]:
    """What makes a change other than one of the hemorrhage, or too small or late to tell."""
    a, b = found.baseline, found.followup
    notices = []
    if a.weights != b.weights:
        text = "The masks of the two scans were not made with the same weights"
        notices.append(Notice("DIFFERENT_WEIGHTS", f"{text}: a change may be theirs."))
    if a.version != b.version:
        text = "The two scans were measured with different versions of MONAI-ICH"
        notices.append(Notice("DIFFERENT_VERSIONS", f"{text}: a change may be theirs."))
    if a.origin.get("settings_digest") != b.origin.get("settings_digest"):
        text = "The two scans were analyzed with different settings"
        notices.append(Notice("DIFFERENT_SETTINGS", f"{text}: a change may be theirs."))
    within = [c.of for c in found.volumes if c.beyond_intervals is False and c.change_ml]
    if within:
        text = f"The 95 % intervals of the two scans overlap ({', '.join(within)})"
        notices.append(Notice("CHANGE_WITHIN_INTERVALS", f"{text}: there may be no change."))
    if found.hours is not None and found.hours > LATEST_H:
        text = f"The scans are {found.hours:g} h apart"
        limit = f"expansion is defined on scans within about {LATEST_H:.0f} h"
        notices.append(Notice("LATE_FOLLOWUP", f"{text}: {limit}."))
    return tuple(notices)
