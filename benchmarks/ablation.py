"""Hemorrhage networks side by side at equal wall-clock: each variant is trained and judged alike.

    python -m benchmarks.ablation DATA -o WORK --minutes 10 [--workers 2] [--only NAME ...]
    [--record FILE]

DATA is a folder of synthetic heads (``make train-data``). A variant is an overlay over the bundle's
own ``train.yaml``; all start from nothing, with the same seed, and train for as long. They are
judged on the validation heads' own grid, whatever grid they work on, at the odds of blood against
background that suit each best: networks that are trained for so short have not yet found their
threshold. The order counts, not the height of the figures. Each worker has its share of the cores
to itself (or ``OMP_NUM_THREADS``). Variants that are in the record are not run again, trainings
that are complete in WORK neither.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nibabel
import numpy as np
import torch
from monai.bundle import ConfigParser
from numpy.typing import NDArray

from monai_ich.bundle import Bundle, labels_on, load_bundle, predict
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import CTVolume
from monai_ich.io.nifti import read_nifti_labels
from monai_ich.parts.data_list import read_data_list

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "bundles" / "ich_segmentation"
COLUMNS = ("any", *(subtype.name for subtype in Subtype))
ODDS = tuple(range(-1, 5))  # blood against background, natural logarithm
HEAD = (160, 160, 48)  # voxels of 1.5 x 1.5 x 3 mm
VARIANTS = {  # overlays
    "folded DynUNet (the bundle's)": [],
    "folded U-Net": ["configs/model/unet.yaml"],
    "folded SegResNet": ["configs/model/segresnet.yaml"],
    "U-Net with a level at full resolution": ["configs/model/full_resolution.yaml"],
}


def train(overlays: list[str], options: Mapping[str, object], log: Path, threads: int) -> float:
    """Seconds of one ``monai.bundle run``."""
    files = [str(BUNDLE / "configs" / "train.yaml"), *(str(ROOT / name) for name in overlays)]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    start = time.monotonic()
    with log.open("a") as stream:
        subprocess.run(
            command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, check=True, env=environment
        )
    return time.monotonic() - start


def make_bundle(out: Path, name: str) -> Bundle:
    """The variant as a bundle that infers, in the folder of its training."""
    root = out / "bundle"
    (root / "configs").mkdir(parents=True, exist_ok=True)
    (root / "models").mkdir(exist_ok=True)
    config = ConfigParser()
    config.read_config(
        [str(BUNDLE / "configs" / "inference.yaml"), *(str(ROOT / file) for file in VARIANTS[name])]
    )
    ConfigParser.export_config_file(
        config.get(), str(root / "configs" / "inference.yaml"), fmt="yaml"
    )
    shutil.copy(BUNDLE / "configs" / "metadata.json", root / "configs")
    shutil.copy(out / "model.pt", root / "models")
    return load_bundle(root, device="cpu")


def judge(bundle: Bundle, data: Path) -> dict[str, object]:
    """Mean Dice over the validation heads that have it, of any blood and of each subtype, at the
    best odds of any.
    """
    dice: dict[float, dict[str, list[float]]] = {
        odds: {name: [] for name in COLUMNS} for odds in ODDS
    }
    for row in read_data_list(data, "validation", {"image": "image", "blood": "label"}):
        labels = read_nifti_labels(Path(row["blood"]), Subtype)
        if not labels.voxels.any():
            continue
        hu = nibabel.load(row["image"]).get_fdata(
            dtype=np.float32
        )  # windowed exports too, which analyze refuses
        ct = CTVolume(np.asfortranarray(hu), labels.geometry)
        found = predict(bundle, ct)
        subtypes = found.probabilities[1 : len(Subtype) + 1]
        background = 1.0 - subtypes.sum(0, keepdim=True)  # and edema
        blood = subtypes * (
            subtypes.sum(0) / subtypes.amax(0).clamp_min(1e-9)
        )  # the leading subtype stands for all
        for odds, by_name in dice.items():
            seen = labels_on(
                torch.cat([background * math.exp(-odds), blood]), found.affine, ct.geometry
            )
            by_name["any"].append(_dice(seen > 0, labels.voxels > 0))
            for subtype in Subtype:
                if (truth := labels.voxels == subtype).any():
                    by_name[subtype.name].append(_dice(seen == subtype, truth))
    best = max(ODDS, key=lambda odds: statistics.mean(dice[odds]["any"]))
    return {
        "odds": best,
        "heads": {name: len(values) for name, values in dice[best].items()},
        "dice": {
            name: round(statistics.mean(values), 3) for name, values in dice[best].items() if values
        },
    }


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2.0 * float((found & truth).sum()) / float(found.sum() + truth.sum())


def network_s(bundle: Bundle) -> float:
    """Seconds for the network to see a head, the shortest of three."""
    times = []
    with torch.inference_mode():
        for _ in range(4):
            start = time.monotonic()
            bundle.network(torch.rand(1, 3, *HEAD))
            times.append(time.monotonic() - start)
    return round(min(times[1:]), 2)


def parser_of(overlays: list[str]) -> ConfigParser:
    """The training's config."""
    config = ConfigParser()
    config.read_config(
        [str(BUNDLE / "configs" / "train.yaml"), *(str(ROOT / name) for name in overlays)]
    )
    return config


def steps(out: Path) -> int:
    """Of a training that is complete."""
    return int(
        torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)["iteration"]
    )


def measure(name: str, args: argparse.Namespace) -> dict[str, object]:
    """Train and judge one variant."""
    overlays = VARIANTS[name]
    out = args.output.resolve() / str(list(VARIANTS).index(name))
    out.mkdir(parents=True, exist_ok=True)
    threads = int(os.environ.get("OMP_NUM_THREADS", max(1, (os.cpu_count() or 1) // args.workers)))
    options = {
        "bundle_root": BUNDLE,
        "dataset_dir": args.data.resolve(),
        "output_dir": out,
        "weights": out / "model.pt",
        "max_minutes": args.minutes,
        "max_epochs": 10**6,
        "val_interval": 10**6,
    }
    seconds = out / "seconds"
    if not seconds.is_file():
        seconds.write_text(str(round(train(overlays, options, out / "log.txt", threads))))
    torch.set_num_threads(threads)
    bundle = make_bundle(out, name)
    return {
        "minutes": args.minutes,
        "windows": steps(out) * int(str(parser_of(overlays)["batch_size"])),
        "machine": f"{threads} of {os.cpu_count()} cores, {platform.machine()}",
        "train_s": int(seconds.read_text()),
        "network_s": network_s(bundle),
        **judge(bundle, args.data),
    }


def main() -> None:
    """Run what is missing; print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, for each")
    parser.add_argument("--workers", type=int, default=1, help="variants side by side")
    parser.add_argument(
        "--only", nargs="*", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME"
    )
    parser.add_argument("--record", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    record = json.loads(args.record.read_text()) if args.record.is_file() else {}
    failed = False
    with ThreadPoolExecutor(args.workers) as pool:
        jobs = {pool.submit(measure, name, args): name for name in args.only if name not in record}
        for job in as_completed(jobs):
            if (error := job.exception()) is not None:
                print(f"{jobs[job]}: {error!r}")
                failed = True
                continue
            record[jobs[job]] = job.result()
            ordered = {name: record[name] for name in VARIANTS if name in record}
            args.record.write_text(json.dumps(ordered, indent=1) + "\n")
    print(f"| variant | {' | '.join(COLUMNS)} | windows seen | network, s a head |")
    print(f"| --- |{' ---: |' * (len(COLUMNS) + 2)}")
    for name in (name for name in VARIANTS if name in record):
        row = record[name]
        cells = [f"{row['dice'][c]:.2f}" if c in row["dice"] else "-" for c in COLUMNS]
        print(f"| {name} | {' | '.join(cells)} | {row['windows']:,} | {row['network_s']:.1f} |")
    sys.exit(failed)


if __name__ == "__main__":
    main()
