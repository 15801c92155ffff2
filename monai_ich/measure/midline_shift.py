"""Midline shift: how far the displaced midline lies from where it should, at the foramina of Monro
and where it is largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.calibration import SHIFT, SHIFT_MAX, ShiftCalibrator
from monai_ich.core.exam import MidlineShift, ShiftAt
from monai_ich.core.geometry import FloatArray
from monai_ich.core.measurement import Measurement, NotMeasurable
from monai_ich.core.midline import Midline

_CELL_MM = 4.0
_BANDWIDTH_MM = (
    14.0  # 8 mm takes 1 mm of noise for a shift on predicted masks, 20 mm cuts true peaks
)
_MIN_CELLS = 12  # around a place
_MAX_LOPSIDED = 0.45  # of a bandwidth; a fit at the end of what is seen would extrapolate
_NO_SIDE_MM = 0.5
_Z95 = 1.96
_FLOOR_MM = 0.2  # what the residuals do not show: where the level begins and ends, and a bent falx
_FROM = "of the hemispheres' interface from the plane through the falx insertions"
_METHODS = {
    SHIFT: f"perpendicular distance, at the foramina of Monro, {_FROM}",
    SHIFT_MAX: f"largest perpendicular distance {_FROM}",
}


@dataclass(frozen=True)
class _Fit:
    """A smooth surface at one place: its height, the standard deviation of that, and its slope to
    the front and to the top (mm a mm).
    """

    mm: float
    sd_mm: float
    slope: FloatArray


@dataclass(frozen=True, eq=False)
class _Cells:
    """The displaced midline in cells of 4 mm of the ideal plane.

    Args:
        centers_mm: ``(N, 2)`` along the plane.
        medians_mm: ``(N,)`` of the distances of each cell's points from the plane.
        counts: ``(N,)`` of points.
        members: ``(P,)`` the cell of each point.
    """

    centers_mm: FloatArray
    medians_mm: FloatArray
    counts: NDArray[np.int64]
    members: NDArray[np.int64]


def measure_midline_shift(
    midline: Midline | NotMeasurable, calibrator: ShiftCalibrator | None = None
) -> MidlineShift:
    """Measure the shift as guidelines do, at the foramina of Monro (where the septum pellucidum
    ends), and the largest.

    Not one point decides: interface points are gathered in cells of 4 mm of the ideal plane, each
    takes the median of its points, and around a place a quadratic surface is fitted to the cells'
    medians (Gaussian weights, 14 mm, robust). A quadratic keeps the height of a peak where an
    average would cut it.

    The 95 % interval adds variances: of the surface there and of the ideal plane there, both from
    the scatter of what they were fitted to, at the foramina of Monro also of their place (slope of
    the surface times its standard deviation), and a floor. It says how well the labels give the
    shift, not how good the labels are; for labels of a network that was calibrated, the interval is
    that of its errors on validation scans instead. Of the two shifts, the one that it was not
    calibrated for has no interval then.

    Args:
        midline: from `fit_midline`.
        calibrator: of the network that made the labels.

    >>> measure_midline_shift(NotMeasurable("a hemisphere was not found")).measurement.reason
    'a hemisphere was not found'

    References:
        Bullock 2006, doi:10.1227/01.NEU.0000210364.29290.C9 (shift as a criterion); Cleveland 1979,
        doi:10.1080/01621459.1979.10481038 (locally weighted regression)
    """
    if isinstance(midline, NotMeasurable):
        return _neither(midline.reason)
    if not len(midline.displaced_mm):
        return _neither("the midline at the level of the septum pellucidum was not found")
    cells = _gather(midline)
    largest, profile = _largest(midline, cells, calibrator)
    return MidlineShift(
        **vars(_at_monro(midline, cells, calibrator)), profile_mm=profile, largest=largest
    )


def _at_monro(midline: Midline, cells: _Cells, calibrator: ShiftCalibrator | None) -> ShiftAt:
    if midline.monro_mm is None:
        return _none(SHIFT, "the foramina of Monro were not looked for")
    place = midline.along_mm(midline.monro_mm)
    fit = _fit(cells, place)
    if fit is None:
        return _none(SHIFT, "too little of the midline at the foramina of Monro is in view")
    at = midline.monro_mm + fit.mm * midline.normal
    apart = np.linalg.norm(midline.along_mm(midline.displaced_mm) - place, axis=1)
    place_sd_mm = float(np.linalg.norm(fit.slope)) * midline.monro_sd_mm
    spread = _spread_mm(midline, at, fit.sd_mm, place_sd_mm)
    return _shift(SHIFT, fit.mm, spread, at, midline.slices[apart.argmin()], calibrator)


def _largest(
    midline: Midline, cells: _Cells, calibrator: ShiftCalibrator | None
) -> tuple[ShiftAt, tuple[tuple[int, float], ...]]:
    """The largest shift, and the largest of each slice."""
    fits = [_fit(cells, center) for center in cells.centers_mm]
    height, sd = np.array([(np.nan, np.nan) if f is None else (f.mm, f.sd_mm) for f in fits]).T
    surface = height[cells.members]
    seen = np.flatnonzero(np.isfinite(surface))
    if not len(seen):
        return _none(
            SHIFT_MAX, "too little of the midline at the level of the septum pellucidum is in view"
        ), ()
    profile = []
    for k in np.unique(midline.slices[seen]):
        here = surface[seen[midline.slices[seen] == k]]
        profile.append((int(k), float(here[np.abs(here).argmax()])))
    top = int(np.nanargmax(np.abs(height)))
    inside = np.flatnonzero(cells.members == top)
    distance = midline.distance_mm(midline.displaced_mm[inside])
    nearest = inside[int(np.abs(distance - height[top]).argmin())]
    at = midline.displaced_mm[nearest]
    spread = _spread_mm(midline, at, sd[top])
    largest = _shift(SHIFT_MAX, height[top], spread, at, midline.slices[nearest], calibrator)
    return largest, tuple(profile)


def _spread_mm(midline: Midline, at: FloatArray, *others_mm: float) -> float:
    """Half of a 95 % interval at a point ``(3,)``: of the plane there, a floor, and other standard
    deviations.
    """
    return _Z95 * float(np.linalg.norm([midline.sd_mm(at), _FLOOR_MM, *others_mm]))


def _shift(
    name: str,
    right_mm: float,
    spread_mm: float,
    at: FloatArray,
    slice_index: float,
    calibrator: ShiftCalibrator | None,
) -> ShiftAt:
    mm = abs(float(right_mm))
    interval: tuple[float, float] | None = (max(0.0, mm - spread_mm), mm + spread_mm)
    if calibrator is not None:
        interval = calibrator.interval_mm(mm) if calibrator.of == name else None
    toward = None if mm < _NO_SIDE_MM else "right" if right_mm > 0 else "left"
    x, y, z = at.tolist()
    measured = Measurement(name, mm, "mm", "midline", _METHODS[name], interval)
    return ShiftAt(measured, toward, (x, y, z), int(slice_index))


def _none(name: str, reason: str) -> ShiftAt:
    return ShiftAt(Measurement(name, None, "mm", "midline", _METHODS[name], reason=reason))


def _neither(reason: str) -> MidlineShift:
    return MidlineShift(**vars(_none(SHIFT, reason)), largest=_none(SHIFT_MAX, reason))


def _gather(midline: Midline) -> _Cells:
    where = midline.along_mm(midline.displaced_mm)
    _, members, counts = np.unique(
        np.floor(where / _CELL_MM), axis=0, return_inverse=True, return_counts=True
    )
    members = members.reshape(-1)
    inside = np.split(np.argsort(members, kind="stable"), np.cumsum(counts)[:-1])
    distance = midline.distance_mm(midline.displaced_mm)
    medians = np.array([np.median(distance[points]) for points in inside])
    centers = np.array([where[points].mean(axis=0) for points in inside])
    return _Cells(centers, medians, counts, members)


def _fit(cells: _Cells, place: FloatArray) -> _Fit | None:
    """The weighted quadratic surface around a place ``(2,)``, by Tukey's biweight; its standard
    deviation is from the residuals, each cell with its own variance. None where too little is
    around.
    """
    offset = (cells.centers_mm - place) / _BANDWIDTH_MM
    near = (offset**2).sum(axis=1) < 4.0
    if near.sum() < _MIN_CELLS:
        return None
    offset, value = offset[near], cells.medians_mm[near]
    weight = np.exp(-0.5 * (offset**2).sum(axis=1)) * np.sqrt(np.minimum(cells.counts[near], 20))
    if np.linalg.norm(np.average(offset, axis=0, weights=weight)) >= _MAX_LOPSIDED:
        return None
    a, b = offset.T
    design = np.column_stack([np.ones(len(a)), a, b, a * a, a * b, b * b])
    robust = np.ones(len(a))
    for _ in range(3):
        root = np.sqrt(weight * robust)
        fit, *_ = np.linalg.lstsq(design * root[:, None], value * root, rcond=None)
        residual = value - design @ fit
        scale = max(0.3, 1.4826 * float(np.median(np.abs(residual))))
        robust = np.clip(1.0 - (residual / (4.685 * scale)) ** 2, 0.0, None) ** 2
    pull = np.linalg.pinv(design * root[:, None])[0] * root  # what each cell adds to the height
    sd = float(np.sqrt((pull**2 * residual**2).sum()))
    return _Fit(float(fit[0]), sd, fit[1:3] / _BANDWIDTH_MM)
