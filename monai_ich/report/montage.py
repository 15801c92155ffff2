"""A picture of the whole scan: slices in brain window with masks over them, as a radiologist looks
at them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.report.view import WINDOW_HU, View, ideal_line, turn
from monai_ich.report.wording import shift_words

_COLUMNS, _ROWS = 5, 3
_CAVITY, _IDEAL, _DISPLACED = "#5fd3bc", "#ffd54a", "#ff5252"


def render_montage(
    path: Path,
    ct: CTVolume,
    labels: LabelMap,
    *,
    anatomy: LabelMap | None = None,
    midline: Midline | NotMeasurable | None = None,
) -> None:
    """Write a PNG: 15 slices from skull base to vertex, the patient's left on the right of the
    picture.

    Blood is filled in its subtype's color, the cavity outlined; the slice of the shift shows the
    ideal midline (dashed) and the displaced one (dots). Any order and direction of the image's
    axes will do.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    view = turn(ct, labels, anatomy).cropped()
    shift = measure_midline_shift(midline) if midline is not None else None
    shifted = view.slice_of(shift)
    figure = Figure(figsize=(2.6 * _COLUMNS, 3.05 * _ROWS + 0.5), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(_ROWS, _COLUMNS, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
    figure.subplots_adjust(left=0, right=1, bottom=0.05, top=1)
    for axis in axes.ravel():
        axis.axis("off")
    for axis, k in zip(axes.ravel(), _pick(view, shifted), strict=False):
        _draw_slice(axis, view, k)
        if k == shifted and shift is not None and isinstance(midline, Midline):
            _draw_midline(axis, midline, view, k, shift_words(shift))
        axis.set_xlim(-0.5, view.geometry.shape[0] - 0.5)
        axis.set_ylim(view.geometry.shape[1] - 0.5, -0.5)
    _legend(figure, view, shifted is not None)
    figure.savefig(path, dpi=100, facecolor="black")


def _pick(view: View, shifted: int | None) -> list[int]:
    """Slices spread over the cavity; the one of largest shift and the one with most blood among
    them.
    """
    inside = np.flatnonzero(
        (view.hu > -300 if view.anatomy is None else view.anatomy).any(axis=(0, 1))
    )
    first, last = (
        (int(inside[0]), int(inside[-1])) if inside.size else (0, view.geometry.shape[2] - 1)
    )
    slices = sorted({round(k) for k in np.linspace(first, last, _COLUMNS * _ROWS)})
    blood = (view.blood > 0).sum(axis=(0, 1))
    for wanted in (int(blood.argmax()) if blood.any() else None, shifted):
        if wanted is not None and wanted not in slices:
            slices[int(np.abs(np.array(slices) - wanted).argmin())] = wanted
    return sorted(set(slices))


def _draw_slice(axis: Any, view: View, k: int) -> None:
    aspect = view.geometry.spacing_mm[1] / view.geometry.spacing_mm[0]
    low, high = WINDOW_HU
    axis.imshow(view.hu[:, :, k].T, cmap="gray", vmin=low, vmax=high, aspect=aspect)
    if view.anatomy is not None and view.anatomy[:, :, k].any():
        axis.contour(view.anatomy[:, :, k].T > 0, [0.5], colors=_CAVITY, linewidths=0.6)
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


def _draw_midline(axis: Any, midline: Midline, view: View, k: int, words: str) -> None:
    """The ideal plane where it cuts the slice, and the displaced points that lie in it."""
    axis.plot(*ideal_line(view, midline, k)[:, :2].T, color=_IDEAL, ls="--", lw=0.8)
    displaced = view.geometry.to_voxel(midline.displaced_mm)
    here = np.abs(displaced[:, 2] - k) <= 0.5
    axis.plot(displaced[here, 0], displaced[here, 1], color=_DISPLACED, ls="", marker=".", ms=2)
    box = {"facecolor": "black", "alpha": 0.7, "pad": 1.5, "edgecolor": "none"}
    axis.text(
        0.02, 0.97, words, color=_IDEAL, fontsize=8, va="top", transform=axis.transAxes, bbox=box
    )


def _legend(figure: Any, view: View, shifted: bool) -> None:
    words: list[tuple[str, Any]] = [
        (f"■ {label_of(s).name}", _color(s)) for s in Subtype if (view.blood == int(s)).any()
    ]
    if view.anatomy is not None:
        words.append(("— cavity", _CAVITY))
    if shifted:
        words += [("- - ideal midline", _IDEAL), ("··· displaced midline", _DISPLACED)]
    at, letter = 0.01, 0.98 / max(150, sum(len(text) + 4 for text, _ in words))
    for text, color in words:
        figure.text(at, 0.015, text, color=color, fontsize=8)
        at += (len(text) + 4) * letter


def _color(subtype: Subtype) -> tuple[float, ...]:
    return tuple(c / 255 for c in label_of(subtype).color)
