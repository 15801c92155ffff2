"""Hemorrhage volume and the exam's subtypes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from monai_ich.core.calibration import Calibration, Evidence, Misses
from monai_ich.core.exam import SubtypeFinding
from monai_ich.core.geometry import Box, Geometry
from monai_ich.core.labels import Hemorrhage, Subtype, label_of
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice
from monai_ich.core.volume import LabelMap, box_around

METHOD = "voxel count times |det(affine)|"
_CUT = 1 / 3
DEFAULT_OPERATING_POINTS_ML: Mapping[str, float] = {subtype.name: 0.1 for subtype in Subtype}
ANY_VOXEL: Mapping[str, float] = {subtype.name: 0.0 for subtype in Subtype}  # of a drawn mask


def measure_subtypes(
    labels: LabelMap,
    operating_points_ml: Mapping[str, float] = DEFAULT_OPERATING_POINTS_ML,
    uncertain: Collection[str] = (),
    evidence: Evidence | None = None,
    calibration: Calibration | None = None,
) -> tuple[SubtypeFinding, ...]:
    """Volume of each subtype: voxels times ``|det(affine)| / 1000``, right on sheared grids, whole
    at the image's edge.

    Args:
        labels: map of `Subtype`.
        operating_points_ml: subtype name to the volume from which it counts as present.
        uncertain: names of subtypes that whoever made the labels confuses with others.
        evidence, calibration: of the network that made them, for intervals and probabilities.

    >>> import numpy as np
    >>> from monai_ich.core.geometry import Geometry
    >>> cube = np.zeros((30, 30, 30), np.uint8); cube[5:25, 5:25, 5:25] = 5
    >>> found = measure_subtypes(LabelMap(cube, Geometry((30, 30, 30), np.eye(4)), Subtype))
    >>> found[4].volume.value, found[4].present, found[0].volume.value
    (8.0, True, 0.0)
    """
    findings = []
    for subtype in Subtype:
        ml = labels.volume_ml(subtype)
        interval, probability = measure_confidence(subtype.name, ml, evidence, calibration)
        measurement = Measurement("volume", ml, "mL", subtype.name, METHOD, interval)
        threshold = operating_points_ml.get(subtype.name, DEFAULT_OPERATING_POINTS_ML[subtype.name])
        present, certain = ml >= threshold and ml > 0, subtype.name not in uncertain
        misses = find_misses(subtype.name, ml, evidence, calibration)
        findings.append(SubtypeFinding(subtype, present, measurement, certain, probability, misses))
    return tuple(findings)


def measure_confidence(
    name: str, found_ml: float, evidence: Evidence | None, calibration: Calibration | None
) -> tuple[tuple[float, float] | None, float | None]:
    """95 % interval of a volume (mL) and probability of presence; None where nothing is known about
    either.
    """
    if evidence is None or calibration is None:
        return None, None
    return calibration.interval_ml(name, found_ml, evidence), calibration.probability(
        name, evidence
    )


def find_misses(
    name: str, found_ml: float, evidence: Evidence | None, calibration: Calibration | None
) -> Misses | None:
    """How often calibration scans held some of a subtype (or `ANY`) although none was found; None
    where some is found here, or that is not known.
    """
    if evidence is None or calibration is None or found_ml > 0:
        return None
    return calibration.of[name].misses


def edge_warnings(labels: LabelMap) -> tuple[Notice, ...]:
    """A warning for each subtype that touches the image's edge: it may go on outside, what is
    inside counts in full.
    """
    found = []
    for value, box in labels.boxes().items():
        if _touches_edge(box, labels.geometry):
            kind = Subtype(value) if labels.labels is Subtype else Hemorrhage(value)
            name = label_of(kind).name
            found.append(
                Notice(
                    "MASK_AT_EDGE",
                    f"{name} touches the edge of the image and may go on outside of it.",
                )
            )
    return tuple(found)


def cut_warnings(anatomy: LabelMap | None) -> tuple[Notice, ...]:
    """A warning where the field of view cuts through the cavity: its volume is that of what is in
    view.

    The foramen magnum at the lowest slice does not count: a cut is a cross-section of a third of
    the largest one.
    """
    if anatomy is None:
        return ()
    inside = anatomy.voxels > 0
    box = box_around(inside)
    if box is None or not _touches_edge(box, anatomy.geometry):
        return ()
    areas = [np.count_nonzero(inside, axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    if all(max(area[0], area[-1]) < _CUT * area.max() for area in areas):
        return ()
    return (
        Notice(
            "CAVITY_CUT",
            "The image's edge cuts through the intracranial cavity: its volume is of what is in "
            "view.",
        ),
    )


def _touches_edge(box: Box, geometry: Geometry) -> bool:
    return any(
        side.start == 0 or side.stop == n for side, n in zip(box, geometry.shape, strict=True)
    )
