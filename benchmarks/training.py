"""Training throughput of a bundle: samples a second, and the share of the time in which the device computes.

    python -m benchmarks.training [DATA] [--bundle ich_segmentation] [--steps 40] [--set ID=VALUE ...] [--out FILE]

Runs the bundle's own ``train.yaml`` on DATA, a folder of synthetic heads (a few are made where none is given), without
validation. The first steps, which tune kernels, do not count. What is not computing is waiting for data: the time from
asking the loader for a batch until it is there. ``--set num_workers=2`` and the like are overrides of that file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HEADS = 8
WARM_UP = 10


class Stopwatch:
    """Seconds of waiting for batches and of computing, after the warm-up; attach it to a trainer.

    Args:
        device: its queue is emptied before each look at the clock.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self.waiting_s = self.computing_s = 0.0
        self.samples = 0
        self._since = 0.0

    def attach(self, engine: Any) -> None:
        """Follow the trainer."""
        from ignite.engine import Events

        engine.add_event_handler(Events.GET_BATCH_STARTED, self._start)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._got)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._computed)

    def _lap(self) -> float:
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        spent_s, self._since = now - self._since, now
        return spent_s

    def _start(self, engine: Any) -> None:
        self._lap()

    def _got(self, engine: Any) -> None:
        spent_s = self._lap()
        if engine.state.iteration >= WARM_UP:  # counted up when computing starts
            self.waiting_s += spent_s
            self.samples += len(engine.state.batch["image"])

    def _computed(self, engine: Any) -> None:
        spent_s = self._lap()
        if engine.state.iteration > WARM_UP:
            self.computing_s += spent_s


def make(folder: Path) -> None:
    """A few synthetic heads, 75 % of them to train on."""
    from monai_ich.synth.dataset import design_case, write_dataset

    for _ in write_dataset([design_case(seed) for seed in range(HEADS)], folder):
        pass


def train(bundle: str, data: Path, out: Path, steps: int, overrides: dict[str, Any]) -> dict[str, Any]:
    """Run so many steps; the record."""
    from monai.bundle import ConfigParser

    root = ROOT / "bundles" / bundle
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "train.yaml"))
    settings = {"dataset_dir": str(data), "output_dir": str(out), "weights": str(out / "model.pt")}
    steps_in_all = {"max_epochs": 1, "epoch_length": WARM_UP + steps, "val_interval": 10**6}
    parser.update({"bundle_root": str(root), **settings, **steps_in_all, **overrides})
    parser.get_parsed_content("initialize")
    trainer = parser.get_parsed_content("train#trainer")
    watch = Stopwatch(parser.get_parsed_content("device"))
    watch.attach(trainer)
    start_s = time.process_time()
    parser.get_parsed_content("run")
    spent_s = watch.waiting_s + watch.computing_s
    return {
        "device": _name(watch.device),
        "samples": watch.samples,
        "samples_per_s": round(watch.samples / spent_s, 3),
        "computing_share": round(watch.computing_s / spent_s, 3),
        "cpu_s": round(time.process_time() - start_s, 1),
    }


def _name(device: Any) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} cores"


def main() -> None:
    """Print the figures and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--bundle", default="ich_segmentation")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--set", nargs="*", default=[], metavar="ID=VALUE")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    overrides = {name: json.loads(value) for name, value in (word.split("=", 1) for word in args.set)}
    with tempfile.TemporaryDirectory() as scratch:
        data = args.data.resolve() if args.data else Path(scratch) / "heads"
        if args.data is None:
            make(data)
        found = train(args.bundle, data, Path(scratch) / "run", args.steps, overrides)
    record = {"bundle": args.bundle, "machine": platform.machine(), "overrides": overrides, **found}
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    for name, value in record.items():
        print(f"{name:16} {value}")


if __name__ == "__main__":
    main()
