"""Training throughput of a bundle, with the hemorrhage network of before beside it in the same run.

    python -m benchmarks.training [DATA] [--bundle ich_segmentation] [--steps 40] [--set ID=VALUE
    ...] [--out FILE]

Runs the bundle's own ``train.yaml`` on DATA, a folder of synthetic heads (a few are made where none
is given), without validation; for the hemorrhage bundle once more with
``configs/model/full_resolution.yaml``. The first steps, which tune kernels, do not count. What is
not computing is waiting for data: the time from asking the loader for a batch until it is there.
The share of convolutions is PyTorch's profiler's, of some steps after the timed ones. ``--set
num_workers=2`` and the like are overrides of that file.
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
PROFILED = 5
BEFORE = ["configs/model/full_resolution.yaml"]


class Stopwatch:
    """Seconds of waiting for batches and of computing, after the warm-up, then what computing is;
    for a trainer.

    Args:
        device: its queue is emptied before each look at the clock.
        steps: that are timed; those after them are profiled.
    """

    def __init__(self, device: Any, steps: int) -> None:
        import torch

        self.device, self.last = device, WARM_UP + steps
        self.waiting_s = self.computing_s = 0.0
        self.samples = 0
        self._since = 0.0
        kinds = [torch.profiler.ProfilerActivity.CPU]
        self.profile = torch.profiler.profile(
            activities=[*kinds, torch.profiler.ProfilerActivity.CUDA]
            if device.type == "cuda"
            else kinds
        )

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
        if WARM_UP <= engine.state.iteration < self.last:  # counted up when computing starts
            self.waiting_s += spent_s
            self.samples += len(engine.state.batch["image"])
        if engine.state.iteration == self.last:
            self.profile.start()

    def _computed(self, engine: Any) -> None:
        spent_s = self._lap()
        if WARM_UP < engine.state.iteration <= self.last:
            self.computing_s += spent_s
        if engine.state.iteration == self.last + PROFILED:
            self.profile.stop()

    @property
    def convolution_share(self) -> float:
        """Of the time that operators take by themselves."""
        kind = f"self_{'device' if self.device.type == 'cuda' else 'cpu'}_time_total"
        times = {event.key: getattr(event, kind) for event in self.profile.key_averages()}
        return sum(t for name, t in times.items() if "conv" in name) / max(1.0, sum(times.values()))


def make(folder: Path) -> None:
    """A few synthetic heads, 75 % of them to train on."""
    from monai_ich.synth.dataset import design_case, write_dataset

    for _ in write_dataset([design_case(seed) for seed in range(HEADS)], folder, thickness=False):
        pass


def train(
    bundle: str, data: Path, out: Path, steps: int, *, overlays: list[str], overrides: Any
) -> dict[str, Any]:
    """Run so many steps; the record."""
    from monai.bundle import ConfigParser

    root = ROOT / "bundles" / bundle
    parser = ConfigParser()
    parser.read_config(
        [str(root / "configs" / "train.yaml"), *(str(ROOT / name) for name in overlays)]
    )
    paths = {
        "bundle_root": root,
        "dataset_dir": data,
        "output_dir": out,
        "weights": out / "model.pt",
    }
    settings = {name: str(path) for name, path in paths.items()}
    length = WARM_UP + steps + PROFILED
    parser.update(
        {**settings, "max_epochs": 1, "epoch_length": length, **overrides, "val_interval": 10**6}
    )
    parser.get_parsed_content("initialize")
    trainer = parser.get_parsed_content("train#trainer")
    watch = Stopwatch(parser.get_parsed_content("device"), steps)
    watch.attach(trainer)
    start_s = time.process_time()
    parser.get_parsed_content("run")
    spent_s = watch.waiting_s + watch.computing_s
    return {
        "device": _name(watch.device),
        "window": parser["roi_size"],
        "windows": watch.samples,
        "ms_a_window": round(1000.0 * spent_s / watch.samples, 1),
        "windows_per_s": round(watch.samples / spent_s, 3),
        "computing_share": round(watch.computing_s / spent_s, 3),
        "convolution_share": round(watch.convolution_share, 3),
        "cpu_s": round(time.process_time() - start_s, 1),
    }


def _name(device: Any) -> str:
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    amx = " with AMX" if torch.cpu._is_amx_tile_supported() else ""
    return f"{torch.get_num_threads()} of {os.cpu_count()} cores{amx}"


def main() -> None:
    """Print the figures and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--bundle", default="ich_segmentation")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--set", nargs="*", default=[], metavar="ID=VALUE")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    overrides = {
        name: json.loads(value) for name, value in (word.split("=", 1) for word in args.set)
    }
    networks = {"shipped": [], **({"before": BEFORE} if args.bundle == "ich_segmentation" else {})}
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        data = args.data.resolve() if args.data else Path(scratch) / "heads"
        if args.data is None:
            make(data)
        for name, overlays in networks.items():
            out = Path(scratch) / f"run-{name}"
            found[name] = train(
                args.bundle, data, out, args.steps, overlays=overlays, overrides=overrides
            )
    record = {
        "bundle": args.bundle,
        "machine": platform.machine(),
        "overrides": overrides,
        "networks": found,
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{'':20}" + "".join(f"{name:>24}" for name in found))
    for key in next(iter(found.values())):
        print(f"{key:20}" + "".join(f"{row[key]!s:>24}" for row in found.values()))


if __name__ == "__main__":
    main()
