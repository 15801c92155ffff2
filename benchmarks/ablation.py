"""What decided the hemorrhage network's grid, architecture and input: each variant is trained and judged alike.

    python -m benchmarks.ablation DATA -o WORK --steps 1000 [--workers 2] [--only NAME ...] [--record FILE]

DATA is a folder of synthetic heads (``make train-data``). A variant is a handful of overrides of the bundle's own
``train.yaml``; all start from the same seed, see as many windows, and are judged by ``evaluate.yaml`` on the scans' own
grid, whatever grid they work on. Few steps favor what learns fast; the order counts, not the height of the figures.
Each worker has its share of the cores to itself (or ``OMP_NUM_THREADS``). Variants that are in the record are not run
again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import torch
from monai.bundle import ConfigParser

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "bundles" / "ich_segmentation"
COLUMNS = {  # of the table, and where evaluate.yaml writes each
    "any": ("val_dice_any_raw.csv", 0),
    **{name: ("val_mean_dice_raw.csv", k) for k, name in enumerate(("EDH", "IPH", "IVH", "SAH", "SDH"))},
}
HEAD_MM = (240.0, 240.0, 160.0)
STRIDED = {
    "network_def#channels": [16, 32, 64, 96, 128],
    "network_def#strides": [[2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]],
}
VARIANTS: dict[str, tuple[list[str], dict[str, object]]] = {  # overlays, overrides
    "as shipped: 1.5 x 1.5 x 3 mm, U-Net with a level at full resolution": ([], {}),
    "SegResNet": (["configs/model/segresnet.yaml"], {}),
    "grid 2 x 2 x 4 mm": ([], {"spacing_mm": [2.0, 2.0, 4.0]}),
    "grid 1 x 1 x 5 mm": ([], {"spacing_mm": [1.0, 1.0, 5.0], "roi_size": [144, 160, 24]}),
    "always with the skull": ([], {"strip_prob": 0.0}),
    "always stripped": (["configs/ablation/stripped.yaml"], {}),
    "U-Net whose first level halves the plane": ([], STRIDED),
}
EVALUATE = {"always stripped": ["configs/ablation/evaluate_stripped.yaml"]}


def run(overlays: list[str], options: Mapping[str, object], log: Path, threads: int) -> float:
    """Seconds of one ``monai.bundle run``."""
    files = [str(BUNDLE / "configs" / "train.yaml"), *(str(ROOT / name) for name in overlays)]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    start = time.monotonic()
    with log.open("a") as stream:
        subprocess.run(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, check=True, env=environment)
    return time.monotonic() - start


def judge(folder: Path) -> dict[str, float]:
    """Mean Dice of any blood and of each subtype over the heads that have it."""
    found = {}
    for name, (file, column) in COLUMNS.items():
        with (folder / file).open() as stream:
            values = [float(row[1 + column]) for row in list(csv.reader(stream))[1:]]
        if known := [v for v in values if v == v]:
            found[name] = round(statistics.mean(known), 3)
    return found


def network_s(overlays: list[str], options: Mapping[str, object]) -> float:
    """Seconds on one core for the network to see a head of `HEAD_MM` on its own grid, the shortest of three."""
    config = ConfigParser()
    config.read_config([str(BUNDLE / "configs" / "train.yaml"), *(str(ROOT / name) for name in overlays)])
    config.update({name.replace("#", "::"): value for name, value in options.items()})
    network = config.get_parsed_content("network_def").eval().to(memory_format=torch.channels_last_3d)
    shape = [
        round(mm / step / 16) * 16 for mm, step in zip(HEAD_MM, config.get_parsed_content("spacing_mm"), strict=True)
    ]
    torch.set_num_threads(1)
    times = []
    with torch.inference_mode():
        for _ in range(4):
            start = time.monotonic()
            network(torch.rand(1, 3, *shape))
            times.append(time.monotonic() - start)
    return round(min(times[1:]), 2)


def measure(name: str, args: argparse.Namespace) -> dict[str, object]:
    """Train and judge one variant."""
    overlays, overrides = VARIANTS[name]
    out = args.output.resolve() / str(list(VARIANTS).index(name))
    out.mkdir(parents=True, exist_ok=True)
    threads = int(os.environ.get("OMP_NUM_THREADS", max(1, (os.cpu_count() or 1) // args.workers)))
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
    train_s = run(overlays, options, out / "log.txt", threads)
    files = [*overlays, "bundles/ich_segmentation/configs/evaluate.yaml", *EVALUATE.get(name, [])]
    run(files, options | {"output_dir": out / "figures"}, out / "log.txt", threads)
    return {
        "steps": args.steps,
        "machine": f"{threads} of {os.cpu_count()} cores, {platform.machine()}",
        "train_s": round(train_s),
        "network_s": network_s(overlays, overrides),
        "dice": judge(out / "figures"),
    }


def main() -> None:
    """Run what is missing; print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1, help="variants side by side")
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--record", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    record = json.loads(args.record.read_text()) if args.record.is_file() else {}
    with ThreadPoolExecutor(args.workers) as pool:
        jobs = {pool.submit(measure, name, args): name for name in args.only if name not in record}
        for job in as_completed(jobs):
            record[jobs[job]] = job.result()
            ordered = {name: record[name] for name in VARIANTS if name in record}
            args.record.write_text(json.dumps(ordered, indent=1) + "\n")
    print(f"| variant | {' | '.join(COLUMNS)} | training, s | network, s a head |")
    print(f"| --- |{' ---: |' * (len(COLUMNS) + 2)}")
    for name in (name for name in VARIANTS if name in record):
        row = record[name]
        cells = [f"{row['dice'][c]:.2f}" if c in row["dice"] else "-" for c in COLUMNS]
        print(f"| {name} | {' | '.join(cells)} | {row['train_s']} | {row['network_s']:.1f} |")


if __name__ == "__main__":
    main()
