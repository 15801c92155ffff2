"""What decided the hemorrhage network's grid, architecture and input: each variant is trained and judged alike.

    python -m benchmarks.ablation DATA -o WORK --steps 600 [--only NAME ...] [--record benchmarks/ablation.json]

DATA is a folder of synthetic heads (``make train-data``). A variant is a handful of overrides of the bundle's own
``train.yaml``; all start from the same seed, see as many windows, and are judged by ``evaluate.yaml`` on the scans' own
grid, whatever grid they work on. Few steps favor what learns fast; the order counts, not the height of the figures.
Variants that are in the record are not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "bundles" / "ich_segmentation"
SUBTYPES = ("EDH", "IPH", "IVH", "SAH", "SDH")
STRIDED = {
    "network_def#channels": "[16, 32, 64, 96, 128]",
    "network_def#strides": "[[2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]]",
}
VARIANTS: dict[str, tuple[list[str], dict[str, object]]] = {  # overlays, overrides
    "as shipped: 1.5 x 1.5 x 3 mm, U-Net with a level at full resolution": ([], {}),
    "grid 2 x 2 x 4 mm": ([], {"spacing_mm": "[2.0, 2.0, 4.0]"}),
    "grid 1 x 1 x 5 mm": ([], {"spacing_mm": "[1.0, 1.0, 5.0]", "roi_size": "[144, 160, 24]"}),
    "U-Net whose first level halves the plane": ([], STRIDED),
    "SegResNet": (["configs/model/segresnet.yaml"], {}),
    "always with the skull": ([], {"strip_prob": 0.0}),
    "always stripped": (["configs/ablation/stripped.yaml"], {}),
}
EVALUATE = {"always stripped": ["configs/ablation/evaluate_stripped.yaml"]}


def run(overlays: list[str], options: Mapping[str, object], log: Path) -> float:
    """Seconds of one ``monai.bundle run``."""
    files = [str(BUNDLE / "configs" / "train.yaml"), *(str(ROOT / name) for name in overlays)]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    start = time.monotonic()
    with log.open("a") as stream:
        subprocess.run(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, check=True)
    return time.monotonic() - start


def judge(folder: Path) -> dict[str, float]:
    """Mean Dice of each subtype over the heads that have it."""
    with (folder / "val_mean_dice_raw.csv").open() as stream:
        rows = list(csv.reader(stream))[1:]
    columns = [[float(v) for v in column] for column in zip(*[row[1:6] for row in rows], strict=True)]
    return {
        name: round(sum(known) / len(known), 3)
        for name, column in zip(SUBTYPES, columns, strict=True)
        if (known := [v for v in column if v == v])
    }


def main() -> None:
    """Run what is missing; print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--record", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    record = json.loads(args.record.read_text()) if args.record.is_file() else {}
    machine = {"steps": args.steps, "machine": f"{os.cpu_count()} cores, {platform.machine()}"}
    for number, name in enumerate(VARIANTS):
        if name in record or name not in args.only:
            continue
        overlays, overrides = VARIANTS[name]
        out = args.output.resolve() / str(number)
        out.mkdir(parents=True, exist_ok=True)
        options = {
            "bundle_root": BUNDLE,
            "dataset_dir": args.data.resolve(),
            "output_dir": out,
            "weights": out / "model.pt",
            "max_epochs": max(1, args.steps // 100),
            "epoch_length": min(100, args.steps),
            "val_interval": 10**6,
            **overrides,
        }
        train_s = run(overlays, options, out / "log.txt")
        files = [*overlays, "bundles/ich_segmentation/configs/evaluate.yaml", *EVALUATE.get(name, [])]
        run(files, options | {"output_dir": out / "figures"}, out / "log.txt")
        record[name] = {**machine, "train_s": round(train_s), "dice": judge(out / "figures")}
        args.record.write_text(json.dumps(record, indent=1) + "\n")
    print(f"| variant | steps | {' | '.join(SUBTYPES)} | mean | training, s |")
    print(f"| --- | ---: |{' ---: |' * (len(SUBTYPES) + 2)}")
    for name, row in record.items():
        dice = row["dice"]
        cells = [f"{dice[s]:.2f}" if s in dice else "-" for s in SUBTYPES]
        mean = sum(dice.values()) / max(1, len(dice))
        print(f"| {name} | {row['steps']} | {' | '.join(cells)} | {mean:.3f} | {row['train_s']} |")


if __name__ == "__main__":
    main()
