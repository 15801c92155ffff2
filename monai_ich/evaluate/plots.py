"""The plots of an evaluation: each a PNG and one sentence that says what to see in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monai_ich.core.labels import Subtype, label_of
from monai_ich.evaluate.densities import HIGHEST_HU, LOWEST_HU, Densities
from monai_ich.evaluate.masks import Row
from monai_ich.manifest.manifest import ANY

_COLOR: dict[str, Any] = {
    s.name: tuple(c / 255 * 0.85 for c in label_of(s).color) for s in Subtype
} | {ANY: "#333333"}
_MARK = {"EDH": "s", "IPH": "o", "IVH": "^", "SAH": "D", "SDH": "v", ANY: "x"}


@dataclass(frozen=True)
class Plot:
    """One picture: file name without ending, title, caption, PNG."""

    name: str
    title: str
    caption: str
    png: bytes


def draw_plots(rows: Sequence[Row], summary: dict[str, Any], densities: Densities) -> list[Plot]:
    """The plots for which there is something to show."""
    figures = summary["figures"]
    masks, exams = figures["masks"], figures["exams"]
    curves = {n: e for n, e in exams.items() if e["auc"]["value"] is not None}
    probable = {n: e for n, e in exams.items() if e["auc"].get("score") == "probability"}
    found = []

    def add(name: str, title: str, caption: str, draw: Callable[[Any], None]) -> None:
        found.append(Plot(name, title, caption, _png(draw)))

    if masks:
        add(
            "bland_altman",
            "Volume, case by case",
            "Left: difference against mean of predicted and reference volume of all blood, with "
            "bias (line) and limits "
            "of agreement (dashed). Right: each subtype; on the line both volumes are equal.",
            lambda figure: _bland_altman(figure, rows, masks),
        )
        add(
            "dice_by_volume",
            "Dice by volume",
            "Small hemorrhages are harder: each point is one finding of one scan whose reference "
            "holds it.",
            lambda figure: _dice_by_volume(figure, rows, list(masks)),
        )
    if curves:
        add(
            "roc",
            "Detection",
            "The diagonal is chance; the dots are sensitivity and specificity of what was called "
            "present.",
            lambda figure: _roc(figure, rows, curves),
        )
    if probable:
        add(
            "calibration",
            "Calibration",
            "On the diagonal, findings called 70 % probable are there in 70 % of exams. Five bins "
            "of equal count.",
            lambda figure: _calibration(figure, rows, list(probable)),
        )
    if len(densities.counts):
        add(
            "hu_histogram",
            "Hounsfield units after preprocessing",
            f"{len(densities.counts)} scans, resampled as for the network, before its windows; "
            "one line a scan, the "
            "median in black. A line apart from the others is a scan whose values are not "
            "Hounsfield units.",
            lambda figure: _histogram(figure, densities),
        )
    return found


def _png(draw: Callable[[Any], None]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100, metadata={"Software": None})
    return out.getvalue()


def _pairs(rows: Sequence[Row], *columns: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``(columns, cases)`` of the cases that have a value in each."""
    values = [[row.get(column) for column in columns] for row in rows]
    return np.array([v for v in values if None not in v], np.float64).reshape(-1, len(columns)).T


def _bland_altman(figure: Any, rows: Sequence[Row], masks: dict[str, Any]) -> None:
    left, right = figure.subplots(1, 2)
    predicted, true = _pairs(rows, f"{ANY}_volume_ml", f"{ANY}_reference_ml")
    left.scatter((predicted + true) / 2, predicted - true, s=14, color=_COLOR[ANY], alpha=0.7, lw=0)
    for key, style in (
        ("volume_bias_ml", "-"),
        ("volume_lower_limit_ml", "--"),
        ("volume_upper_limit_ml", "--"),
    ):
        value = masks[ANY][key]["value"]
        if value is not None:
            left.axhline(value, color="#b26a00", ls=style, lw=1)
            place = {
                "xy": (1, value),
                "xycoords": ("axes fraction", "data"),
                "ha": "right",
                "va": "bottom",
            }
            left.annotate(f"{value:+.1f} mL", **place, color="#b26a00", fontsize=8)
    left.axhline(0, color="#888888", lw=0.6)
    left.set(xlabel="mean of predicted and reference, mL", ylabel="predicted - reference, mL")
    top = 1.0
    for name in masks:
        if name != ANY or len(masks) == 1:
            predicted, true = _pairs(rows, f"{name}_volume_ml", f"{name}_reference_ml")
            right.scatter(
                true, predicted, s=16, color=_COLOR[name], marker=_MARK[name], lw=0.8, label=name
            )
            top = max(top, predicted.max(initial=0), true.max(initial=0))
    right.plot([0, top], [0, top], color="#888888", lw=0.8)
    right.set(xscale="symlog", yscale="symlog", xlabel="reference, mL", ylabel="predicted, mL")
    right.set(xlim=(-0.1, 1.3 * top), ylim=(-0.1, 1.3 * top))
    right.legend(fontsize=8)


def _dice_by_volume(figure: Any, rows: Sequence[Row], names: Sequence[str]) -> None:
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, chosen in ((left, [ANY]), (right, [n for n in names if n != ANY])):
        for name in chosen:
            volume, dice = _pairs(rows, f"{name}_reference_ml", f"{name}_dice")
            there = volume > 0
            axis.scatter(
                volume[there],
                dice[there],
                s=16,
                color=_COLOR[name],
                marker=_MARK[name],
                lw=0.8,
                label=name,
            )
        axis.set(xscale="log", ylim=(-0.03, 1.03), xlabel="reference volume, mL")
    left.set(ylabel="Dice", title="all blood")
    right.set(title="subtypes")
    if len(names) > 1:
        right.legend(fontsize=8)


def _roc(figure: Any, rows: Sequence[Row], exams: dict[str, Any]) -> None:
    from sklearn.metrics import roc_curve

    axis = figure.subplots()
    for name, exam in exams.items():
        scores, true = _pairs(rows, f"{name}_{exam['auc']['score']}", f"{name}_reference")
        false_rate, true_rate, _ = roc_curve(true, scores)
        axis.plot(
            false_rate,
            true_rate,
            color=_COLOR[name],
            label=f"{name}, AUC {exam['auc']['value']:.2f}",
        )
        point = 1 - exam["specificity"]["value"], exam["sensitivity"]["value"]
        axis.plot(*point, color=_COLOR[name], marker="o", ms=6)
    axis.plot([0, 1], [0, 1], color="#888888", lw=0.8)
    axis.set(
        xlabel="1 - specificity",
        ylabel="sensitivity",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))


def _calibration(figure: Any, rows: Sequence[Row], names: Sequence[str]) -> None:
    from sklearn.calibration import calibration_curve

    axis = figure.subplots()
    for name in names:
        probability, true = _pairs(rows, f"{name}_probability", f"{name}_reference")
        seen, said = calibration_curve(true, probability, n_bins=5, strategy="quantile")
        axis.plot(said, seen, color=_COLOR[name], marker=_MARK[name], ms=5, label=name)
    axis.plot([0, 1], [0, 1], color="#888888", lw=0.8)
    axis.set(
        xlabel="probability given",
        ylabel="share that has it",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
    )
    axis.set(aspect="equal")
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))


def _histogram(figure: Any, densities: Densities) -> None:
    axis = figure.subplots()
    share = densities.counts / np.maximum(densities.counts.sum(axis=1, keepdims=True), 1)
    centers = np.arange(LOWEST_HU, HIGHEST_HU) + 0.5
    axis.plot(centers, share.T, color="#336699", lw=0.6, alpha=0.6)
    axis.plot(centers, np.median(share, axis=0), color="black", lw=1.5)
    axis.set(
        xlabel="HU",
        ylabel=f"share of voxels between {LOWEST_HU} and {HIGHEST_HU} HU",
        xlim=(LOWEST_HU, HIGHEST_HU),
    )
