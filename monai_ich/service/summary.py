"""What pages, tables and drift need of a result, as one JSON record without identity."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import numpy as np

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.presence import Presence
from monai_ich.core.volume import CTVolume, Mask
from monai_ich.report.wording import headline

URGENT_SHIFT_MM, URGENT_ML = 5.0, 30.0  # Bullock 2006: surgery is weighed from these on
POSSIBLE, NOT_FOUND = 3, 4  # urgencies
HU_EDGES = (-1025.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 3072.0)


@dataclass(frozen=True)
class Finding:
    """One subtype: volume in mL, its 95 % interval, probability; None where not calibrated. It is
    not certain where the weights confuse it with others: blood, of which kind stays open.
    """

    name: str
    presence: str
    volume_ml: float
    interval_ml: tuple[float, float] | None
    probability: float | None
    certain: bool = True

    @property
    def words(self) -> str:
        """Name and presence.

        >>> Finding("IPH", "found", 5.0, None, None, certain=False).words
        'found, perhaps IPH'
        """
        if self.presence == Presence.FOUND.value and not self.certain:
            return f"found, perhaps {self.name}"
        return f"{self.name} {self.presence}"


@dataclass(frozen=True)
class Summary:
    """One result.

    Args:
        presence: found, possible, not found: of any hemorrhage.
        headline: one sentence.
        urgency: 1 found with mass effect or much blood, 2 found, 3 possible or found by the second
            reading alone, 4 not found.
        total_ml, total_interval_ml, probability: of any hemorrhage.
        shift_mm, shift_interval_mm, toward: midline shift; None where not measurable.
        shift_reason: why it is not measurable.
        findings: of each subtype.
        warnings: codes.
        spacing_mm: of the scan.
        hu_counts: voxels of the cavity in the bins of `HU_EDGES`, for drift.
        weights: names and hashes.
        disagrees: findings where the second reading contradicts the masks; None where that is not
            known.
    """

    presence: str
    headline: str
    urgency: int
    total_ml: float
    total_interval_ml: tuple[float, float] | None = None
    probability: float | None = None
    shift_mm: float | None = None
    shift_interval_mm: tuple[float, float] | None = None
    toward: str = ""
    shift_reason: str = ""
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    hu_counts: tuple[int, ...] = ()
    weights: dict[str, str] = field(default_factory=dict)
    disagrees: tuple[str, ...] | None = None

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), allow_nan=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Summary:
        """Read it back."""
        said = json.loads(text)
        found = tuple(Finding(**f) for f in said.pop("findings"))
        return cls(findings=found, **said)


def summarize(
    exam: ExamMeasurements,
    *,
    warnings: tuple[str, ...] = (),
    ct: CTVolume | None = None,
    cavity: Mask | None = None,
    weights: dict[str, str] | None = None,
) -> Summary:
    """Shorten an exam.

    Args:
        exam: what was measured.
        warnings: codes.
        ct, cavity: for drift; None for numbers of a mask that a reader drew.
        weights: names and hashes.
    """
    shift = exam.midline_shift
    counts: tuple[int, ...] = ()
    if ct is not None and cavity is not None:
        inside = ct.hu[cavity.voxels]
        counts = tuple(int(n) for n in np.histogram(inside, bins=HU_EDGES)[0])
    return Summary(
        presence=exam.presence.value,
        headline=headline(exam),
        urgency=_urgency(exam),
        total_ml=round(exam.total_volume_ml, 3),
        total_interval_ml=exam.total_interval_ml,
        probability=exam.probability,
        shift_mm=shift.measurement.value,
        shift_interval_mm=shift.measurement.interval,
        toward=shift.toward or "",
        shift_reason=shift.measurement.reason or "",
        findings=tuple(
            Finding(
                f.subtype.name,
                f.presence.value,
                round(f.volume_ml, 3),
                f.volume.interval,
                f.probability,
                f.certain,
            )
            for f in exam.subtypes
        ),
        warnings=warnings,
        spacing_mm=tuple(ct.geometry.spacing_mm) if ct is not None else (),
        hu_counts=counts,
        weights=weights or {},
        disagrees=exam.disagreements,
    )


def _urgency(exam: ExamMeasurements) -> int:
    shift_mm = exam.midline_shift.measurement.value
    urgency = urgency_of(exam.presence, exam.total_volume_ml, shift_mm)
    is_found_by_second = urgency == NOT_FOUND and bool(exam.disagreements)
    return POSSIBLE if is_found_by_second else urgency


def urgency_of(presence: Presence, total_ml: float, shift_mm: float | None) -> int:
    """Place in the worklist.

    >>> found = Presence.FOUND
    >>> [urgency_of(found, ml, mm) for ml, mm in ((2.0, None), (2.0, 6.0), (40.0, 0.0))]
    [2, 1, 1]
    >>> urgency_of(Presence.POSSIBLE, 50.0, 9.0), urgency_of(Presence.NOT_FOUND, 0.0, 9.0)
    (3, 4)
    """
    if presence is Presence.FOUND:
        return 1 if total_ml >= URGENT_ML or (shift_mm or 0.0) >= URGENT_SHIFT_MM else 2
    return POSSIBLE if presence is Presence.POSSIBLE else NOT_FOUND
