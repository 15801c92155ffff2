"""Every measurement of an exam as a DICOM structured report, for exams without hemorrhage too.

Groups of measurements: the exam, each subtype (on its segment of the SEG), each lesion, midline
shift, ventricles, edema, cavity, each published score; see `monai_ich.pacs.sr_groups`. Criteria and
signs (with their numbers and source), why numbers are missing, and warnings are qualitative
evaluations of the whole exam. The report is preliminary and unverified.

References:
    DICOM PS3.16 TID 1500 (report; evaluations: rows 12 to 14)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import highdicom as hd
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem

from monai_ich.core.exam import Criterion, ExamMeasurements
from monai_ich.core.labels import Code
from monai_ich.core.provenance import MAKER, Notice
from monai_ich.pacs import codes
from monai_ich.pacs.origin import Origin, coded
from monai_ich.pacs.sr_groups import Groups, measurements_without_value

_CONTAINS = sr.RelationshipTypeValues.CONTAINS


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
    groups = Groups(origin, segmentation)
    content = [
        groups.exam(exam),
        *(groups.subtype(finding) for finding in exam.subtypes),
        *(groups.lesion(lesion) for lesion in exam.lesions),
        groups.shift("midline shift", codes.MIDLINE_SHIFT, exam.midline_shift),
        groups.shift("largest midline shift", codes.MIDLINE_SHIFT_MAX, exam.midline_shift.largest),
        groups.ventricles(exam.ventricles),
        groups.edema(exam.edema),
        groups.cavity(exam.cavity_ml),
        *(groups.score(score) for score in exam.scores),
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
    root = report[0]
    said = [*root.ContentSequence, *_evaluations(origin.provenance.notice, exam, warnings)]
    root.ContentSequence = said[:1]  # highdicom copies and walks what it is given, several times
    made = sr.Comprehensive3DSR(
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
    made.ContentSequence = said
    return made


def _evaluations(
    status: str, exam: ExamMeasurements, warnings: Iterable[Notice]
) -> list[sr.ContainerContentItem]:
    """What is said of the exam in answers and words; highdicom has no class for this part of its
    template.
    """
    said: list[sr.ContentItem] = [_text(codes.STATUS, status), *_calibration(exam)]
    for criterion in exam.criteria:
        said += _answer(codes.CRITERIA[criterion.id], codes.MET, criterion)
    for sign in exam.signs:
        said += _answer(codes.SIGNS[sign.id], codes.SEEN, sign)
    said += [
        _text(codes.NOT_MEASURED, f"{what}: {why}")
        for what, why in measurements_without_value(exam)
    ]
    said += [_text(codes.WARNING, f"{w.code}: {w.message}") for w in warnings]
    container = sr.ContainerContentItem(coded(codes.EVALUATIONS), relationship_type=_CONTAINS)
    container.ContentSequence = sr.ContentSequence(said)
    return [container]


def _calibration(exam: ExamMeasurements) -> list[sr.TextContentItem]:
    """What the probabilities and intervals of 0.0 to 0.0 are worth."""
    if exam.calibrated_on is None:
        return []
    missed = [("any", exam.misses, exam.probability)]
    missed += [(f.subtype.name, f.misses, f.probability) for f in exam.subtypes]
    said = "; ".join(f"{name}: {misses.beside(p)}" for name, misses, p in missed if misses)
    on = _text(codes.CALIBRATED_ON, exam.calibrated_on.words)
    return [on, _text(codes.MISSES, said)] if said else [on]


def _answer(
    name: Code, answers: Mapping[bool | None, Code], found: Criterion
) -> tuple[sr.CodeContentItem, sr.TextContentItem]:
    why = f"{found.because} ({found.source})"
    return sr.CodeContentItem(coded(name), coded(answers[found.met]), _CONTAINS), _text(name, why)


def _text(name: Code, words: str) -> sr.TextContentItem:
    return sr.TextContentItem(coded(name), words, _CONTAINS)
