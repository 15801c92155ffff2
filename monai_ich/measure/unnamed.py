"""A mask that does not tell subtypes apart: what rests on them stays open, with one reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from monai_ich.core.exam import NO_SUBTYPES, Criterion, ExamMeasurements, Score, Unnamed
from monai_ich.core.labels import Hemorrhage, Subtype
from monai_ich.core.lesion import Lesion
from monai_ich.core.measurement import Category, Measurement
from monai_ich.core.volume import LabelMap
from monai_ich.measure.volume import DEFAULT_OPERATING_POINTS_ML

_OF_THE_MIDLINE = ("_shift", "_shift_mm")


def named_part(labels: LabelMap) -> LabelMap:
    """What is known of subtypes: a map of `Subtype` itself, of a map of `Hemorrhage` nothing."""
    if labels.labels is Subtype:
        return labels
    return LabelMap(np.zeros_like(labels.voxels), labels.geometry, Subtype)


def measure_unnamed(
    labels: LabelMap, operating_points_ml: Mapping[str, float] = DEFAULT_OPERATING_POINTS_ML
) -> Unnamed | None:
    """All blood of a map of `Hemorrhage`.

    None for a map of `Subtype`, and where there is no blood: then none is of any subtype.
    """
    if labels.labels is not Hemorrhage or not labels.voxels.any():
        return None
    ml = labels.mask().volume_ml
    return Unnamed(ml, ml >= max(operating_points_ml.values()))


def open_lesion(lesion: Lesion) -> Lesion:
    """A lesion of unknown subtype: with the reason for what only lesions of one subtype have."""
    no_thickness = Measurement(
        "thickness", None, "mm", lesion.subtype.name, "none", reason=NO_SUBTYPES
    )
    unknown = Category(None, NO_SUBTYPES)
    return replace(
        lesion,
        thickness=no_thickness,
        axial_thickness=no_thickness,
        location=unknown,
        density=unknown,
    )


def leave_open(exam: ExamMeasurements, unnamed: Unnamed) -> ExamMeasurements:
    """The exam of a mask without subtypes: all that rests on them is left open."""
    return replace(
        exam,
        subtypes=(),
        unnamed=unnamed,
        criteria=tuple(map(_open, exam.criteria)),
        signs=tuple(map(_open, exam.signs)),
        scores=tuple(map(_open_score, exam.scores)),
        edema=replace(exam.edema, ratio=_unknown(exam.edema.ratio)),
    )


def _open(criterion: Criterion) -> Criterion:
    return replace(criterion, met=None, because=NO_SUBTYPES)


def _open_score(score: Score) -> Score:
    parts = tuple(
        part if part.name.endswith(_OF_THE_MIDLINE) else _unknown(part) for part in score.components
    )
    return replace(score, components=parts, total=score.total and _unknown(score.total))


def _unknown(number: Measurement) -> Measurement:
    return replace(number, value=None, reason=NO_SUBTYPES)
