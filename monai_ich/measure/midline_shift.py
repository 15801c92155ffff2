"""Midline shift: how far the midline at septum pellucidum and third ventricle lies from where it
should.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.calibration import ShiftCalibrator
from monai_ich.core.exam import MidlineShift
from monai_ich.core.geometry import FloatArray
from monai_ich.core.measurement import Measurement, NotMeasurable
from monai_ich.core.midline import Midline

_CELL_MM = 4.0
_BANDWIDTH_MM = (
    14.0  # 8 mm takes 1 mm of noise for a shift on predicted masks, 20 mm cuts true peaks
)
_MIN_CELLS = 12  # around a cell
_MAX_LOPSIDED = 0.45  # of a bandwidth; a fit at the end of what is seen would extrapolate
_NO_SIDE_MM = 0.5
_Z95 = 1.96
_FLOOR_MM = 0.2  # what the residuals do not show: where the level begins and ends, and a bent falx
METHOD = (
    "largest perpendicular distance of the hemispheres' interface from the plane through the "
    "falx insertions"
)


def measure_midline_shift(
    midline: Midline | NotMeasurable, calibrator: ShiftCalibrator | None = None
) -> MidlineShift:
    """Measure the shift: the largest value of a smooth surface through the displaced midline.

    Not one point decides: interface points are gathered in cells of 4 mm of the ideal plane, each
    takes the median of its points, and around each cell a quadratic surface is fitted to the cells'
    medians (Gaussian weights, 14 mm, robust). A quadratic keeps the height of a peak where an
    average would cut it.

    The 95 % interval adds variances: of the surface there and of the ideal plane there, both from
    the scatter of what they were fitted to, and a floor. It says how well the labels give the
    shift, not how good the labels are; for labels of a network that was calibrated, the interval is
    that of its errors on validation scans instead.

    Args:
        midline: from `fit_midline`.
        calibrator: of the network that made the labels.

    >>> measure_midline_shift(NotMeasurable("a hemisphere was not found")).measurement.reason
    'a hemisphere was not found'

    References:
        Cleveland 1979, doi:10.1080/01621459.1979.10481038 (locally weighted regression)
    """
    if isinstance(midline, NotMeasurable):
        return _not_measurable(midline.reason)
    if not len(midline.displaced_mm):
        return _not_measurable("the midline at the level of the septum pellucidum was not found")
    distance = midline.distance_mm(midline.displaced_mm)
    surface, sd = _surface_mm(
        distance, (midline.displaced_mm - midline.point_mm) @ midline.front_and_top.T
    )
    seen = np.flatnonzero(np.isfinite(surface))
    if not len(seen):
        return _not_measurable(
            "too little of the midline at the level of the septum pellucidum is in view"
        )
    shift = float(surface[seen[np.abs(surface[seen]).argmax()]])
    cell = np.flatnonzero(surface == shift)
    nearest = cell[int(np.abs(distance[cell] - shift).argmin())]
    x, y, z = midline.displaced_mm[nearest]
    profile = []
    for k in np.unique(midline.slices[seen]):
        here = surface[seen[midline.slices[seen] == k]]
        profile.append((int(k), float(here[np.abs(here).argmax()])))
    toward = None if abs(shift) < _NO_SIDE_MM else "right" if shift > 0 else "left"
    spread = _Z95 * float(
        np.sqrt(sd[nearest] ** 2 + midline.sd_mm(midline.displaced_mm[nearest]) ** 2 + _FLOOR_MM**2)
    )
    given = max(0.0, abs(shift) - spread), abs(shift) + spread
    interval = given if calibrator is None else calibrator.interval_mm(abs(shift))
    measured = Measurement("midline_shift", abs(shift), "mm", "midline", METHOD, interval)
    return MidlineShift(
        measured,
        toward,
        (float(x), float(y), float(z)),
        int(midline.slices[nearest]),
        tuple(profile),
    )


def _not_measurable(reason: str) -> MidlineShift:
    return MidlineShift(Measurement("midline_shift", None, "mm", "midline", METHOD, reason=reason))


def _surface_mm(distance: FloatArray, where: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Height of the fitted surface at each point's cell and its standard deviation; NaN where too
    little is around.
    """
    cells, members, counts = np.unique(
        np.floor(where / _CELL_MM), axis=0, return_inverse=True, return_counts=True
    )
    members = members.reshape(-1)
    inside = np.split(np.argsort(members, kind="stable"), np.cumsum(counts)[:-1])
    medians = np.array([np.median(distance[points]) for points in inside])
    centers = np.array([where[points].mean(axis=0) for points in inside]) / _BANDWIDTH_MM
    fitted, spread = np.full((2, len(cells)), np.nan)
    for n in range(len(cells)):
        offset = centers - centers[n]
        near = (offset**2).sum(axis=1) < 4.0
        if near.sum() >= _MIN_CELLS:
            weight = np.exp(-0.5 * (offset[near] ** 2).sum(axis=1)) * np.sqrt(
                np.minimum(counts[near], 20)
            )
            if np.linalg.norm(np.average(offset[near], axis=0, weights=weight)) < _MAX_LOPSIDED:
                fitted[n], spread[n] = _height(offset[near], medians[near], weight)
    return fitted[members], spread[members]


def _height(
    offset: FloatArray, value: FloatArray, weight: NDArray[np.float64]
) -> tuple[float, float]:
    """Value at offset 0 of the weighted quadratic surface through ``(N, 2)`` offsets, by Tukey's
    biweight, and its standard deviation from the residuals, each cell with its own variance."""
    a, b = offset.T
    design = np.column_stack([np.ones(len(a)), a, b, a * a, a * b, b * b])
    robust = np.ones(len(a))
    fit = np.zeros(6)
    for _ in range(3):
        root = np.sqrt(weight * robust)
        fit, *_ = np.linalg.lstsq(design * root[:, None], value * root, rcond=None)
        residual = value - design @ fit
        scale = max(0.3, 1.4826 * float(np.median(np.abs(residual))))
        robust = np.clip(1.0 - (residual / (4.685 * scale)) ** 2, 0.0, None) ** 2
    pull = np.linalg.pinv(design * root[:, None])[0] * root  # what each cell adds to the height
    return float(fit[0]), float(np.sqrt((pull**2 * (value - design @ fit) ** 2).sum()))
