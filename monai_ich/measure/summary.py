"""All numbers of one exam."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np

from monai_ich.core.atlas import AtlasPose
from monai_ich.core.calibration import ANY, Calibration, Evidence
from monai_ich.core.exam import ExamMeasurements, SubtypeFinding
from monai_ich.core.exam_slices import SliceRow
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.lesion import Lesion
from monai_ich.core.measurement import Measurement, NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.provenance import Notice
from monai_ich.core.volume import CTVolume, LabelMap, Mask, require_one_grid, slices_last
from monai_ich.measure.blood import Blood
from monai_ich.measure.components import find_lesions, split_lesions
from monai_ich.measure.criteria import check_criteria
from monai_ich.measure.density import find_brain_hu
from monai_ich.measure.edema import measure_edema
from monai_ich.measure.key_slices import find_key_slices
from monai_ich.measure.location import locate
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.measure.plausibility import plausibility_warnings
from monai_ich.measure.scores import measure_scores
from monai_ich.measure.signs import check_signs
from monai_ich.measure.unnamed import leave_open, measure_unnamed, named_part
from monai_ich.measure.ventricles import measure_ventricles
from monai_ich.measure.volume import (
    ANY_VOXEL,
    DEFAULT_OPERATING_POINTS_ML,
    METHOD,
    cut_warnings,
    edge_warnings,
    find_misses,
    measure_confidence,
    measure_subtypes,
)

LESION_FLOOR_ML = 0.1


def measure_exam(
    labels: LabelMap,
    *,
    ct: CTVolume | None = None,
    anatomy: LabelMap | None = None,
    midline: Midline | NotMeasurable | None = None,
    pose: AtlasPose | NotMeasurable | None = None,
    edema: Mask | None = None,
    operating_points: Mapping[str, float] | None = None,
    uncertain: Collection[str] = (),
    evidence: Evidence | None = None,
    calibration: Calibration | None = None,
    lesion_floor_ml: float = LESION_FLOOR_ML,
) -> ExamMeasurements:
    """Measure everything that the given images allow.

    Args:
        labels: map of `Subtype`, or of `Hemorrhage`; its slices may lie along any axis (see
            `Geometry.slice_axis`).
        ct: the scan, for densities.
        anatomy: map of `Anatomy`, for sides, cavity and ventricles.
        midline: from `fit_midline`; None where no anatomy was given.
        pose: from `find_atlas_pose`, for the place of an IPH; None where no anatomy was given.
        edema: around the clots; None where whoever made the labels does not know it.
        operating_points: subtype name to the mL from which it counts as present; None takes those
            of the calibration, else 0.1 mL for a network, and any voxel for a mask that was drawn.
        uncertain: names of subtypes that whoever made the labels confuses with others; a criterion
            about one of them stays undecided where such blood is present.
        evidence, calibration: of the network that made the labels, for intervals and probabilities.
        lesion_floor_ml: from which volume a connected piece is a lesion; smaller ones are specks.
            Volumes and criteria count both.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where the images lie on different grids.
    """
    labels = slices_last(labels)
    ct, anatomy = ct and slices_last(ct), anatomy and slices_last(anatomy)
    edema = edema and slices_last(edema)
    require_one_grid(labels, ct, anatomy, edema)
    named = named_part(labels)
    midline = midline if midline is not None else NotMeasurable("no anatomy labels were given")
    pose = pose if pose is not None else NotMeasurable("no anatomy labels were given")
    plane = midline if isinstance(midline, Midline) else None
    brain_hu = find_brain_hu(ct, anatomy, labels, edema)
    pieces = find_lesions(labels, ct=ct, anatomy=anatomy, midline=plane, brain_hu=brain_hu)
    pieces = _located(pieces, pose, plane)
    lesions, specks = split_lesions(pieces, lesion_floor_ml)
    shift = measure_midline_shift(midline, calibration.shift if calibration is not None else None)
    if operating_points is None:
        operating_points = _operating_points(evidence, calibration)
    subtypes = measure_subtypes(named, operating_points, uncertain, evidence, calibration)
    unnamed = measure_unnamed(labels, operating_points)
    total_ml = sum(x.volume_ml for x in subtypes) if unnamed is None else unnamed.ml
    blood = Blood.of(subtypes, pieces, shift, anatomy, operating_points)
    total_interval_ml, probability = _at_least(
        subtypes, *measure_confidence(ANY, total_ml, evidence, calibration)
    )
    exam = ExamMeasurements(
        subtypes=subtypes,
        lesions=lesions,
        midline_shift=shift,
        cavity_ml=_cavity_ml(anatomy),
        ventricles=measure_ventricles(anatomy, midline, pose),
        criteria=check_criteria(blood),
        slices=_slices(labels if unnamed else named),
        warnings=_warnings(labels, ct, anatomy),
        edema=measure_edema(edema, labels),
        signs=check_signs(named, ct, brain_hu),
        total_interval_ml=total_interval_ml,
        probability=probability,
        misses=find_misses(ANY, total_ml, evidence, calibration),
        calibrated_on=calibration.learned_on if calibration and evidence else None,
        evidence=evidence,
        key_slices=find_key_slices(labels, evidence),
        lesion_floor_ml=lesion_floor_ml,
        specks=specks,
        scores=measure_scores(blood, named),
    )
    return exam if unnamed is None else leave_open(exam, unnamed)


def _located(
    pieces: Iterable[Lesion], pose: AtlasPose | NotMeasurable, plane: Midline | None
) -> tuple[Lesion, ...]:
    return tuple(
        replace(x, location=locate(x, pose, plane)) if x.subtype is Subtype.IPH else x
        for x in pieces
    )


def _warnings(
    labels: LabelMap, ct: CTVolume | None, anatomy: LabelMap | None
) -> tuple[Notice, ...]:
    return (
        *edge_warnings(labels),
        *cut_warnings(anatomy),
        *plausibility_warnings(labels, ct, anatomy),
    )


def _operating_points(
    evidence: Evidence | None, calibration: Calibration | None
) -> Mapping[str, float]:
    if calibration is not None:
        return calibration.operating_points_ml
    return DEFAULT_OPERATING_POINTS_ML if evidence is not None else ANY_VOXEL


def _at_least(
    subtypes: tuple[SubtypeFinding, ...],
    interval_ml: tuple[float, float] | None,
    probability: float | None,
) -> tuple[tuple[float, float] | None, float | None]:
    """What is known of all blood, which is no less than of any one subtype: each was calibrated by
    itself.
    """
    if interval_ml is not None:
        low_ml, high_ml = interval_ml
        known = [f.volume.interval for f in subtypes if f.volume.interval]
        interval_ml = (
            max([low_ml, *(low for low, _ in known)]),
            max([high_ml, *(high for _, high in known)]),
        )
    if probability is not None:
        probability = max(probability, *(f.probability or 0.0 for f in subtypes))
    return interval_ml, probability


def _cavity_ml(anatomy: LabelMap | None) -> Measurement:
    if anatomy is None:
        return Measurement(
            "cavity_volume", None, "mL", "anatomy", METHOD, reason="no anatomy labels were given"
        )
    ml = anatomy.mask().volume_ml
    if not ml:
        return Measurement(
            "cavity_volume", None, "mL", "anatomy", METHOD, reason="the anatomy labels are empty"
        )
    return Measurement("cavity_volume", ml, "mL", "anatomy", METHOD)


def _slices(labels: LabelMap) -> tuple[SliceRow, ...]:
    geometry: Geometry = labels.geometry
    middle = [(geometry.shape[0] - 1) / 2, (geometry.shape[1] - 1) / 2]
    boxes = labels.boxes()
    counts = np.zeros((len(labels.labels), geometry.shape[2]), np.int64)
    for row, value in enumerate(labels.labels):
        if value in boxes:
            box = boxes[value]
            counts[row, box[2]] = np.count_nonzero(labels.voxels[box] == value, axis=(0, 1))
    rows = []
    for k in range(geometry.shape[2]):
        x, y, z = geometry.to_world([*middle, k])
        ml = tuple(int(count[k]) * geometry.voxel_ml for count in counts)
        named = labels.labels is Subtype
        by_subtype, unnamed_ml = (ml, 0.0) if named else ((), sum(ml))
        rows.append(SliceRow(k, (float(x), float(y), float(z)), by_subtype, unnamed_ml))
    return tuple(rows)
