"""A picture of the whole scan: slices in brain window with masks over them, as a radiologist looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from monai_ich.core.exam import MidlineShift
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.report.wording import shift_words

_COLUMNS, _ROWS = 5, 3
_WINDOW_HU = (0.0, 80.0)  # brain: level 40, width 80
_AROUND_CAVITY_MM = 22.0  # skull and scalp
_CAVITY, _IDEAL, _DISPLACED = "#5fd3bc", "#ffd54a", "#ff5252"


@dataclass(frozen=True, eq=False)
class _View:
    """Images turned for display: axis 0 toward the patient's left, 1 to the back, 2 up, as near as the grid allows.

    Args:
        hu, blood, cavity: images in that order of axes; `cavity` is None where there is no anatomy.
        geometry: of the turned images.
        numbers: index along the third axis to the index in the original image.
    """

    hu: NDArray[np.float32]
    blood: NDArray[np.uint8]
    cavity: NDArray[np.bool_] | None
    geometry: Geometry
    numbers: NDArray[np.int64]


def render_montage(
    path: Path,
    ct: CTVolume,
    labels: LabelMap,
    *,
    anatomy: LabelMap | None = None,
    midline: Midline | str | None = None,
) -> None:
    """Write a PNG: 15 slices from skull base to vertex, the patient's left on the right of the picture.

    Blood is filled in its subtype's color, the cavity outlined; the slice of largest shift shows the ideal midline
    (dashed) and the displaced one (dots). Any order and direction of the image's axes will do.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    view = _turned(ct, labels, anatomy)
    shift = measure_midline_shift(midline) if midline is not None else None
    shifted = _slice_of(shift, view.geometry)
    head = _head_box(view)
    figure = Figure(figsize=(2.6 * _COLUMNS, 3.05 * _ROWS + 0.5), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(_ROWS, _COLUMNS, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
    figure.subplots_adjust(left=0, right=1, bottom=0.05, top=1)
    for axis in axes.ravel():
        axis.axis("off")
    for axis, k in zip(axes.ravel(), _pick(view, shifted), strict=False):
        _draw_slice(axis, view, k)
        if k == shifted and shift is not None and isinstance(midline, Midline):
            _draw_midline(axis, midline, view.geometry, k, shift_words(shift))
        axis.set_xlim(head[0].start - 0.5, head[0].stop - 0.5)
        axis.set_ylim(head[1].stop - 0.5, head[1].start - 0.5)
    _legend(figure, view, shifted is not None)
    figure.savefig(path, dpi=100, facecolor="black")


def _turned(ct: CTVolume, labels: LabelMap, anatomy: LabelMap | None) -> _View:
    directions = ct.geometry.affine[:3, :3] / np.linalg.norm(ct.geometry.affine[:3, :3], axis=0)
    order = [int(n) for n in linear_sum_assignment(-np.abs(directions))[1]]
    wanted = (-1.0, -1.0, 1.0)  # left, back, up
    flipped = tuple(n for n in range(3) if directions[n, order[n]] * wanted[n] < 0)

    def turn(image: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.flip(image.transpose(order), flipped))

    affine = ct.geometry.affine[:, [*order, 3]].copy()
    i, j, k = (ct.geometry.shape[n] for n in order)
    for n in flipped:
        affine[:3, 3] += affine[:3, n] * ((i, j, k)[n] - 1)
        affine[:3, n] *= -1
    cavity = turn(anatomy.voxels > 0) if anatomy is not None and anatomy.voxels.any() else None
    numbers = np.arange(k)
    geometry = Geometry((i, j, k), affine)
    return _View(turn(ct.hu), turn(labels.voxels), cavity, geometry, np.flip(numbers) if 2 in flipped else numbers)


def _slice_of(shift: MidlineShift | None, geometry: Geometry) -> int | None:
    if shift is None or shift.at_ras_mm is None:
        return None
    return int(np.clip(np.rint(geometry.to_voxel(shift.at_ras_mm)[2]), 0, geometry.shape[2] - 1))


def _head_box(view: _View) -> tuple[slice, slice]:
    """Columns and rows that hold the skull around the cavity; where there is no cavity, all that is not air."""
    head = view.cavity.any(axis=2) if view.cavity is not None else (view.hu > -300).mean(axis=2) > 0.05
    shown: NDArray[np.bool_] = np.asarray(head)
    margin_mm = _AROUND_CAVITY_MM if view.cavity is not None else 4.0
    ends = []
    for axis in (0, 1):
        hit, size = np.flatnonzero(shown.any(axis=1 - axis)), shown.shape[axis]
        margin = round(margin_mm / view.geometry.spacing_mm[axis])
        ends.append(slice(max(0, hit[0] - margin), min(size, hit[-1] + margin + 1)) if hit.size else slice(0, size))
    return ends[0], ends[1]


def _pick(view: _View, shifted: int | None) -> list[int]:
    """Slices spread over the cavity; the one of largest shift and the one with most blood among them."""
    inside = np.flatnonzero((view.cavity if view.cavity is not None else view.hu > -300).any(axis=(0, 1)))
    first, last = (int(inside[0]), int(inside[-1])) if inside.size else (0, view.geometry.shape[2] - 1)
    slices = sorted({round(k) for k in np.linspace(first, last, _COLUMNS * _ROWS)})
    blood = (view.blood > 0).sum(axis=(0, 1))
    for wanted in (int(blood.argmax()) if blood.any() else None, shifted):
        if wanted is not None and wanted not in slices:
            slices[int(np.abs(np.array(slices) - wanted).argmin())] = wanted
    return sorted(set(slices))


def _draw_slice(axis: Any, view: _View, k: int) -> None:
    aspect = view.geometry.spacing_mm[1] / view.geometry.spacing_mm[0]
    low, high = _WINDOW_HU
    axis.imshow(view.hu[:, :, k].T, cmap="gray", vmin=low, vmax=high, aspect=aspect)
    if view.cavity is not None and view.cavity[:, :, k].any():
        axis.contour(view.cavity[:, :, k].T, [0.5], colors=_CAVITY, linewidths=0.6)
    blood = view.blood[:, :, k].T
    overlay = np.zeros((*blood.shape, 4))
    for subtype in Subtype:
        here = blood == int(subtype)
        if here.any():
            overlay[here] = (*_color(subtype), 0.4)
            axis.contour(here, [0.5], colors=[_color(subtype)], linewidths=0.8)
    axis.imshow(overlay, aspect=aspect, interpolation="nearest")
    style: dict[str, Any] = {"color": "#cccccc", "fontsize": 8, "transform": axis.transAxes}
    axis.text(0.02, 0.5, "R", va="center", **style)
    axis.text(0.98, 0.5, "L", va="center", ha="right", **style)
    axis.text(0.98, 0.02, f"{view.numbers[k]}", ha="right", **style)


def _draw_midline(axis: Any, midline: Midline, geometry: Geometry, k: int, words: str) -> None:
    """The ideal plane where it cuts the slice, and the displaced points that lie in it."""
    rows = np.arange(geometry.shape[1], dtype=np.float64)
    start = geometry.to_world(np.stack([np.zeros_like(rows), rows, np.full_like(rows, k)], axis=-1))
    columns = -midline.distance_mm(start) / float(geometry.affine[:3, 0] @ midline.normal)
    axis.plot(columns, rows, color=_IDEAL, ls="--", lw=0.8)
    displaced = geometry.to_voxel(midline.displaced_mm)
    here = np.abs(displaced[:, 2] - k) <= 0.5
    axis.plot(displaced[here, 0], displaced[here, 1], color=_DISPLACED, ls="", marker=".", ms=2)
    box = {"facecolor": "black", "alpha": 0.7, "pad": 1.5, "edgecolor": "none"}
    axis.text(0.02, 0.97, words, color=_IDEAL, fontsize=8, va="top", transform=axis.transAxes, bbox=box)


def _legend(figure: Any, view: _View, shifted: bool) -> None:
    words: list[tuple[str, Any]] = [
        (f"■ {label_of(s).name}", _color(s)) for s in Subtype if (view.blood == int(s)).any()
    ]
    if view.cavity is not None:
        words.append(("— cavity", _CAVITY))
    if shifted:
        words += [("- - ideal midline", _IDEAL), ("··· displaced midline", _DISPLACED)]
    for n, (text, color) in enumerate(words):
        figure.text(0.01 + n / max(5, len(words)), 0.015, text, color=color, fontsize=8)


def _color(subtype: Subtype) -> tuple[float, ...]:
    return tuple(c / 255 for c in label_of(subtype).color)
