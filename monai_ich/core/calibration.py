"""From what a network believes to what its numbers are worth: probabilities, intervals, operating
points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scipy.special import betaincinv

ANY = "any"  # all subtypes together
COVERAGE = 0.95  # of an interval
SHIFT, SHIFT_MAX = "midline_shift", "midline_shift_max"  # at the foramina of Monro; the largest
SUREST_ML = 0.2  # of a finding, whose certainty says whether there is any
_SURE = 50.0  # log odds beyond which nothing changes in 4 digits


@dataclass(frozen=True)
class Evidence:
    """What the probabilities of a network's voxels add up to, by subtype name and for `ANY`.

    Args:
        expected_ml: sum of the probabilities, times the voxel's volume.
        doubt_ml: sum of ``p (1 - p)``, times the voxel's volume: 0 where every voxel is certain.
        log_odds: which its surest `SUREST_ML` exceed.
        slices_ml: `expected_ml` of each slice, by K index; empty where it was not kept.
    """

    expected_ml: Mapping[str, float]
    doubt_ml: Mapping[str, float]
    log_odds: Mapping[str, float]
    slices_ml: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def rules_out_zero(probability: float | None) -> bool:
    """Whether there is more doubt about no blood at all than a 95 % interval may leave out.

    >>> rules_out_zero(0.42), rules_out_zero(0.03), rules_out_zero(None)
    (True, False, False)
    """
    return probability is not None and probability > 1.0 - COVERAGE


@dataclass(frozen=True)
class Misses:
    """Of the calibration scans in which none was found, how many held some all the same.

    Args:
        scans: in which none was found, at least one.
        missed: of these, those that held some.
    """

    scans: int
    missed: int

    @property
    def share_high(self) -> float:
        """Upper 95 % bound of the share that is missed; without a miss about 3 / `scans`, the rule
        of three.

        References:
            Clopper 1934 doi:10.1093/biomet/26.4.404; Hanley 1983
            doi:10.1001/jama.1983.03330370053031

        >>> Misses(150, 0).share_high, Misses(150, 2).share_high, Misses(1, 1).share_high
        (0.0198, 0.0414, 1.0)
        """
        if self.missed >= self.scans:
            return 1.0
        return round(float(betaincinv(self.missed + 1, self.scans - self.missed, 0.95)), 4)

    @property
    def words(self) -> str:
        """For beside an interval of 0.0 to 0.0.

        >>> Misses(150, 0).words
        'of 150 calibration scans in which none was found, 0 held some: at most 2.0 % of such scans'
        """
        return (
            f"of {self.scans} calibration scans in which none was found, {self.missed} held some: "
            f"at most {100 * self.share_high:.1f} % of such scans"
        )

    def beside(self, probability: float | None) -> str:
        """The same beside the probability of one scan, which may be more than twice that share.

        >>> Misses(150, 0).beside(0.42)[-58:]
        'at most 2.0 % of such scans; this scan is less clear: 42 %'
        """
        if probability is None or probability <= 2.0 * self.share_high:
            return self.words
        return f"{self.words}; this scan is less clear: {100 * probability:.0f} %"


@dataclass(frozen=True)
class CalibrationSet:
    """The scans that probabilities and intervals were learned on: they hold for scans like these.

    Args:
        data: what they are, in words.
        scans: how many.
        with_blood: how many of them held any hemorrhage.
    """

    data: str
    scans: int
    with_blood: int

    @property
    def words(self) -> str:
        """For beside the probabilities.

        >>> CalibrationSet("made-up heads, 200 scans", 200, 90).words[:90]
        'Probabilities and intervals were learned on made-up heads, 200 scans: 90 of 200 (45 %) hel'
        """
        return (
            f"Probabilities and intervals were learned on {self.data}: {self.with_blood} of "
            f"{self.scans} ({100 * self.with_blood / self.scans:.0f} %) held hemorrhage. They hold "
            "for scans like those; where hemorrhage is rarer, it is less probable than stated."
        )


@dataclass(frozen=True)
class Calibrator:
    """What was learned about one subtype (or `ANY`) on validation scans with known truth.

    Args:
        operating_point_ml: the volume from which it counts as present.
        surest: log odds of its presence: intercept and slope over `Evidence.log_odds`.
        where_found: lowest and highest error of the volume that hold 95 % of the scans in which
            some was found, as a multiple of `scale_ml`; None where there were too few scans.
        where_none: the same of scans in which none was found.
        scans, present: how many, and in how many of them it was.
        none_found, missed: in how many of them none was found, and how many of those held some.
    """

    operating_point_ml: float
    surest: tuple[float, float]
    where_found: tuple[float, float] | None
    where_none: tuple[float, float] | None
    scans: int
    present: int
    none_found: int = 0
    missed: int = 0

    @property
    def misses(self) -> Misses | None:
        """None where some was found in every scan."""
        return Misses(self.none_found, self.missed) if self.none_found else None

    def probability(self, log_odds: float) -> float:
        """Of presence, 0 to 1, from what the surest of it exceeds.

        >>> Calibrator(0.5, (-5.0, 2.0), None, None, 100, 30).probability(3.0)
        0.7311
        """
        intercept, slope = self.surest
        said = intercept + slope * log_odds
        return round(1.0 / (1.0 + math.exp(-max(-_SURE, min(_SURE, said)))), 4)

    def interval_ml(
        self, found_ml: float, expected_ml: float, doubt_ml: float, log_odds: float
    ) -> tuple[float, float] | None:
        """95 % interval of the true volume, the found volume in it; None where it was not
        calibrated, or would be 0 to 0 although the probability that there is some exceeds 5 %.

        >>> calibrator = Calibrator(0.5, (-5.0, 2.0), (-1.0, 2.0), (0.0, 0.0), 100, 30)
        >>> calibrator.interval_ml(10.0, 10.0, 0.4, 7.0)
        (9.0, 12.0)
        >>> calibrator.interval_ml(0.0, 0.0, 0.0, -9.0), calibrator.interval_ml(0.0, 0.5, 0.4, 1.5)
        ((0.0, 0.0), None)
        """
        errors = self.where_found if found_ml > 0 else self.where_none
        if errors is None:
            return None
        scale = scale_ml(expected_ml, doubt_ml)
        low, high = (found_ml + scale * error for error in errors)
        low, high = round(max(0.0, min(low, found_ml)), 4), round(max(high, found_ml), 4)
        return None if high == 0.0 and rules_out_zero(self.probability(log_odds)) else (low, high)


@dataclass(frozen=True)
class ShiftCalibrator:
    """What was learned about the midline shift on validation scans whose shift is known.

    Args:
        weights_sha256: of the anatomy weights that it belongs to.
        errors_mm: lowest and highest of true minus measured shift, toward the measured side, that
            hold 95 %.
        scans: how many.
        of: name of the measurement whose errors these are.
    """

    weights_sha256: str
    errors_mm: tuple[float, float]
    scans: int
    of: str

    def interval_mm(self, shift_mm: float) -> tuple[float, float]:
        """95 % interval of the true shift toward the same side, the measured one in it.

        >>> ShiftCalibrator("", (-2.0, 3.0), 60, SHIFT).interval_mm(1.5)
        (0.0, 4.5)
        """
        low, high = self.errors_mm
        return max(0.0, shift_mm + min(low, 0.0)), shift_mm + max(high, 0.0)


@dataclass(frozen=True)
class Calibration:
    """What a bundle's ``operating_points.json`` holds.

    Args:
        weights_sha256: of the hemorrhage weights that it belongs to; others have other errors.
        data: what it was learned on, in words.
        of: `Calibrator` of each subtype name, and of `ANY`.
        shift: of the midline shift; None where too few scans had a known one.
    """

    weights_sha256: str
    data: str
    of: Mapping[str, Calibrator]
    shift: ShiftCalibrator | None = None

    def with_anatomy(self, weights_sha256: str) -> Calibration:
        """Without the midline shift, unless it was learned with these anatomy weights."""
        known = self.shift is not None and self.shift.weights_sha256 == weights_sha256
        return self if known else replace(self, shift=None)

    def probability(self, name: str, evidence: Evidence) -> float:
        """Of presence of a subtype (or `ANY`)."""
        return self.of[name].probability(evidence.log_odds[name])

    def interval_ml(
        self, name: str, found_ml: float, evidence: Evidence
    ) -> tuple[float, float] | None:
        """95 % interval of the true volume of a subtype (or `ANY`)."""
        return self.of[name].interval_ml(
            found_ml, evidence.expected_ml[name], evidence.doubt_ml[name], evidence.log_odds[name]
        )

    @property
    def learned_on(self) -> CalibrationSet:
        """What it was learned on."""
        return CalibrationSet(self.data, self.of[ANY].scans, self.of[ANY].present)

    @property
    def operating_points_ml(self) -> dict[str, float]:
        """By subtype name."""
        return {
            name: calibrator.operating_point_ml
            for name, calibrator in self.of.items()
            if name != ANY
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Calibration:
        """The opposite of `as_dict`."""
        found = {
            name: Calibrator(**{k: _pair(v) for k, v in row.items()})
            for name, row in record["of"].items()
        }
        shift = record.get("shift")
        kept = ShiftCalibrator(**{k: _pair(v) for k, v in shift.items()}) if shift else None
        return cls(record["weights_sha256"], record["data"], found, kept)


def _pair(value: Any) -> Any:
    return (float(value[0]), float(value[1])) if isinstance(value, (list, tuple)) else value


def scale_ml(expected_ml: float, doubt_ml: float) -> float:
    """What errors of a volume grow with: the doubt of its voxels, 5 % of it, and never less than
    0.1 mL.

    >>> scale_ml(10.0, 0.4)
    1.0
    """
    return doubt_ml + 0.05 * expected_ml + 0.1
