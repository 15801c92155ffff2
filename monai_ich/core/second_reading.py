"""What a second network says of an exam: one that reads slices and draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_ich.core.labels import Subtype

FINDINGS = ("any", *(s.name for s in Subtype))


@dataclass(frozen=True)
class Thresholds:
    """From which probability on a finding is taken for present, and below which for absent; what
    lies between stays open.

    Args:
        absent_below, present_from: 0 to 1, the former no larger.
    """

    absent_below: float
    present_from: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.absent_below <= self.present_from <= 1.0:
            raise ValueError("thresholds are probabilities in order")

    def says(self, probability: float) -> bool | None:
        """None where it stays open.

        >>> [Thresholds(0.2, 0.8).says(p) for p in (0.1, 0.2, 0.5, 0.8)]
        [False, None, None, True]
        """
        if probability < self.absent_below:
            return False
        return True if probability >= self.present_from else None


@dataclass(frozen=True)
class SecondReading:
    """Of each of `FINDINGS`.

    Args:
        probabilities: of the exam.
        thresholds: of these probabilities, for these weights; empty where they were not found out.
    """

    probabilities: Mapping[str, float]
    thresholds: Mapping[str, Thresholds]

    def says(self, finding: str) -> bool | None:
        """None where it stays open."""
        known = self.thresholds.get(finding)
        return None if known is None else known.says(self.probabilities[finding])
