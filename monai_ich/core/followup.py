"""Scans of one patient over time: what of each is compared, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice

LEAST_BASELINE_ML = 1.0  # a third more of a 1 mL ball is a border 0.6 mm further out: one pixel


@dataclass(frozen=True)
class Amount:
    """How much of one subtype, of several, or of all blood there is.

    Args:
        ml: volume; 0.0 means none was found.
        present: whether that is enough to count, by the operating point of who made the mask.
        certain: false where it is blood of a subtype that stays open.
        interval_ml: 95 % interval; None where the weights gave none.
    """

    ml: float
    present: bool = True
    certain: bool = True
    interval_ml: tuple[float, float] | None = None


@dataclass(frozen=True)
class TimePoint:
    """What of an earlier analysis is compared.

    Args:
        case_id: its name.
        amounts: by subtype name, each measured on its own scan's grid; empty where the mask does
            not tell subtypes apart.
        total: all blood.
        shift_mm: midline shift, positive to the patient's right, or why there is none.
        hours: since any fixed moment, the same for all scans; None where nobody said.
        weights: bundle name to the sha256 of the weights that made the masks.
        version: of the toolkit that measured it.
        origin: columns that say where it comes from, see `Provenance.as_columns`.
    """

    case_id: str
    amounts: Mapping[str, Amount]
    total: Amount
    shift_mm: Measurement
    hours: float | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class VolumeChange:
    """Of one subtype, of several or of all blood.

    >>> change = VolumeChange("IPH", Amount(10.0), Amount(14.0))
    >>> change.change_ml, change.percent.value
    (4.0, 40.0)
    >>> VolumeChange("IPH", Amount(0.2), Amount(0.3)).percent.reason
    'less than 1 mL at baseline'
    """

    of: str
    baseline: Amount
    followup: Amount

    @property
    def change_ml(self) -> float:
        """Positive where there is more; to 0.001 mL, as precise as the two volumes are kept."""
        return round(self.followup.ml - self.baseline.ml, 3)

    @property
    def percent(self) -> Measurement:
        """Change in percent of the baseline.

        Not of less than `LEAST_BASELINE_ML`, where 33 % is the border's shift by about a pixel and
        says nothing of growth.
        """
        if self.baseline.ml < LEAST_BASELINE_ML:
            some = f"less than {LEAST_BASELINE_ML:.0f} mL" if self.baseline.ml else "none"
            return self._measured(None, f"{some} at baseline")
        return self._measured(round(100.0 * self.change_ml / self.baseline.ml, 6))

    @property
    def beyond_intervals(self) -> bool | None:
        """Whether the two 95 % intervals are apart; None where one of them is missing."""
        a, b = self.baseline.interval_ml, self.followup.interval_ml
        return None if a is None or b is None else a[1] < b[0] or b[1] < a[0]

    def _measured(self, value: float | None, reason: str | None = None) -> Measurement:
        method = "change over the baseline's volume"
        return Measurement("volume_change", value, "%", self.of, method, reason=reason)


@dataclass(frozen=True)
class Expansion:
    """One published definition of hematoma expansion, applied to two scans.

    Args:
        id: also the name of its column, for example ``"iph_over_6_ml"``.
        expanded: None where it cannot be decided.
        because: the numbers behind it, or why it is undecided.
        source: the publication.
    """

    id: str
    expanded: bool | None
    because: str
    source: str


@dataclass(frozen=True)
class Comparison:
    """A later scan against the baseline.

    Args:
        baseline, followup: the scans.
        volumes: change of all blood, of IPH and IVH together, and of each subtype; only of all
            blood where one of the masks does not tell subtypes apart.
        expansions: each published definition.
        shift: change of the midline shift in mm, positive toward the patient's right.
        warnings: what the reader must know.
    """

    baseline: TimePoint
    followup: TimePoint
    volumes: tuple[VolumeChange, ...]
    expansions: tuple[Expansion, ...]
    shift: Measurement
    warnings: tuple[Notice, ...]

    @property
    def hours(self) -> float | None:
        """From the baseline to this scan; None where nobody said."""
        if self.baseline.hours is None or self.followup.hours is None:
            return None
        return self.followup.hours - self.baseline.hours
