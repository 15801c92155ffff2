"""Two scans of one patient: what of each is compared, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_ich.core.measurement import Measurement

LIMIT_ML, LIMIT_PERCENT = 6.0, 33.0
SOURCE = "Brouwers 2014, doi:10.1001/jamaneurol.2013.5433 (> 6 mL or > 33 %)"


@dataclass(frozen=True)
class TimePoint:
    """What of an earlier analysis is compared.

    Args:
        case_id: its name.
        volume_ml: by subtype name, each measured on its own scan's grid.
        shift_mm: midline shift, positive to the patient's right, or why there is none.
    """

    case_id: str
    volume_ml: Mapping[str, float]
    shift_mm: Measurement


@dataclass(frozen=True)
class VolumeChange:
    """Of one subtype or of all blood.

    >>> change = VolumeChange("IPH", 10.0, 14.0)
    >>> change.change_ml, change.change_percent, change.over_6_ml, change.over_33_percent
    (4.0, 40.0, False, True)
    """

    of: str
    baseline_ml: float
    followup_ml: float

    @property
    def change_ml(self) -> float:
        """Positive where there is more."""
        return self.followup_ml - self.baseline_ml

    @property
    def change_percent(self) -> float | None:
        """Of the baseline; None where there was none."""
        return 100.0 * self.change_ml / self.baseline_ml if self.baseline_ml else None

    @property
    def over_6_ml(self) -> bool:
        """Whether it grew by more than 6 mL."""
        return self.change_ml > LIMIT_ML

    @property
    def over_33_percent(self) -> bool | None:
        """Whether it grew by more than 33 %; None where there was none: it is new."""
        return None if self.change_percent is None else self.change_percent > LIMIT_PERCENT

    @property
    def expanded(self) -> bool:
        """Whether it grew by either."""
        return self.over_6_ml or bool(self.over_33_percent)
