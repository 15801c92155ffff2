"""The slices that matter, as pictures; which they are says `monai_ich.measure.key_slices`."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.calibration import ANY
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.report.view import WINDOW_HU, View, ideal_line
from monai_ich.report.wording import shift_words

RULE = (
    "For each subtype that is present the slice with its largest area, and the slices where the "
    "midline shift is measured: at the foramina of Monro, and where it is largest. Where no "
    "hemorrhage is found, the slice where the network comes nearest to it."
)
_FILL = 0.35


@dataclass(frozen=True)
class KeySlice:
    """A slice and why it is shown.

    Args:
        index: in the turned view.
        reasons: in words.
        shifted: whether a midline shift is measured here.
    """

    index: int
    reasons: tuple[str, ...]
    shifted: bool = False


def pick_key_slices(view: View, exam: ExamMeasurements) -> list[KeySlice]:
    """By `RULE`, from the lowest; a slice that is chosen twice is shown once."""
    reasons: dict[int, list[str]] = {}
    wanted = [f.subtype.name for f in exam.subtypes if f.present] or [ANY]
    for key in exam.key_slices:
        if key.of in wanted:
            reasons.setdefault(view.slice_at(key.at_ras_mm), []).append(key.because)
    shift, shifted = exam.midline_shift, set()
    for name, at in (("midline shift", shift), ("largest midline shift", shift.largest)):
        k = view.slice_of(at)
        if k is not None:
            shifted.add(k)
            reasons.setdefault(k, []).append(f"{name} {shift_words(at)}")
    return [KeySlice(k, tuple(why), k in shifted) for k, why in sorted(reasons.items())]


def slice_areas_cm2(view: View, subtype: Subtype) -> NDArray[np.float64]:
    """Area on each slice."""
    i, j, _ = view.geometry.affine[:3, :3].T
    return np.asarray(
        np.count_nonzero(view.blood == int(subtype), axis=(0, 1))
        * np.linalg.norm(np.cross(i, j))
        / 100
    )


def key_slice_figures(view: View, exam: ExamMeasurements, midline: Midline | NotMeasurable) -> str:
    """One figure a slice: window 0 to 80 HU, blood in its color, the midlines where the shift is
    measured.
    """
    figures = []
    for key in pick_key_slices(view, exam):
        lines = (
            _midlines(view, midline, key.index)
            if key.shifted and isinstance(midline, Midline)
            else ""
        )
        why = "; ".join(key.reasons)
        title = f"Slice {view.numbers[key.index]}: {why}"
        picture = as_svg(view, colored(view, key.index), title, lines)
        figures.append(
            f"<figure>{picture}<figcaption>{escape(title)} "
            f'<button type=button data-slice="{key.index}" hidden aria-label="Show slice '
            f'{view.numbers[key.index]} in the viewer">show</button></figcaption></figure>'
        )
    return (
        f"<div class=pictures>{''.join(figures)}</div>"
        if figures
        else "<p>None stands out by this rule.</p>"
    )


def as_svg(view: View, picture: NDArray[np.uint8], title: str, lines: str = "") -> str:
    """A slice ``(rows, columns, 3)`` in millimeters, so that pixels that are not square are shown
    right.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    width, height = (
        round(n * mm, 2)
        for n, mm in zip(view.geometry.shape[:2], view.geometry.spacing_mm, strict=False)
    )
    letter = 'font-size="9" fill="#ccc" font-family="sans-serif"'
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f'<image width="{width}" height="{height}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"/>{lines}'
        f'<text x="2" y="{height / 2}" {letter}>R</text>'
        f'<text x="{width - 2}" y="{height / 2}" text-anchor="end" {letter}>L</text></svg>'
    )


def colored(view: View, k: int) -> NDArray[np.uint8]:
    """``(rows, columns, 3)``: CT in window, each subtype tinted and outlined."""
    return paint(in_window(view.hu[:, :, k].T), view.blood[:, :, k].T)


def in_window(hu: NDArray[np.float32]) -> NDArray[np.uint8]:
    """CT in gray."""
    low, high = WINDOW_HU
    return np.asarray(np.clip((hu - low) / (high - low) * 255, 0, 255), np.uint8)


def paint(gray: NDArray[np.uint8], blood: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(rows, columns, 3)``: each subtype tinted and outlined on a gray picture."""
    out, here = np.repeat(gray[..., None], 3, axis=2), blood > 0
    colors = np.zeros((int(max(Subtype)) + 1, 3), np.float32)
    for subtype in Subtype:
        colors[subtype] = label_of(subtype).color
    out[here] = out[here] + _FILL * (colors[blood[here]] - out[here])
    edge = outline(blood)
    out[edge] = colors[blood[edge]]
    return out


def outline(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The pixels of labels ``(rows, columns)`` beside others."""
    edge = np.zeros(labels.shape, np.bool_)
    for one, other in ((labels, edge), (labels.T, edge.T)):
        differs = one[1:] != one[:-1]
        other[1:] |= differs
        other[:-1] |= differs
    return edge & (labels > 0)


def _midlines(view: View, midline: Midline, k: int) -> str:
    """The ideal midline (dashed) and the displaced points that lie on the slice."""
    spacing = np.array(view.geometry.spacing_mm[:2])

    def place(points: NDArray[np.float64]) -> list[list[float]]:
        return [[round(float(v), 2) for v in point] for point in (points[:, :2] + 0.5) * spacing]

    (x1, y1), (x2, y2) = place(ideal_line(view, midline, k))
    displaced = view.geometry.to_voxel(midline.displaced_mm)
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="0.6" fill="#ff5252"/>'
        for x, y in place(displaced[np.abs(displaced[:, 2] - k) <= 0.5])
    )
    line = (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#ffd54a" stroke-dasharray="3 '
        '2" stroke-width="0.7"/>'
    )
    return line + dots
