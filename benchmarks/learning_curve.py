"""Dice by windows seen, per subtype, over a whole training: the figure of docs/experiments.md.

    python -m benchmarks.learning_curve runs/ich_segmentation/mlruns.db [--record FILE] [-o FIGURE]

Reads the validations that a training logged to MLflow and adds them to the record, so that the
curve outlives the machine that trained; a training that was resumed goes on where it was. Windows
are epochs times steps times windows a step, as the run's own parameters say them; where several
processes trained up to some epoch, or weights were trained before, ``--since EPOCH --beside
WINDOWS`` reads the points after it and adds what was seen besides. Larger windows count by their
voxels (``--scale``). Points on other validation heads are another series: curves of one are not
joined to those of another.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from monai_ich.core.labels import Subtype, label_of

PREFIX = "val_dice_"


Curve = dict[str, dict[str, float]]  # windows seen (as text) to the Dice of each class


def read_curve(
    store: Path, experiment: str, *, since: int = 0, beside: int = 0, scale: float = 1.0
) -> Curve:
    """The validations of a training, in order; `scale` small windows are one of its windows."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{store.resolve()}")
    found: Curve = {}
    kept = client.get_experiment_by_name(experiment)
    for run in client.search_runs([kept.experiment_id], order_by=["start_time"]) if kept else []:
        an_epoch = int(run.data.params.get("epoch_length", 1)) * int(
            run.data.params.get("batch_size", 1)
        )
        for key in (key for key in run.data.metrics if key.startswith(PREFIX)):
            for point in (
                p for p in client.get_metric_history(run.info.run_id, key) if p.step > since
            ):
                windows = round(point.step * an_epoch * scale) + beside
                row = found.setdefault(str(windows), {})
                row[key.removeprefix(PREFIX)] = round(point.value, 4)
    return found


def draw(series: dict[str, Curve], path: Path) -> None:
    """A line for each class and series; the later ones are drawn with points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis = figure.subplots()
    colors = {s.name: tuple(c / 255 for c in label_of(s).color) for s in Subtype} | {
        "any": "black",
        "edema": "gray",
    }
    for number, (heads, curve) in enumerate(series.items()):
        for name, color in colors.items():
            points = [
                (int(w) / 1000, curve[w][name]) for w in sorted(curve, key=int) if name in curve[w]
            ]
            if points:
                axis.plot(
                    *zip(*points, strict=True),
                    color=color,
                    label=None if number else name,
                    marker="o" if number else None,
                    markersize=4,
                    linewidth=2.5 if name == "any" else 1.5,
                )
        axis.text(int(max(curve, key=int)) / 1000, 0.03 + 0.04 * number, heads, ha="right")
    axis.set(
        xlabel="windows of 64 x 80 x 24 voxels seen, thousands; larger ones by their voxels",
        ylabel="Dice on validation heads, where present",
        ylim=(0, 1),
    )
    axis.grid(alpha=0.3)
    axis.legend(ncols=4, loc="upper left")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Add to the record and draw it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("--experiment", default="ich_segmentation")
    parser.add_argument(
        "--since", type=int, default=0, help="epoch that the first new point comes after"
    )
    parser.add_argument(
        "--beside", type=int, default=0, help="windows that other processes had seen by then"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="small windows that a window counts as"
    )
    parser.add_argument("--heads", default="validation heads", help="name of the series")
    parser.add_argument("--record", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/learning_curve.png"))
    args = parser.parse_args()
    record = json.loads(args.record.read_text()) if args.record.is_file() else {}
    found = read_curve(
        args.store, args.experiment, since=args.since, beside=args.beside, scale=args.scale
    )
    curve = record.get(args.heads, {}) | found
    record[args.heads] = {w: curve[w] for w in sorted(curve, key=int)}
    args.record.write_text(json.dumps(record, indent=1) + "\n")
    draw(record, args.output)


if __name__ == "__main__":
    main()
