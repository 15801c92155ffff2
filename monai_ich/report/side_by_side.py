"""Scans of one patient on the same planes, one above the other; and their volumes over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from monai_ich.core.followup import Amount, TimePoint
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.resample import orthogonal_grid
from monai_ich.core.volume import AIR_HU, CTVolume, LabelMap

_COLUMNS = 6
_ROW_INCH = 3.0
_WINDOW_HU = (0.0, 80.0)
_PLANE_MM = 1.0
_STEP_MM = 5.0
_MARGIN_MM = 4.0
_Line = tuple[str, tuple[float, ...], list[Amount]]


def render_side_by_side(
    path: Path, scans: Sequence[tuple[tuple[CTVolume, LabelMap], FloatArray, str]]
) -> None:
    """Write a PNG: slices with most blood of any scan, the patient's left on the right.

    Args:
        path: to write.
        scans: the baseline first, of each CT and hemorrhage labels on its own grid, 4x4 from RAS
            mm of the baseline to RAS mm of it, and the name beside its row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = orthogonal_grid(scans[0][0][0].geometry, (_PLANE_MM, _PLANE_MM, _STEP_MM))
    seen = [_read(*scan, grid, affine) for scan, affine, _ in scans]
    blood = sum((labels > 0).sum(axis=(0, 1)) for _, labels in seen)
    head = seen[0][0] > -300
    chosen = _pick(np.asarray(blood), np.asarray(head.any(axis=(0, 1))))
    margin = round(_MARGIN_MM / _PLANE_MM)
    extent = [np.flatnonzero(head.any(axis=axes)) for axes in ((1, 2), (0, 2))]
    (left, right), (back, front) = ((ends[0] - margin, ends[-1] + margin) for ends in extent)
    figure = Figure(figsize=(2.4 * _COLUMNS, _ROW_INCH * len(scans)), facecolor="black")
    FigureCanvasAgg(figure)
    grid_of_axes = figure.subplots(
        len(scans), _COLUMNS, gridspec_kw={"wspace": 0.02, "hspace": 0.02}
    )
    bottom = 0.3 / (_ROW_INCH * len(scans))
    figure.subplots_adjust(left=0.02, right=1, bottom=bottom, top=1)
    for n, (axes, (hu, labels)) in enumerate(zip(grid_of_axes, seen, strict=True)):
        for axis, k in zip(axes, chosen, strict=True):
            _draw(axis, hu[:, :, k].T, labels[:, :, k].T)
            axis.set_xlim(right, left)  # radiological: the patient's left on the right
            axis.set_ylim(back, front)
        y = 1 - (1 - bottom) * (n + 0.5) / len(scans)
        figure.text(
            0.005, y, scans[n][2], color="white", rotation=90, va="center", parse_math=False
        )
    present = [s for s in Subtype if any((labels == int(s)).any() for _, labels in seen)]
    for n, subtype in enumerate(present):
        name, color = f"■ {label_of(subtype).name}", _color(subtype)
        figure.text(0.03 + 0.19 * n, bottom * 0.3, name, color=color, fontsize=9)
    figure.savefig(path, dpi=90, facecolor="black")


def render_volumes(path: Path, points: Sequence[TimePoint]) -> None:
    """Write a PNG: volume of each subtype and of all blood over hours, with 95 % intervals.

    Over the scans' numbers where hours are unknown.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    hours = [point.hours for point in points if point.hours is not None]
    timed = len(hours) == len(points)
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    at = hours if timed else list(range(1, len(points) + 1))
    lines: list[_Line] = [("all blood", (0.0, 0.0, 0.0), [point.total for point in points])]
    if all(point.amounts for point in points):
        lines += [(s.name, _color(s), [point.amounts[s.name] for point in points]) for s in Subtype]
    for name, color, amounts in lines:
        if not any(amount.ml for amount in amounts):
            continue
        ml = [amount.ml for amount in amounts]
        ends = [amount.interval_ml or (amount.ml, amount.ml) for amount in amounts]
        errors = [[max(0.0, v - e[0]) for v, e in zip(ml, ends, strict=True)]]
        errors += [[max(0.0, e[1] - v) for v, e in zip(ml, ends, strict=True)]]
        axis.errorbar(at, ml, errors, color=color, label=name, marker="o", capsize=3)
    axis.set_xticks(at)
    axis.set_xlabel("hours" if timed else "scan (hours not given)")
    axis.set_ylabel("volume, mL")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:
        axis.legend()
    figure.savefig(path, dpi=110)


def _draw(axis: Any, hu: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
    low, high = _WINDOW_HU
    axis.imshow(hu, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    for subtype in Subtype:
        here = labels == int(subtype)
        if here.any():
            axis.contour(here, [0.5], colors=[_color(subtype)], linewidths=0.9)
    axis.axis("off")


def _read(
    ct: CTVolume, labels: LabelMap, grid: Geometry, affine: FloatArray
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """CT (linear) and labels (nearest) at the moved voxels of `grid`, air and background
    outside.
    """
    world = (
        grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)) @ affine[:3, :3].T + affine[:3, 3]
    )
    at = np.moveaxis(ct.geometry.to_voxel(world), -1, 0)
    return (
        np.asarray(map_coordinates(ct.hu, at, order=1, cval=AIR_HU), np.float32),
        np.asarray(map_coordinates(labels.voxels, at, order=0, cval=0), np.uint8),
    )


def _pick(blood: NDArray[np.int64], head: NDArray[np.bool_]) -> list[int]:
    """Slices spread over those with blood, or over the head where there is none."""
    there = np.flatnonzero(blood if blood.any() else head)
    return [int(k) for k in np.rint(np.linspace(there[0], there[-1], _COLUMNS))]


def _color(subtype: Subtype) -> tuple[float, ...]:
    return tuple(c / 255 for c in label_of(subtype).color)
