"""Pictures of a training, to be looked at while it runs and kept with the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events


class TrainingFigures:
    """After each validation: ``validation.png``, scans with reference and prediction, and
    ``curves.png``, the figures.

    Each scan is shown on the slice where its reference is largest; without one, on the slice of
    most predicted voxels.

    Args:
        folder: for the pictures; made if missing.
        scans: how many, the first ones of the validation set.
    """

    def __init__(self, folder: str | Path, scans: int = 4) -> None:
        self.folder, self.scans = Path(folder), scans
        self.slices: list[tuple[np.ndarray[Any, Any], ...]] = []
        self.curves: dict[str, list[tuple[int, float]]] = {}

    def attach(self, engine: Engine) -> None:
        """Follow an evaluator, whose output is one-hot."""
        self.folder.mkdir(parents=True, exist_ok=True)
        engine.add_event_handler(Events.EPOCH_STARTED, lambda: self.slices.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._keep)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._draw)

    def _keep(self, engine: Engine) -> None:
        output: Any = engine.state.output  # a number, says ignite
        for scan in output[: self.scans - len(self.slices)]:
            image = torch.as_tensor(scan["image"])[0]
            maps = [torch.as_tensor(scan[name]).argmax(0) for name in ("label", "pred")]
            counts = [(m > 0).sum((0, 1)) for m in maps]
            k = int((counts[0] if counts[0].any() else counts[1]).argmax())
            self.slices.append(tuple(x[..., k].cpu().float().numpy() for x in (image, *maps)))

    def _draw(self, engine: Engine) -> None:
        for name, value in engine.state.metrics.items():
            self.curves.setdefault(name, []).append((engine.state.epoch, float(value)))
        self._draw_scans(self.folder / "validation.png")
        self._draw_curves(self.folder / "curves.png")

    def _draw_scans(self, path: Path) -> None:
        figure = blank_figure(6.6, 2.4 * len(self.slices))
        axes = figure.subplots(len(self.slices), 3, squeeze=False)
        for row, (image, *maps) in zip(axes, self.slices, strict=True):
            for axis, title, labels in zip(
                row, ("scan", "reference", "prediction"), (None, *maps), strict=True
            ):
                axis.imshow(np.rot90(image), cmap="gray", vmin=0.0, vmax=1.0)
                if labels is not None:
                    shown = np.ma.masked_equal(np.rot90(labels), 0)
                    axis.imshow(
                        shown, cmap="tab10", vmin=0, vmax=9, alpha=0.6, interpolation="nearest"
                    )
                axis.set_title(title, fontsize=8)
                axis.axis("off")
        figure.savefig(path, dpi=100, metadata={"Software": None})

    def _draw_curves(self, path: Path) -> None:
        figure = blank_figure(6.6, 3.6)
        axis = figure.subplots()
        for name, points in self.curves.items():
            if "dice" in name:
                axis.plot(
                    *zip(*points, strict=True),
                    label=name,
                    marker=".",
                    lw=2.0 if "mean" in name else 1.0,
                )
        axis.set(xlabel="epoch", ylim=(0.0, 1.0))
        axis.legend(fontsize=8)
        figure.savefig(path, dpi=100, metadata={"Software": None})


def blank_figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
