"""Groups of measurements of a DICOM structured report.

A number that could not be measured is there as "Measurement failure", never missing in silence.
Intervals are ranges of measurement uncertainty.

References:
    DICOM PS3.16 TID 1411 (volume ROI), 1501 (group), 320 (measurement), 310 (properties).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import highdicom as hd
import numpy as np
from highdicom import sr

from monai_ich.core.exam import Edema, ExamMeasurements, Score, ShiftAt, SubtypeFinding, Ventricles
from monai_ich.core.exam_slices import Point
from monai_ich.core.geometry import to_lps
from monai_ich.core.labels import Code, Hemorrhage, Subtype, label_of
from monai_ich.core.lesion import Abc2, Lesion
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import MAKER
from monai_ich.measure.scores import part_words
from monai_ich.pacs import codes
from monai_ich.pacs.origin import Origin, coded

_Group: TypeAlias = (
    sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)
_Evaluations: TypeAlias = Sequence[
    tuple[Code, Code | None]
]  # a question and its answer; None leaves both out
_DIGITS = {"mL": 3, "mm": 2, "1": 4}


@dataclass(frozen=True)
class _Number:
    """A measurement with its codes; without a value it becomes a measurement failure."""

    name: Code
    unit: Code
    value: float | None
    digits: int
    interval: tuple[float, float] | None = None
    derivation: Code | None = None
    method: Code | None = None
    at_ras_mm: Point | None = None


class Groups:
    """Groups of measurements, all by one algorithm on one scan."""

    def __init__(self, origin: Origin, segmentation: hd.seg.Segmentation) -> None:
        self.origin, self.segmentation = origin, segmentation
        weights = [
            f"weights {name} {sha256}" for name, sha256 in sorted(origin.provenance.weights.items())
        ]
        self.algorithm = sr.AlgorithmIdentification(
            MAKER, origin.version, parameters=weights or None
        )

    def exam(self, exam: ExamMeasurements) -> _Group:
        numbers = [
            _Number(
                codes.VOLUME, codes.MILLILITER, exam.total_volume_ml, 3, exam.total_interval_ml
            ),
            *_probability(exam.probability),
            _Number(codes.SPECK_COUNT, codes.ONE, exam.specks.count, 0),
            _Number(codes.SPECK_VOLUME, codes.MILLILITER, exam.specks.volume_ml, 3),
        ]
        return self._group(
            "hemorrhage",
            codes.HEMORRHAGE,
            numbers,
            [(codes.PRESENCE, codes.PRESENCES[exam.presence])],
        )

    def subtype(self, finding: SubtypeFinding) -> _Group:
        segment = sr.ReferencedSegment(
            sop_class_uid=self.segmentation.SOPClassUID,
            sop_instance_uid=self.segmentation.SOPInstanceUID,
            segment_number=int(finding.subtype),
            source_series=sr.SourceSeriesForSegmentation(self.origin.source.series_uid),
        )
        volume = finding.volume
        numbers = [
            _Number(codes.VOLUME, codes.MILLILITER, volume.value, 3, volume.interval),
            *_probability(finding.probability),
        ]
        said = [
            (codes.PRESENCE, codes.PRESENCES[finding.presence]),
            (codes.KIND, None if finding.certain else codes.KIND_UNCERTAIN),
        ]
        return self._group(
            finding.subtype.name,
            codes.SUBTYPES[finding.subtype],
            numbers,
            said,
            _site(finding.subtype),
            segment=segment,
        )

    def lesion(self, lesion: Lesion) -> _Group:
        of_density = (
            (lesion.mean_hu, codes.MEAN),
            (lesion.sd_hu, codes.STANDARD_DEVIATION),
            (lesion.max_hu, codes.MAXIMUM),
        )
        numbers = [
            _Number(codes.VOLUME, codes.MILLILITER, lesion.volume_ml, 3),
            *_abc2(lesion),
            *_thickness(lesion),
            *(
                _Number(codes.ATTENUATION, codes.HOUNSFIELD, hu, 1, derivation=derivation)
                for hu, derivation in of_density
                if hu is not None
            ),
            *_if_known(codes.SPHERICITY, codes.ONE, lesion.sphericity, 3),
            *_if_known(codes.IRREGULARITY, codes.ONE, lesion.irregularity_index, 1),
            *_if_known(codes.SKULL_DISTANCE, codes.MILLIMETER, lesion.skull_mm, 1),
        ]
        said = [(codes.COMPARTMENT, codes.COMPARTMENTS.get(lesion.compartment))]
        for question, answers, found in (
            (codes.LOCATION, codes.LOCATIONS, lesion.location),
            (codes.DENSITY_CLASS, codes.DENSITY_CLASSES, lesion.density),
        ):
            if found is not None:
                answer = codes.UNDETERMINED if found.value is None else answers[found.value]
                said.append((question, answer))
        return self._group(
            _lesion_name(lesion),
            codes.SUBTYPES[lesion.subtype],
            numbers,
            said,
            _site(lesion.subtype, lesion.side),
        )

    def shift(self, name: str, finding: Code, shift: ShiftAt) -> _Group:
        found = shift.measurement
        number = _Number(
            codes.DISTANCE,
            codes.MILLIMETER,
            found.value,
            2,
            found.interval,
            at_ras_mm=shift.at_ras_mm,
        )
        toward = (codes.TOWARD, codes.SIDES.get(shift.toward or ""))
        return self._group(name, finding, [number], [toward])

    def ventricles(self, found: Ventricles) -> _Group:
        numbers = [
            _Number(codes.VOLUME, codes.MILLILITER, found.volume.value, 2, found.volume.interval),
            _Number(codes.LEFT_RIGHT_RATIO, codes.RATIO, found.left_right_ratio.value, 3),
            _Number(codes.EVANS_INDEX, codes.RATIO, found.evans_index.value, 3),
            _Number(codes.THIRD_WIDTH, codes.MILLIMETER, found.third_width.value, 1),
            _Number(codes.HORN_WIDTH, codes.MILLIMETER, found.temporal_horns.value, 1),
        ]
        return self._group("ventricles", codes.VENTRICLES, numbers, [])

    def edema(self, found: Edema) -> _Group:
        numbers = [
            _Number(codes.VOLUME, codes.MILLILITER, found.volume.value, 2),
            _Number(codes.EDEMA_RATIO, codes.RATIO, found.ratio.value, 3),
        ]
        return self._group("edema", codes.EDEMA, numbers, [])

    def score(self, score: Score) -> _Group:
        """Its parts and its total; a failure for what is not known."""
        numbers = [
            _Number(
                codes.score_part(
                    score.id, part.name, f"{score.title}, {part_words(score, part.name)}"
                ),
                codes.UNITS[part.unit],
                part.value,
                _DIGITS[part.unit],
            )
            for part in score.numbers
        ]
        return self._group(score.title, codes.score_of(score.id, score.title), numbers, [])

    def cavity(self, found: Measurement) -> _Group:
        number = _Number(codes.VOLUME, codes.MILLILITER, found.value, 1, found.interval)
        return self._group("intracranial cavity", codes.CAVITY, [number], [])

    def _group(
        self,
        name: str,
        finding: Code,
        numbers: Iterable[_Number],
        evaluations: _Evaluations,
        site: sr.FindingSite | None = None,
        *,
        segment: sr.ReferencedSegment | None = None,
    ) -> _Group:
        failed = [(n.name, codes.NOT_MEASURED) for n in numbers if n.value is None]
        said = [
            (question, answer) for question, answer in (*evaluations, *failed) if answer is not None
        ]
        described: dict[str, Any] = {
            "tracking_identifier": sr.TrackingIdentifier(self.origin.uid("group", name), name),
            "finding_type": coded(finding),
            "algorithm_id": self.algorithm,
            "finding_sites": [site] if site is not None else None,
            "measurements": [self._number(n) for n in numbers if n.value is not None] or None,
            "qualitative_evaluations": [
                sr.QualitativeEvaluation(coded(q), coded(a)) for q, a in said
            ]
            or None,
        }
        if segment is None:
            return sr.MeasurementsAndQualitativeEvaluations(**described)
        return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=segment, **described
        )

    def _number(self, n: _Number) -> sr.Measurement:
        assert n.value is not None
        value = round(float(n.value), n.digits)
        properties = points = None
        if n.interval is not None:
            low, high = n.interval
            properties = sr.MeasurementProperties(
                upper_measurement_uncertainty=round(max(0.0, high - value), n.digits),
                lower_measurement_uncertainty=round(max(0.0, value - low), n.digits),
            )
        if n.at_ras_mm is not None:
            lps_mm = np.round(to_lps([n.at_ras_mm]), 2)
            frame = self.origin.source.frame_of_reference_uid
            points = [sr.CoordinatesForMeasurement3D("POINT", lps_mm, frame_of_reference_uid=frame)]
        return sr.Measurement(
            name=coded(n.name),
            value=value,
            unit=coded(n.unit),
            derivation=coded(n.derivation) if n.derivation else None,
            method=coded(n.method) if n.method else None,
            properties=properties,
            referenced_coordinates=points,
        )


def measurements_without_value(exam: ExamMeasurements) -> list[tuple[str, str]]:
    """What was not measured, and why: what a measurement failure does not say."""
    found = exam.ventricles
    singles = {
        "midline shift": exam.midline_shift.measurement,
        "largest midline shift": exam.midline_shift.largest.measurement,
        "volume of the ventricles": found.volume,
        "left to right ratio of the ventricles": found.left_right_ratio,
        "Evans' index": found.evans_index,
        "width of the third ventricle": found.third_width,
        "width of the temporal horns": found.temporal_horns,
        "edema": exam.edema.volume,
        "edema relative to IPH": exam.edema.ratio,
        "intracranial cavity": exam.cavity_ml,
    }
    said = [(name, m.reason) for name, m in singles.items() if m.reason is not None]
    for lesion in exam.lesions:
        parts = {
            "thickness": lesion.thickness,
            "axial thickness": lesion.axial_thickness,
            "location": lesion.location,
            "density class": lesion.density,
        }
        said += [
            (f"{_lesion_name(lesion)}, {part}", m.reason)
            for part, m in parts.items()
            if m is not None and m.reason is not None
        ]
    for score in exam.scores:
        said += [
            (f"{score.title}, {', '.join(part_words(score, part) for part in parts)}", why)
            for why, parts in score.unknown.items()
        ]
    return said


def _lesion_name(lesion: Lesion) -> str:
    return f"{lesion.subtype.name} lesion {lesion.id}"


def _abc2(lesion: Lesion) -> list[_Number]:
    """The estimate and its lengths; nothing for subtypes that it is not defined for."""
    found = lesion.abc2
    if not isinstance(found, Abc2):
        return []
    lengths = (
        (codes.ABC2_A, found.a_mm),
        (codes.ABC2_B, found.b_mm),
        (codes.ABC2_C, found.c_mm),
        (codes.ABC2_C_ALL, found.c_all_mm),
    )
    return [
        _Number(codes.VOLUME, codes.MILLILITER, found.ml, 3, method=codes.ABC2),
        *(_Number(name, codes.MILLIMETER, mm, 1) for name, mm in lengths),
    ]


def _thickness(lesion: Lesion) -> list[_Number]:
    normal, axial, at = lesion.thickness, lesion.axial_thickness, lesion.thickest_at_ras_mm
    numbers = []
    if normal is not None:
        numbers.append(
            _Number(
                codes.THICKNESS, codes.MILLIMETER, normal.value, 1, normal.interval, at_ras_mm=at
            )
        )
    if axial is not None:
        numbers.append(_Number(codes.AXIAL_THICKNESS, codes.MILLIMETER, axial.value, 1))
    return numbers


def _if_known(name: Code, unit: Code, value: float | None, digits: int) -> list[_Number]:
    return [] if value is None else [_Number(name, unit, value, digits)]


def _probability(probability: float | None) -> list[_Number]:
    return _if_known(codes.PROBABILITY, codes.ONE, probability, 3)


def _site(subtype: Subtype | Hemorrhage, side: str = "") -> sr.FindingSite | None:
    region, laterality = label_of(subtype).region, codes.SIDES.get(side)
    if region is None:
        return None
    return sr.FindingSite(coded(region), laterality=coded(laterality) if laterality else None)
