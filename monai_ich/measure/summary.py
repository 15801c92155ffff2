"""All numbers of one exam."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from monai_ich.core.exam import Criterion, ExamMeasurements, Lesion, MidlineShift, SliceRow, SubtypeFinding
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.components import find_lesions
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.measure.volume import DEFAULT_OPERATING_POINTS_ML, edge_warnings, measure_subtypes

_ABOUT = {
    "BTF-2006-EDH-VOLUME": Subtype.EDH,
    "BTF-2006-SDH-SHIFT": Subtype.SDH,
    "ICH-SCORE-VOLUME": Subtype.IPH,
    "ICH-SCORE-IVH": Subtype.IVH,
    "ICH-SCORE-INFRATENTORIAL": Subtype.IPH,
}


def measure_exam(
    labels: LabelMap,
    *,
    ct: CTVolume | None = None,
    anatomy: LabelMap | None = None,
    midline: Midline | str | None = None,
    operating_points: Mapping[str, float] = DEFAULT_OPERATING_POINTS_ML,
    uncertain: Collection[str] = (),
) -> ExamMeasurements:
    """Measure everything that the given images allow.

    Args:
        labels: map of `Subtype`.
        ct: the scan, for densities.
        anatomy: map of `Anatomy`, for sides, cavity and ventricles.
        midline: from `fit_midline`; a string is the reason why there is none.
        operating_points: subtype name to the mL from which it counts as present.
        uncertain: names of subtypes that whoever made the labels confuses with others; a criterion about one of them
            stays undecided where such blood is present.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where the images lie on different grids.
    """
    midline = midline if midline is not None else "no anatomy labels were given"
    plane = midline if isinstance(midline, Midline) else None
    lesions = find_lesions(labels, ct=ct, anatomy=anatomy, midline=plane)
    shift = measure_midline_shift(midline)
    subtypes = measure_subtypes(labels, operating_points, uncertain)
    return ExamMeasurements(
        subtypes=subtypes,
        lesions=lesions,
        midline_shift=shift,
        cavity_ml=_anatomy_ml("cavity_volume", anatomy, tuple(Anatomy)),
        ventricles_ml=_anatomy_ml("ventricle_volume", anatomy, (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE)),
        criteria=_criteria(subtypes, shift, _infratentorial(subtypes, lesions, anatomy, operating_points)),
        slices=_slices(labels),
        warnings=edge_warnings(labels),
    )


def _anatomy_ml(name: str, anatomy: LabelMap | None, parts: tuple[Anatomy, ...]) -> Measurement:
    method = "voxel count times |det(affine)|"
    if anatomy is None:
        return Measurement(name, None, "mL", "anatomy", method, reason="no anatomy labels were given")
    return Measurement(name, sum(anatomy.volume_ml(part) for part in parts), "mL", "anatomy", method)


def _criteria(
    subtypes: tuple[SubtypeFinding, ...], shift: MidlineShift, infratentorial: Criterion
) -> tuple[Criterion, ...]:
    """Bullock 2006 (surgical management of EDH and SDH) and the imaging points of the ICH score (Hemphill 2001)."""
    ml = {finding.subtype: float(finding.volume.value or 0.0) for finding in subtypes}
    present = {finding.subtype: finding.present for finding in subtypes}
    mm = shift.measurement.value
    found = [Criterion("BTF-2006-EDH-VOLUME", ml[Subtype.EDH] > 30, f"EDH {ml[Subtype.EDH]:.1f} mL, limit 30 mL")]
    if not present[Subtype.SDH]:
        found.append(Criterion("BTF-2006-SDH-SHIFT", False, "no SDH"))
    elif mm is None:
        found.append(Criterion("BTF-2006-SDH-SHIFT", None, f"midline shift: {shift.measurement.reason}"))
    else:
        found.append(Criterion("BTF-2006-SDH-SHIFT", mm > 5, f"SDH with midline shift {mm:.1f} mm, limit 5 mm"))
    found.append(Criterion("ICH-SCORE-VOLUME", ml[Subtype.IPH] >= 30, f"IPH {ml[Subtype.IPH]:.1f} mL, limit 30 mL"))
    found.append(Criterion("ICH-SCORE-IVH", present[Subtype.IVH], f"IVH {ml[Subtype.IVH]:.1f} mL"))
    found.append(infratentorial)
    if not any(finding.present and not finding.certain for finding in subtypes):
        return tuple(found)
    open_ids = {id for id, subtype in _ABOUT.items() for f in subtypes if f.subtype is subtype and not f.certain}
    because = "there is blood of uncertain subtype"
    return tuple(Criterion(c.id, None, f"{c.because}; {because}") if c.id in open_ids else c for c in found)


def _infratentorial(
    subtypes: tuple[SubtypeFinding, ...],
    lesions: tuple[Lesion, ...],
    anatomy: LabelMap | None,
    operating_points: Mapping[str, float],
) -> Criterion:
    """Met when the IPH below the tentorium would be called present by itself: a speck there decides nothing."""
    name = "ICH-SCORE-INFRATENTORIAL"
    if not any(finding.present for finding in subtypes if finding.subtype is Subtype.IPH):
        return Criterion(name, False, "no IPH")
    if anatomy is None:
        return Criterion(name, None, "no anatomy labels were given")
    placed = [x for x in lesions if x.subtype is Subtype.IPH and x.compartment != "unknown"]
    if not placed:
        return Criterion(name, None, "the IPH lies outside of the anatomy labels")
    ml = sum(x.volume_ml for x in placed if x.compartment == "infratentorial")
    least = operating_points.get(Subtype.IPH.name, DEFAULT_OPERATING_POINTS_ML[Subtype.IPH.name])
    return Criterion(name, ml > 0 and ml >= least, f"infratentorial IPH {ml:.1f} mL")


def _slices(labels: LabelMap) -> tuple[SliceRow, ...]:
    geometry: Geometry = labels.geometry
    middle = [(geometry.shape[0] - 1) / 2, (geometry.shape[1] - 1) / 2]
    counts = [(labels.voxels == int(subtype)).sum(axis=(0, 1)) for subtype in Subtype]
    rows = []
    for k in range(geometry.shape[2]):
        x, y, z = geometry.to_world([*middle, k])
        volumes = tuple(int(count[k]) * geometry.voxel_ml for count in counts)
        rows.append(SliceRow(k, (float(x), float(y), float(z)), volumes))
    return tuple(rows)
