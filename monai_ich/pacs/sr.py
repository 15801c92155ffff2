"""Every measurement of an exam as a DICOM structured report, for exams without hemorrhage too.

Groups of measurements: the exam, each subtype (on its segment of the SEG), each lesion, midline
shift, ventricles, cavity. A number that could not be measured is there as "Measurement failure",
never missing in silence. Intervals are ranges of measurement uncertainty. Criteria (met, not met,
undetermined, each with its numbers and source) and warnings are qualitative evaluations of the
whole exam. The report is preliminary and unverified.

References:
    DICOM PS3.16 TID 1500 (report; evaluations: rows 12 to 14), 1411 (volume ROI), 1501 (group), 320
    (measurement), 310 (properties).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import highdicom as hd
import numpy as np
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem

from monai_ich.core.exam import (
    Abc2,
    ExamMeasurements,
    Lesion,
    Point,
    ShiftAt,
    SubtypeFinding,
    Ventricles,
)
from monai_ich.core.geometry import to_lps
from monai_ich.core.labels import Code, Subtype, label_of
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice
from monai_ich.pacs import codes
from monai_ich.pacs.origin import MAKER, Origin, coded

_Group: TypeAlias = (
    sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)
_Evaluations: TypeAlias = Sequence[
    tuple[Code, Code | None]
]  # a question and its answer; None leaves both out


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


def make_dicom_sr(
    exam: ExamMeasurements,
    segmentation: hd.seg.Segmentation,
    origin: Origin,
    *,
    series_number: int,
    warnings: Iterable[Notice] = (),
) -> sr.Comprehensive3DSR:
    """Build the report.

    Args:
        exam: what was measured.
        segmentation: the hemorrhage SEG that it refers to: segment numbers are those of `Subtype`.
        origin: from `read_origin`, the same as the segmentation's.
        series_number: 900 or more.
        warnings: what the reader of a number must know.

    Returns:
        a data set for `Origin.write`.
    """
    groups = _Groups(origin, segmentation)
    content = [
        groups.exam(exam),
        *(groups.subtype(finding) for finding in exam.subtypes),
        *(groups.lesion(lesion) for lesion in exam.lesions),
        groups.shift("midline shift", codes.MIDLINE_SHIFT, exam.midline_shift),
        groups.shift("largest midline shift", codes.MIDLINE_SHIFT_MAX, exam.midline_shift.largest),
        groups.ventricles(exam.ventricles),
        groups.cavity(exam.cavity_ml),
    ]
    observer = sr.DeviceObserverIdentifyingAttributes(
        uid=origin.uid("device"),
        name=MAKER,
        manufacturer_name=MAKER,
        model_name=f"{MAKER} {origin.version}",
    )
    context = sr.ObservationContext(
        observer_device_context=sr.ObserverContext(coded(codes.OBSERVER), observer)
    )
    report = sr.MeasurementReport(
        observation_context=context,
        procedure_reported=coded(codes.PROCEDURE),
        imaging_measurements=content,
    )
    report[0].ContentSequence.extend(_evaluations(origin.provenance.notice, exam, warnings))
    return sr.Comprehensive3DSR(
        evidence=[*origin.images, segmentation],
        content=report,
        is_complete=True,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                codes.PRIVATE_SCHEME, name=codes.PRIVATE_SCHEME_NAME, responsible_organization=MAKER
            )
        ],
        **origin.arguments("hemorrhage measurements", series_number),
    )


def _evaluations(
    status: str, exam: ExamMeasurements, warnings: Iterable[Notice]
) -> list[sr.ContainerContentItem]:
    """What is said of the exam in answers and words; highdicom has no class for this part of its
    template.
    """
    contains = sr.RelationshipTypeValues.CONTAINS
    said: list[sr.ContentItem] = [sr.TextContentItem(coded(codes.STATUS), status, contains)]
    said += [sr.TextContentItem(coded(name), text, contains) for name, text in _calibration(exam)]
    for criterion in exam.criteria:
        name, why = coded(codes.CRITERIA[criterion.id]), f"{criterion.because} ({criterion.source})"
        said.append(sr.CodeContentItem(name, coded(codes.MET[criterion.met]), contains))
        said.append(sr.TextContentItem(name, why, contains))
    for warning in warnings:
        said.append(
            sr.TextContentItem(coded(codes.WARNING), f"{warning.code}: {warning.message}", contains)
        )
    container = sr.ContainerContentItem(coded(codes.EVALUATIONS), relationship_type=contains)
    container.ContentSequence = sr.ContentSequence(said)
    return [container]


def _calibration(exam: ExamMeasurements) -> list[tuple[Code, str]]:
    """What the probabilities and intervals of 0.0 to 0.0 are worth."""
    if exam.calibrated_on is None:
        return []
    missed = [("any", exam.misses), *((f.subtype.name, f.misses) for f in exam.subtypes)]
    said = "; ".join(f"{name}: {misses.words}" for name, misses in missed if misses)
    return [(codes.CALIBRATED_ON, exam.calibrated_on.words)] + (
        [(codes.MISSES, said)] if said else []
    )


class _Groups:
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
        numbers = [
            _Number(codes.VOLUME, codes.MILLILITER, lesion.volume_ml, 3),
        ]
        if isinstance(lesion.abc2, Abc2):
            ml = lesion.abc2.ml
            numbers.append(_Number(codes.VOLUME, codes.MILLILITER, ml, 3, method=codes.ABC2))
        if lesion.thickness is not None:
            thick = lesion.thickness
            at = lesion.thickest_at_ras_mm
            numbers.append(
                _Number(
                    codes.THICKNESS, codes.MILLIMETER, thick.value, 1, thick.interval, at_ras_mm=at
                )
            )
        if lesion.axial_thickness is not None:
            axial = lesion.axial_thickness.value
            numbers.append(_Number(codes.AXIAL_THICKNESS, codes.MILLIMETER, axial, 1))
        for value, derivation in (
            (lesion.mean_hu, codes.MEAN),
            (lesion.sd_hu, codes.STANDARD_DEVIATION),
            (lesion.max_hu, codes.MAXIMUM),
        ):
            if value is not None:
                numbers.append(
                    _Number(codes.ATTENUATION, codes.HOUNSFIELD, value, 1, derivation=derivation)
                )
        if lesion.sphericity is not None:
            numbers.append(_Number(codes.SPHERICITY, codes.ONE, lesion.sphericity, 3))
        if lesion.skull_mm is not None:
            numbers.append(_Number(codes.SKULL_DISTANCE, codes.MILLIMETER, lesion.skull_mm, 1))
        return self._group(
            f"{lesion.subtype.name} lesion {lesion.id}",
            codes.SUBTYPES[lesion.subtype],
            numbers,
            [(codes.COMPARTMENT, codes.COMPARTMENTS.get(lesion.compartment))],
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
        ]
        return self._group("ventricles", codes.VENTRICLES, numbers, [])

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


def _probability(probability: float | None) -> list[_Number]:
    return [] if probability is None else [_Number(codes.PROBABILITY, codes.ONE, probability, 3)]


def _site(subtype: Subtype, side: str = "") -> sr.FindingSite | None:
    region, laterality = label_of(subtype).region, codes.SIDES.get(side)
    if region is None:
        return None
    return sr.FindingSite(coded(region), laterality=coded(laterality) if laterality else None)
