"""Pictures of how findings are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.parts.figures import blank_figure


def draw_confusions(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """The confusion matrix of each finding at its threshold; those without are left out."""
    shown = [row for row in rows if row["confusion"]]
    figure = blank_figure(10.0, 4.0)
    axes = figure.subplots(2, 6, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, row in zip(axes, shown, strict=False):
        c = row["confusion"]
        table = np.array(
            [
                [c["true_negatives"], c["false_positives"]],
                [c["false_negatives"], c["true_positives"]],
            ]
        )
        axis.imshow(table / max(1, table.sum()), cmap="Blues", vmin=0.0, vmax=1.0)
        for (i, j), count in np.ndenumerate(table):
            axis.text(j, i, str(count), ha="center", va="center", fontsize=8)
        title = f"{row['level']}: {row['finding']}\nat {row['threshold']}"
        axis.set_title(title, fontsize=8)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def draw_histogram(counts: NDArray[np.float64], edges: NDArray[np.float64], path: Path) -> None:
    """How often each value of the network's input occurs, in each window ``(windows, bins)``."""
    figure = blank_figure(6.0, 3.0)
    axis = figure.subplots()
    for values, name in zip(counts, ("brain", "blood", "bone"), strict=False):
        axis.stairs(values / max(1.0, values.sum()), edges, label=name)
    axis.set(xlabel="value in the window", ylabel="share of voxels", yscale="log")
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=100, metadata={"Software": None})
