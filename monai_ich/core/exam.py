"""What is measured in one exam: findings by subtype, lesions, midline shift, criteria."""

from __future__ import annotations

from dataclasses import dataclass, field

from monai_ich.core.calibration import CalibrationSet, Evidence, Misses
from monai_ich.core.exam_slices import KeySlice, Point, SliceRow
from monai_ich.core.labels import EXTRA_AXIAL, Subtype
from monai_ich.core.lesion import Lesion, Specks
from monai_ich.core.measurement import Category, Measurement, NotMeasurable
from monai_ich.core.presence import Presence
from monai_ich.core.provenance import Notice
from monai_ich.core.second_reading import FINDINGS, SecondReading

NO_SUBTYPES = "the mask does not tell subtypes apart"


def _unmeasured(name: str, unit: str, of: str) -> Measurement:
    return Measurement(name, None, unit, of, "none", reason="it was not measured")


_NO_THIRD = _unmeasured("third_ventricle", "mm", "ventricles")
_NO_HORNS = _unmeasured("temporal_horns", "mm", "ventricles")
_NO_EDEMA = _unmeasured("edema_volume", "mL", "edema")
_NO_SPECKS = Specks()
_NO_SECOND_READING = NotMeasurable("no second network was run")
_NO_RATIO = _unmeasured("edema_iph_ratio", "1", "edema")


@dataclass(frozen=True)
class SubtypeFinding:
    """One subtype of an exam.

    Args:
        subtype: which.
        present: whether the volume reaches the subtype's operating point.
        volume: mL; 0.0 is a result: none was found.
        certain: false where the weights confuse this subtype with others: it is blood, of which
            kind stays open.
        probability: of presence, calibrated on scans with known truth; None where it was not.
        misses: of calibration scans in which none was found either; None where some was found.
    """

    subtype: Subtype
    present: bool
    volume: Measurement
    certain: bool = True
    probability: float | None = None
    misses: Misses | None = None

    @property
    def volume_ml(self) -> float:
        """Its volume; 0.0 where none was found."""
        return float(self.volume.value or 0.0)

    @property
    def presence(self) -> Presence:
        """Found, possible or not found."""
        return Presence.of(self.present, self.volume_ml, self.volume.interval, self.probability)


@dataclass(frozen=True)
class Unnamed:
    """All blood of a mask that does not tell subtypes apart.

    Args:
        ml: its volume.
        present: whether that reaches the largest of the operating points.
    """

    ml: float
    present: bool


@dataclass(frozen=True)
class ShiftAt:
    """A midline shift and where it is.

    Args:
        measurement: mm, never negative; or the reason why there is none.
        toward: the patient's side that the midline moved to; None below 0.5 mm or where not
            measured.
        at_ras_mm: point of the displaced midline there.
        slice_index: its slice (K index).
    """

    measurement: Measurement
    toward: str | None = None
    at_ras_mm: Point | None = None
    slice_index: int | None = None


def _not_looked_for() -> ShiftAt:
    reason = "it was not looked for"
    return ShiftAt(Measurement("midline_shift_max", None, "mm", "midline", "", reason=reason))


@dataclass(frozen=True)
class MidlineShift(ShiftAt):
    """The shift at the foramina of Monro, as guidelines measure it, and the largest.

    Args:
        profile_mm: slice index to largest shift there, signed, positive to the patient's right.
        largest: the largest at the level of septum pellucidum and third ventricle, wherever it is.
    """

    profile_mm: tuple[tuple[int, float], ...] = ()
    largest: ShiftAt = field(default_factory=_not_looked_for)


@dataclass(frozen=True)
class Criterion:
    """A published criterion as a fact with its source, no advice.

    Args:
        id: for example ``"BTF-2006-EDH"``.
        met: None where it cannot be decided.
        because: the numbers behind it.
        source: the publication.
        title: what it says, in words.
    """

    id: str
    met: bool | None
    because: str
    source: str = ""
    title: str = ""


@dataclass(frozen=True)
class Score:
    """A published score in its parts.

    Args:
        id: lower case; the names of its parts begin with it, and are columns of tables.
        title: its name and year.
        components: each with its value, or the reason why there is none.
        total: known only where all components are; None where the publication defines no total.
        source: the publication.
    """

    id: str
    title: str
    components: tuple[Measurement, ...]
    total: Measurement | None
    source: str

    @property
    def numbers(self) -> tuple[Measurement, ...]:
        """The components and, last, the total."""
        return (*self.components, *([] if self.total is None else [self.total]))

    @property
    def unknown(self) -> dict[str, list[str]]:
        """Reasons why numbers are missing, each with the names of the parts, without the id."""
        found: dict[str, list[str]] = {}
        for number in self.numbers:
            if number.reason is not None:
                found.setdefault(number.reason, []).append(number.name.removeprefix(f"{self.id}_"))
        return found


@dataclass(frozen=True)
class Ventricles:
    """The lateral and third ventricles.

    Args:
        volume: mL.
        left_right_ratio: volume of the left over that of the right.
        evans_index: largest width of the frontal horns over the largest width inside the skull on
            the same slice.
        evans_slice: that slice (K index); None where not measured.
        third_width: largest width of the third ventricle, mm.
        temporal_horns: width of the temporal horns, mm.
    """

    volume: Measurement
    left_right_ratio: Measurement
    evans_index: Measurement
    evans_slice: int | None = None
    third_width: Measurement = _NO_THIRD
    temporal_horns: Measurement = _NO_HORNS


@dataclass(frozen=True)
class Edema:
    """Edema around the clots, which is no blood.

    Args:
        volume: mL.
        ratio: that volume over the volume of IPH.
    """

    volume: Measurement = _NO_EDEMA
    ratio: Measurement = _NO_RATIO


@dataclass(frozen=True)
class ExamMeasurements:
    """What was measured in one exam; see the modules of `measure` for definitions.

    `signs` are those of the largest IPH on non-contrast CT, one `Criterion` each.
    `total_interval_ml` and `probability` are those of any hemorrhage, None where they were not
    calibrated, `misses` those of the calibration scans in which no blood was found, None where some
    was; `calibrated_on` is what all of these were learned on. `evidence` is the network's, None for
    labels that come from elsewhere. `lesions` are the pieces of `lesion_floor_ml` or more, `specks`
    the smaller ones; volumes count both. `unnamed` is all blood
    of a mask that does not tell subtypes apart: then there are no `subtypes`, and what rests on
    them has the reason `NO_SUBTYPES`. It is None for other masks. `second_reading` is that of a
    network which reads slices, or why there is none.
    """

    subtypes: tuple[SubtypeFinding, ...]
    lesions: tuple[Lesion, ...]
    midline_shift: MidlineShift
    cavity_ml: Measurement
    ventricles: Ventricles
    criteria: tuple[Criterion, ...]
    slices: tuple[SliceRow, ...]
    warnings: tuple[Notice, ...]
    total_interval_ml: tuple[float, float] | None = None
    probability: float | None = None
    misses: Misses | None = None
    calibrated_on: CalibrationSet | None = None
    evidence: Evidence | None = None
    key_slices: tuple[KeySlice, ...] = ()
    lesion_floor_ml: float = 0.0
    specks: Specks = _NO_SPECKS
    scores: tuple[Score, ...] = ()
    edema: Edema = Edema()
    signs: tuple[Criterion, ...] = ()
    unnamed: Unnamed | None = None
    second_reading: SecondReading | NotMeasurable = _NO_SECOND_READING

    @property
    def disagreements(self) -> tuple[str, ...] | None:
        """Of `FINDINGS` those that the masks hold and a second reading rules out, or the other way
        round; None where there is none with thresholds.
        """
        second = self.second_reading
        if isinstance(second, NotMeasurable) or not second.thresholds:
            return None
        masks = {f.subtype.name: f.presence for f in self.subtypes} | {"any": self.presence}
        against = {Presence.FOUND: False, Presence.NOT_FOUND: True}
        return tuple(
            name
            for name in FINDINGS
            if masks.get(name) in against and second.says(name) is against[masks[name]]
        )

    @property
    def hemorrhage_present(self) -> bool:
        """Whether any subtype is."""
        if self.unnamed is not None:
            return self.unnamed.present
        return any(finding.present for finding in self.subtypes)

    @property
    def presence(self) -> Presence:
        """Of any hemorrhage: found, possible or not found."""
        return Presence.of(
            self.hemorrhage_present,
            self.total_volume_ml,
            self.total_interval_ml,
            self.probability,
        )

    @property
    def total_volume_ml(self) -> float:
        """All subtypes, below their operating points too."""
        if self.unnamed is not None:
            return self.unnamed.ml
        return sum(finding.volume_ml for finding in self.subtypes)

    @property
    def max_thickness_mm(self) -> dict[Subtype, float]:
        """Perpendicular to the inner table, of each subtype where it is known; see
        `max_thickness`.
        """
        found = {s: self.max_thickness(s) for s in EXTRA_AXIAL}
        return {s: m.value for s, m in found.items() if m is not None and m.value is not None}

    def max_thickness(self, subtype: Subtype, *, axial: bool = False) -> Measurement | None:
        """Of the thickest clot of a subtype, or why it is not known which that is; None where there
        is no clot.
        """
        if self.unnamed is not None:
            of = subtype.name
            return Measurement("thickness", None, "mm", of, "none", reason=NO_SUBTYPES)
        found = [
            measured
            for x in self.lesions
            if x.subtype is subtype
            and (measured := x.axial_thickness if axial else x.thickness) is not None
        ]
        unknown = (measured for measured in found if measured.value is None)
        return next(unknown, max(found, key=lambda m: m.value or 0.0, default=None))

    @property
    def iph_location(self) -> Category:
        """Where the largest IPH lies."""
        if self.unnamed is not None:
            return Category(None, NO_SUBTYPES)
        found = [x.location for x in self.lesions if x.location is not None]
        return found[0] if found else Category(None, "no IPH was found")

    def as_metrics(self) -> dict[str, float]:
        """The exam's numbers by name, without those that could not be measured."""
        found = {f"volume_ml_{f.subtype.name}": f.volume.value for f in self.subtypes}
        found["volume_ml_total"] = self.total_volume_ml
        found["midline_shift_mm"] = self.midline_shift.measurement.value
        found["cavity_ml"] = self.cavity_ml.value
        found["ventricles_ml"] = self.ventricles.volume.value
        found["evans_index"] = self.ventricles.evans_index.value
        found["edema_ml"] = self.edema.volume.value
        found |= {
            f"max_thickness_mm_{subtype.name}": mm for subtype, mm in self.max_thickness_mm.items()
        }
        return {name: value for name, value in found.items() if value is not None}
