"""A picture of the whole scan: slices in brain window with masks over them, as a radiologist looks
at them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.exam import MidlineShift
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.report.key_slices import in_window, outline, paint
from monai_ich.report.view import View, ideal_line, turn
from monai_ich.report.wording import shift_words

_COLUMNS, _ROWS = 5, 3
_WIDTH_IN, _LEGEND_IN, _DPI = 13.0, 0.5, 100
_CAVITY, _IDEAL, _DISPLACED = (95, 211, 188), "#ffd54a", "#ff5252"


def render_montage(
    path: Path,
    ct: CTVolume,
    labels: LabelMap,
    *,
    anatomy: LabelMap | None = None,
    midline: Midline | NotMeasurable | None = None,
    shift: MidlineShift | None = None,
) -> None:
    """Write a PNG: 15 slices from skull base to vertex, the patient's left on the right of the
    picture.

    Blood is tinted in its subtype's color, the cavity outlined; the slice of the shift shows the
    ideal midline (dashed) and the displaced one (dots). Any order and direction of the image's
    axes will do. Without `shift` it is measured.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    view = turn(ct, labels, anatomy).cropped()
    if shift is None and midline is not None:
        shift = measure_midline_shift(midline)
    shifted = view.slice_of(shift)
    slices = _pick(view, shifted)
    columns, rows, _ = view.geometry.shape
    aspect = view.geometry.spacing_mm[1] / view.geometry.spacing_mm[0]
    height_in = _WIDTH_IN * aspect * (rows + 1) * _ROWS / ((columns + 1) * _COLUMNS)
    figure = Figure(figsize=(_WIDTH_IN, height_in + _LEGEND_IN), facecolor="black")
    FigureCanvasAgg(figure)
    low = _LEGEND_IN / (height_in + _LEGEND_IN)
    axis = figure.add_axes((0, low, 1, 1 - low))
    axis.axis("off")
    extent = (-0.5, (columns + 1) * _COLUMNS - 0.5, (rows + 1) * _ROWS - 0.5, -0.5)
    size = round(_WIDTH_IN * _DPI), round(height_in * _DPI)
    axis.imshow(_painted(view, slices, size), extent=extent, aspect=aspect, interpolation="nearest")
    for number, k in enumerate(slices):
        corner = (number % _COLUMNS * (columns + 1), number // _COLUMNS * (rows + 1))
        _write(axis, view, k, corner)
        if k == shifted and shift is not None and isinstance(midline, Midline):
            _draw_midline(axis, midline, view, k, shift_words(shift), corner)
    axis.axis(extent)
    _legend(figure, view, shifted is not None)
    figure.savefig(path, dpi=_DPI, facecolor="black")


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


def _painted(view: View, slices: list[int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The slices side by side, as a picture of ``(columns, rows)`` pixels."""
    from PIL import Image

    def shown(volume: NDArray[Any], how: Image.Resampling) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(_tiled(volume)).resize(size, how))

    gray = shown(in_window(view.hu[:, :, slices]), Image.Resampling.BILINEAR)
    blood = shown(view.blood[:, :, slices], Image.Resampling.NEAREST)
    picture = paint(gray, blood)
    if view.anatomy is not None:
        cavity = shown(view.anatomy[:, :, slices] > 0, Image.Resampling.NEAREST)
        picture[outline(cavity) & (blood == 0)] = _CAVITY
    return picture


def _tiled(volume: NDArray[Any]) -> NDArray[np.uint8]:
    """Slices of ``(I, J, K)`` side by side, as one image with rows first; a pixel lies between."""
    columns, rows, count = volume.shape
    tiles = np.zeros((_ROWS, rows + 1, _COLUMNS, columns + 1), np.uint8)
    for k in range(count):
        tiles[k // _COLUMNS, :rows, k % _COLUMNS, :columns] = volume[:, :, k].T
    return tiles.reshape(_ROWS * (rows + 1), _COLUMNS * (columns + 1))


def _write(axis: Any, view: View, k: int, corner: tuple[int, int]) -> None:
    """Sides and number of the slice whose first voxel lies at `corner`."""
    (x, y), (columns, rows, _) = corner, view.geometry.shape
    style: dict[str, Any] = {"color": "#cccccc", "fontsize": 8}
    axis.text(x + 0.02 * columns, y + 0.5 * rows, "R", va="center", **style)
    axis.text(x + 0.98 * columns, y + 0.5 * rows, "L", va="center", ha="right", **style)
    axis.text(x + 0.98 * columns, y + 0.98 * rows, f"{view.numbers[k]}", ha="right", **style)


def _draw_midline(
    axis: Any, midline: Midline, view: View, k: int, words: str, corner: tuple[int, int]
) -> None:
    """The ideal plane where it cuts the slice, and the displaced points that lie in it."""
    line = ideal_line(view, midline, k)[:, :2] + corner
    axis.plot(*line.T, color=_IDEAL, ls="--", lw=0.8)
    displaced = view.geometry.to_voxel(midline.displaced_mm)
    here = displaced[np.abs(displaced[:, 2] - k) <= 0.5, :2] + corner
    axis.plot(*here.T, color=_DISPLACED, ls="", marker=".", ms=2)
    box = {"facecolor": "black", "alpha": 0.7, "pad": 1.5, "edgecolor": "none"}
    (x, y), (columns, rows, _) = corner, view.geometry.shape
    at = (x + 0.02 * columns, y + 0.03 * rows)
    axis.text(*at, words, color=_IDEAL, fontsize=8, va="top", bbox=box)


def _legend(figure: Any, view: View, shifted: bool) -> None:
    words: list[tuple[str, Any]] = [
        (f"■ {label_of(s).name}", _part(label_of(s).color))
        for s in Subtype
        if (view.blood == int(s)).any()
    ]
    if view.anatomy is not None:
        words.append(("— cavity", _part(_CAVITY)))
    if shifted:
        words += [("- - ideal midline", _IDEAL), ("··· displaced midline", _DISPLACED)]
    low = 0.3 * _LEGEND_IN / figure.get_figheight()
    at, letter = 0.01, 0.98 / max(150, sum(len(text) + 4 for text, _ in words))
    for text, color in words:
        figure.text(at, low, text, color=color, fontsize=8)
        at += (len(text) + 4) * letter


def _part(color: tuple[int, ...]) -> tuple[float, ...]:
    """As parts of one."""
    return tuple(c / 255 for c in color)
