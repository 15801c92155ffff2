"""Baseline and follow-up on the same planes, one above the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.resample import orthogonal_grid
from monai_ich.core.volume import AIR_HU, CTVolume, LabelMap

_COLUMNS = 6
_WINDOW_HU = (0.0, 80.0)
_PLANE_MM = 1.0
_STEP_MM = 5.0
_MARGIN_MM = 4.0


def render_side_by_side(
    path: Path,
    baseline: tuple[CTVolume, LabelMap],
    followup: tuple[CTVolume, LabelMap],
    affine: FloatArray,
) -> None:
    """Write a PNG: slices with most blood of either scan, the patient's left on the right.

    Args:
        path: to write.
        baseline, followup: CT and hemorrhage labels, each on its own grid.
        affine: 4x4 from RAS mm of the baseline to RAS mm of the follow-up.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = orthogonal_grid(baseline[0].geometry, (_PLANE_MM, _PLANE_MM, _STEP_MM))
    pairs = [_read(*baseline, grid, np.eye(4)), _read(*followup, grid, affine)]
    blood = sum((labels > 0).sum(axis=(0, 1)) for _, labels in pairs)
    head = pairs[0][0] > -300
    chosen = _pick(np.asarray(blood), np.asarray(head.any(axis=(0, 1))))
    margin = round(_MARGIN_MM / _PLANE_MM)
    extent = [np.flatnonzero(head.any(axis=axes)) for axes in ((1, 2), (0, 2))]
    (left, right), (back, front) = ((ends[0] - margin, ends[-1] + margin) for ends in extent)
    figure = Figure(figsize=(2.4 * _COLUMNS, 6.0), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, _COLUMNS, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
    figure.subplots_adjust(left=0.02, right=1, bottom=0.05, top=1)
    for row, name, (hu, labels) in zip(axes, ("baseline", "follow-up"), pairs, strict=True):
        for axis, k in zip(row, chosen, strict=True):
            axis.imshow(
                hu[:, :, k].T,
                cmap="gray",
                vmin=_WINDOW_HU[0],
                vmax=_WINDOW_HU[1],
                interpolation="nearest",
            )
            for subtype in Subtype:
                here = (labels[:, :, k] == int(subtype)).T
                if here.any():
                    axis.contour(here, [0.5], colors=[_color(subtype)], linewidths=0.9)
            axis.set_xlim(right, left)  # radiological: the patient's left on the right
            axis.set_ylim(back, front)
            axis.axis("off")
        figure.text(
            0.005,
            0.77 if name == "baseline" else 0.29,
            name,
            color="white",
            rotation=90,
            va="center",
        )
    seen = [s for s in Subtype if any((labels == int(s)).any() for _, labels in pairs)]
    for n, subtype in enumerate(seen):
        figure.text(
            0.03 + 0.19 * n, 0.015, f"■ {label_of(subtype).name}", color=_color(subtype), fontsize=9
        )
    figure.savefig(path, dpi=90, facecolor="black")


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
