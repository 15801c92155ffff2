"""A picture of the whole scan: slices in brain window with masks over them, as a radiologist looks at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.report.wording import shift_words

_COLUMNS, _ROWS = 5, 3
_WINDOW = (0.0, 80.0)


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
    (dashed) and the displaced one (dots).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = anatomy if anatomy is not None and anatomy.voxels.any() else None
    box = _head_box(ct)
    shift = measure_midline_shift(midline) if midline is not None else None
    slices = _pick(shown, ct, labels, None if shift is None else shift.slice_index)
    aspect = ct.geometry.spacing_mm[1] / ct.geometry.spacing_mm[0]
    figure = Figure(figsize=(2.6 * _COLUMNS, 3.05 * _ROWS + 0.5), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(_ROWS, _COLUMNS, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
    figure.subplots_adjust(left=0, right=1, bottom=0.05, top=1)
    for axis, k in zip(axes.ravel(), slices, strict=False):
        _draw_slice(axis, ct, labels, shown, k, box, aspect)
        if shift is not None and k == shift.slice_index and isinstance(midline, Midline):
            _draw_midline(axis, midline, ct.geometry, k, box, shift_words(shift))
    for axis in axes.ravel():
        axis.axis("off")
    _legend(figure, labels)
    figure.savefig(path, dpi=100, facecolor="black")


def _head_box(ct: CTVolume) -> tuple[slice, slice]:
    """Columns and rows that hold the head, with a small margin."""
    body = (ct.hu > -300).mean(axis=2) > 0.05
    ends = []
    for axis in (0, 1):
        hit = np.flatnonzero(body.any(axis=1 - axis))
        size = body.shape[axis]
        ends.append(slice(max(0, hit[0] - size // 50), min(size, hit[-1] + size // 50)) if hit.size else slice(None))
    return ends[0], ends[1]


def _pick(anatomy: LabelMap | None, ct: CTVolume, labels: LabelMap, shifted: int | None) -> list[int]:
    """Slices spread over the cavity; the one of largest shift and the one with most blood among them."""
    inside = np.flatnonzero((anatomy.voxels if anatomy is not None else ct.hu > -300).any(axis=(0, 1)))
    first, last = (int(inside[0]), int(inside[-1])) if inside.size else (0, ct.geometry.shape[2] - 1)
    slices = sorted({round(k) for k in np.linspace(first, last, _COLUMNS * _ROWS)})
    blood = (labels.voxels > 0).sum(axis=(0, 1))
    for wanted in (int(blood.argmax()) if blood.any() else None, shifted):
        if wanted is not None and wanted not in slices:
            slices[int(np.abs(np.array(slices) - wanted).argmin())] = wanted
    upward = ct.geometry.affine[2, 2] > 0
    return sorted(set(slices), reverse=not upward)


def _upright(plane: NDArray[Any], geometry: Geometry, box: tuple[slice, slice]) -> NDArray[Any]:
    """``(I, J)`` to picture rows and columns: patient's right on the left, front at the top."""
    picture = plane[box].T
    if geometry.affine[0, 0] > 0:
        picture = np.fliplr(picture)
    if geometry.affine[1, 1] > 0:
        picture = np.flipud(picture)
    return picture


def _draw_slice(
    axis: Any,
    ct: CTVolume,
    labels: LabelMap,
    anatomy: LabelMap | None,
    k: int,
    box: tuple[slice, slice],
    aspect: float,
) -> None:
    def turn(plane: NDArray[Any]) -> NDArray[Any]:
        return _upright(plane, ct.geometry, box)

    axis.imshow(turn(ct.hu[:, :, k]), cmap="gray", vmin=_WINDOW[0], vmax=_WINDOW[1], aspect=aspect)
    if anatomy is not None and anatomy.voxels[:, :, k].any():
        axis.contour(turn(anatomy.voxels[:, :, k] > 0), [0.5], colors="#5fd3bc", linewidths=0.6)
    blood = turn(labels.voxels[:, :, k])
    overlay = np.zeros((*blood.shape, 4))
    for subtype in Subtype:
        overlay[blood == int(subtype)] = (*(c / 255 for c in label_of(subtype).color), 0.45)
    axis.imshow(overlay, aspect=aspect, interpolation="nearest")
    for subtype in Subtype:
        if (blood == int(subtype)).any():
            axis.contour(
                blood == int(subtype), [0.5], colors=[[c / 255 for c in label_of(subtype).color]], linewidths=0.8
            )
    style: dict[str, Any] = {"color": "#cccccc", "fontsize": 8, "transform": axis.transAxes}
    axis.text(0.02, 0.5, "R", va="center", **style)
    axis.text(0.98, 0.5, "L", va="center", ha="right", **style)
    axis.text(0.98, 0.02, f"{k}", ha="right", **style)


def _draw_midline(
    axis: Any, midline: Midline, geometry: Geometry, k: int, box: tuple[slice, slice], words: str
) -> None:
    size = geometry.shape
    rows = np.arange(size[1], dtype=np.float64)
    ends = np.stack([np.zeros_like(rows), rows, np.full_like(rows, k)], axis=-1)
    start, step = geometry.to_world(ends), geometry.affine[:3, 0]
    columns = -((start - midline.point_mm) @ midline.normal) / float(step @ midline.normal)
    ideal = np.stack([columns, rows], axis=-1)
    here = np.abs(midline.slices - k) < 0.5
    displaced = geometry.to_voxel(midline.displaced_mm[here])[:, :2]
    for points, style in ((ideal, {"ls": "--", "lw": 0.8}), (displaced, {"ls": "", "marker": ".", "ms": 2})):
        x, y = _picture_points(points, geometry, box)
        axis.plot(x, y, color="#ffd54a" if style["ls"] else "#ff5252", **style)
    width, height = len(range(*box[0].indices(size[0]))), len(range(*box[1].indices(size[1])))
    axis.set_xlim(-0.5, width - 0.5)
    axis.set_ylim(height - 0.5, -0.5)
    axis.text(0.5, 0.02, words, color="#ffd54a", fontsize=8, ha="center", transform=axis.transAxes)


def _picture_points(points: FloatArray, geometry: Geometry, box: tuple[slice, slice]) -> tuple[FloatArray, FloatArray]:
    first, last = zip(*(s.indices(n)[:2] for s, n in zip(box, geometry.shape, strict=False)), strict=True)
    x = last[0] - 1 - points[:, 0] if geometry.affine[0, 0] > 0 else points[:, 0] - first[0]
    y = last[1] - 1 - points[:, 1] if geometry.affine[1, 1] > 0 else points[:, 1] - first[1]
    return x, y


def _legend(figure: Any, labels: LabelMap) -> None:
    present = [s for s in Subtype if (labels.voxels == int(s)).any()]
    words = [(f"■ {label_of(s).name}", [c / 255 for c in label_of(s).color]) for s in present]
    words.append(("— intracranial cavity", "#5fd3bc"))  # type: ignore[arg-type]
    for n, (text, color) in enumerate(words):
        figure.text(0.01 + 0.19 * n, 0.015, text, color=color, fontsize=9)
