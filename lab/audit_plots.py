"""The audit's plots: each a PNG and one sentence that says what to see in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.audit_case import CLASSES, HIGHEST_HU, LOWEST_HU, RIM_MM, CaseAudit
from lab.audit_summary import PRESENT_ML, RATIO_FROM_ML, present_together
from monai_ich.core.labels import EXTRA_AXIAL, Subtype, label_of

_NAMES = [s.name for s in Subtype]
_COLOR = {s.name: tuple(c / 255 for c in label_of(s).color) for s in Subtype} | {
    "brain": "#555555",
    "rim": "#111111",
    "ventricles": "#1e46c8",
    "bone": "#b0a080",
}
Records = Sequence[CaseAudit]
Histograms = NDArray[np.int64]


def draw_plots(records: Records, histograms: Histograms) -> list[tuple[str, str, bytes]]:
    """Title, caption and PNG of each plot."""
    return [(title, caption, _png(draw, records, histograms)) for title, caption, draw in _PLOTS]


def _png(
    draw: Callable[[Any, Records, Histograms], None], records: Records, histograms: Histograms
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure, records, histograms)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=90, metadata={"Software": None})
    return out.getvalue()


def _densities(figure: Any, records: Records, histograms: Histograms) -> None:
    centers = np.arange(LOWEST_HU, HIGHEST_HU + 1)
    shown = (centers >= -60) & (centers <= 160)
    for axis, names in zip(figure.subplots(1, 2), (_NAMES, CLASSES[len(_NAMES) : -1]), strict=True):
        for name in names:
            row = histograms[CLASSES.index(name)]
            if row.sum():
                axis.plot(centers[shown], row[shown] / row.sum(), color=_COLOR[name], label=name)
        axis.set(xlabel="HU", ylabel="share of voxels per HU")
        if axis.lines:
            axis.legend(fontsize=8)


def _tails(figure: Any, records: Records, histograms: Histograms) -> None:
    axis, centers = figure.subplots(), np.arange(LOWEST_HU, HIGHEST_HU + 1)
    shown = (centers >= 0) & (centers <= 600)
    for name in CLASSES[:-1]:
        row = histograms[CLASSES.index(name)]
        if row.sum():
            above = 1.0 - np.cumsum(row) / row.sum()
            axis.plot(centers[shown], above[shown], color=_COLOR[name], label=name)
    axis.set(xlabel="HU", ylabel="share of voxels above", yscale="log", ylim=(1e-5, 1.2))
    if axis.lines:
        axis.legend(fontsize=8)


def _label_against_true(figure: Any, records: Records, histograms: Histograms) -> None:
    left, right = figure.subplots(1, 2)
    ratios = []
    for name in _NAMES:
        pairs = np.array(
            [(r.true_ml[name], r.label_ml[name]) for r in records if r.true_ml[name] >= PRESENT_ML]
        )
        pairs = pairs.reshape(-1, 2)
        left.scatter(
            pairs[:, 0],
            np.maximum(pairs[:, 1], 0.02),
            s=12,
            color=_COLOR[name],
            ec="#444",
            lw=0.3,
            label=name,
        )
        large = pairs[:, 0] >= RATIO_FROM_ML
        ratios.append(pairs[large, 1] / pairs[large, 0])
    left.plot([0.05, 150], [0.05, 150], color="#888", lw=0.8)
    left.set(xscale="log", yscale="log", xlabel="true volume, mL", ylabel="label volume, mL")
    left.legend(fontsize=8)
    right.boxplot(ratios, tick_labels=_NAMES, showfliers=True, flierprops={"markersize": 3})
    right.axhline(1.0, color="#888", lw=0.8)
    right.set(ylabel="label volume / true volume")


def _volumes(figure: Any, records: Records, histograms: Histograms) -> None:
    left, right = figure.subplots(1, 2)
    bins = np.geomspace(PRESENT_ML, 200, 23).tolist()
    values = [[v for r in records if (v := r.true_ml[name]) >= PRESENT_ML] for name in _NAMES]
    left.hist(values, bins=bins, stacked=True, color=[_COLOR[n] for n in _NAMES], label=_NAMES)
    left.set(xscale="log", xlabel="true volume, mL", ylabel="bleeds")
    left.legend(fontsize=8)
    for name in _NAMES:
        pairs = [(r.asked_ml[name], r.true_ml[name]) for r in records if r.asked_ml[name] > 0]
        asked, true = np.array(pairs).reshape(-1, 2).T
        right.scatter(asked, np.maximum(true, 0.02), s=12, color=_COLOR[name], ec="#444", lw=0.3)
    right.plot([0.1, 150], [0.1, 150], color="#888", lw=0.8)
    right.set(xscale="log", yscale="log", xlabel="asked for, mL", ylabel="true volume, mL")


def _thickness(figure: Any, records: Records, histograms: Histograms) -> None:
    left, right = figure.subplots(1, 2)
    for name in (s.name for s in EXTRA_AXIAL):
        values = [v for r in records if (v := r.thickness_mm.get(name))]
        left.hist(
            values,
            bins=np.arange(0, 42, 2).tolist(),
            alpha=0.6,
            color=_COLOR[name],
            ec="#444",
            label=name,
        )
        pairs = [
            (t, r.thickness_mm[name])
            for r in records
            if (t := r.true_thickness_mm.get(name)) and name in r.thickness_mm
        ]
        true, found = np.array(pairs).reshape(-1, 2).T
        right.scatter(true, found, s=12, color=_COLOR[name], ec="#444", lw=0.3)
    left.set(xlabel="largest thickness of the labels, mm", ylabel="heads")
    left.legend(fontsize=8)
    right.plot([0, 40], [0, 40], color="#888", lw=0.8)
    right.set(xlabel="thickness that the generator made, mm", ylabel="thickness of the labels, mm")


def _shift(figure: Any, records: Records, histograms: Histograms) -> None:
    left, right = figure.subplots(1, 2)
    left.scatter(
        [sum(r.true_ml.values()) for r in records],
        [abs(r.shift_mm) for r in records],
        s=12,
        color="#336699",
    )
    left.set(xlabel="total true volume, mL", ylabel="|midline shift|, mm")
    right.hist(
        [r.shift_mm for r in records],
        bins=np.arange(-20, 21, 2).tolist(),
        color="#336699",
        ec="white",
    )
    right.set(xlabel="midline shift, mm (+ to the patient's right)", ylabel="heads")


def _together(figure: Any, records: Records, histograms: Histograms) -> None:
    left, right = figure.subplots(1, 2)
    table = present_together(records)
    counts = np.array([[table[a][b] for b in _NAMES] for a in _NAMES])
    left.imshow(counts, cmap="Blues")
    left.set_xticks(range(5), _NAMES)
    left.set_yticks(range(5), _NAMES)
    for i, j in np.ndindex(5, 5):
        dark = counts[i, j] > 0.6 * max(1, counts.max())
        left.text(
            j, i, str(counts[i, j]), ha="center", va="center", color="white" if dark else "black"
        )
    kinds = [sum(ml >= PRESENT_ML for ml in r.true_ml.values()) for r in records]
    right.bar(range(6), np.bincount(kinds, minlength=6)[:6], color="#336699")
    right.set(xlabel="subtypes in one head", ylabel="heads")


def _scans(figure: Any, records: Records, histograms: Histograms) -> None:
    axes = figure.subplots(1, 3)
    rows = (
        ("slice thickness, mm", "slice_mm"),
        ("gantry tilt, degrees", "tilt_deg"),
        ("cavity, mL", "cavity_ml"),
    )
    for axis, (words, name) in zip(axes, rows, strict=True):
        axis.hist([getattr(r, name) for r in records], bins=18, color="#336699", ec="white")
        axis.set(xlabel=words, ylabel="heads")


_PLOTS: tuple[tuple[str, str, Callable[[Any, Records, Histograms], None]], ...] = (
    (
        "Density of each class",
        "Blood should lie between fluid and calcification, a second hump is old blood or a fault; "
        "the rim is clean "
        f"brain within {RIM_MM:g} mm of bone.",
        _densities,
    ),
    (
        "Tails toward bone",
        "A curve of a blood class that stays high beyond 150 HU is bone that shines into its "
        "labels.",
        _tails,
    ),
    (
        "Labels against truth",
        "Points on the line keep their volume as labels; what falls below is thinner than a voxel "
        f"(ratios from {RATIO_FROM_ML:g} mL on).",
        _label_against_true,
    ),
    (
        "Volumes",
        "Volumes should spread evenly over decades, and what is asked for should be what the head "
        "holds.",
        _volumes,
    ),
    (
        "Thickness of clots on the skull",
        "The largest ball that fits into the labels, beside the thickness that the generator made "
        "before partial "
        "volume took its part.",
        _thickness,
    ),
    (
        "Midline shift",
        "Volume must not predict shift: heads with much blood and none, and with shift and no "
        "blood, are both there.",
        _shift,
    ),
    (
        "Subtypes together",
        "Each pair should occur, the diagonal counts heads with that subtype, and none at all is "
        "a fair share.",
        _together,
    ),
    (
        "Scans",
        "Thin and thick slices, tilted and straight gantries, small and large heads should all be "
        "there.",
        _scans,
    ),
)
