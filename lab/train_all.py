"""Heads, both trainings, evaluation and export in one call within a time budget: for a machine that
is lent.

``python -m lab.train_all -o OUT --minutes 25``. Everything is kept in a work folder, so the same
call again goes on where it was: heads that are there are not made again, trainings resume from
their checkpoints, evaluated heads are not run again. ``--call-minutes`` ends one call early; what
there is by then is exported. Nothing is downloaded: packages that the machine lacks come as wheels
(``make gpu-wheels``). Only the standard library is needed to start.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import tarfile
from pathlib import Path

from lab.evaluate_synth import TEST_SEEDS
from lab.machine import environment, has_cuda
from lab.stages import ROOT, Stages
from monai_ich.io.output import write_whole

_LOG = logging.getLogger(__name__)
BUNDLES = ("head_ct_anatomy", "ich_segmentation")
HEADS_SHARE, EVALUATION_SHARE = 0.2, 0.15  # of the budget; training gets what is left
MAX_VALIDATION_HEADS = 24  # they cost time at each validation
_START_S = 40.0
# a training ends by its own clock; where the start took longer, it still ships what it has
_OVERTIME_S = 60.0


def count_heads(folder: Path, seed: int) -> int:
    """Heads that are complete, counted from the first seed up to the first that is missing."""
    from monai_ich.synth.dataset import case_folder

    count = 0
    while (folder / case_folder(seed + count) / "truth.json").exists():
        count += 1
    return count


def cap_validation(listing: Path, most: int = MAX_VALIDATION_HEADS) -> None:
    """Leave at most so many heads in the validation part of ``dataset.json``; the others are
    trained on.
    """
    found = json.loads(listing.read_text())
    spare = found["validation"][:-most]
    found["training"], found["validation"] = found["training"] + spare, found["validation"][-most:]
    write_whole(listing, json.dumps(found, indent=1) + "\n")


class Session:
    """One call.

    Args:
        args: of the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.work = args, args.work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.heads = self.work / "synth"
        self.stages = Stages(
            self.work,
            seconds=60.0 * (args.call_minutes or args.minutes),
            environment=environment(self.work, args.wheels),
        )
        self.cuda = has_cuda(args.device)

    def run(self) -> int:
        """All stages; 0 when none failed, whether or not the time was enough."""
        _LOG.info("%s, %d cores", "CUDA" if self.cuda else "no CUDA", os.cpu_count() or 1)
        if self._make_heads() and self._train():
            self._evaluate()
        self._export()
        return 1 if self.stages.failed else 0

    # -- stages
    def _make_heads(self) -> bool:
        """True when there are enough to train on."""
        if self.stages.is_done("heads"):
            return True
        budget_s, seed = 60.0 * self.args.minutes * HEADS_SHARE, self.args.seed
        device = self.args.synth_device
        if (
            self.stages.left_s("heads", budget_s) > 1.0
            and count_heads(self.heads, seed) < self.args.heads
        ):
            self.stages.run("heads", {"heads": self._synth(self.args.heads, device)}, budget_s)
        if device != "cpu" and not count_heads(self.heads, seed):
            _LOG.info("no head was made on %s: making them on the CPU", device)
            self.stages.run("heads", {"heads": self._synth(self.args.heads, "cpu")}, 2.0 * budget_s)
        count = min(count_heads(self.heads, self.args.seed), self.args.heads)
        if count < self.args.heads and self.stages.call_left_s() < 1.0:
            return False  # the next call goes on
        if count < 2:
            self.stages.fail("heads", "fewer than two heads were made")
            return False
        self.stages.run(
            "heads", {"heads": self._synth(count, "cpu")}, budget_s + 60.0
        )  # writes the list
        cap_validation(self.heads / "dataset.json")
        self.stages.finish("heads", f"{count} heads in {self.stages.spent_s('heads'):.0f} s")
        return True

    def _train(self) -> bool:
        """True when both trainings came to their end."""
        if self.stages.is_done("train"):
            return True
        budget_s = 60.0 * self.args.minutes * (1.0 - EVALUATION_SHARE) - self.stages.spent_s(
            "heads"
        )
        status = self.stages.run(
            "train",
            {name: self._training(name, budget_s) for name in BUNDLES},
            budget_s + _OVERTIME_S,
        )
        for name, code in status.items():
            if code:
                self.stages.fail(name, f"training ended with status {code}")
        if None in status.values() and self.stages.left_s("train", budget_s + _OVERTIME_S) > 1.0:
            return False  # the call is over, the training is not
        for name in BUNDLES:
            if self._weights(name) is None and name not in self.stages.failed:
                self.stages.fail(name, "the time was up before its first epoch ended")
        if not self.stages.failed:
            self.stages.finish("train", f"{self.stages.spent_s('train'):.0f} s")
        return not self.stages.failed

    def _evaluate(self) -> None:
        spent_s = self.stages.spent_s("heads") + self.stages.spent_s("train")
        budget_s = 60.0 * max(
            self.args.minutes - spent_s / 60.0, self.args.minutes * EVALUATION_SHARE
        )
        minutes = min(budget_s, self.stages.call_left_s()) / 60.0
        weights = {
            option: str(self._weights(name))
            for option, name in zip(("anatomy", "ich"), BUNDLES, strict=True)
        }
        command = [sys.executable, "-m", "lab.evaluate_synth", "-o", str(self.work / "evaluate")]
        command += ["--cases", str(self.args.cases), "--minutes", f"{0.8 * minutes:.2f}"]
        command += [
            text for option, path in weights.items() for text in (f"--{option}-weights", path)
        ]
        if self.args.device:
            command += ["--device", self.args.device]
        status = self.stages.run(
            "evaluate", {"evaluate": command}, self.stages.spent_s("evaluate") + budget_s
        )
        if status["evaluate"]:
            self.stages.fail("evaluate", f"it ended with status {status['evaluate']}")

    def _export(self) -> None:
        """Eight files at most: weights, tables, state, and the rest in one archive."""
        out = self.args.output
        out.mkdir(parents=True, exist_ok=True)
        for name in BUNDLES:
            weights = self._weights(name)
            if weights is not None:
                shutil.copyfile(weights, out / f"{name}.pt")
        for name in ("table.txt", "summary.json", "cases.csv"):
            if (self.work / "evaluate" / name).is_file():
                shutil.copyfile(self.work / "evaluate" / name, out / name)
        shutil.copyfile(self.work / "state.json", out / "state.json")
        with tarfile.open(out / "logs.tar.gz", "w:gz") as archive:
            for path in [
                self.work / "logs",
                self.heads / "dataset.json",
                *self.work.glob("*/mlruns.db"),
            ]:
                if path.exists():
                    archive.add(path, str(path.relative_to(self.work)))
        table = self.work / "evaluate" / "table.txt"
        sys.stdout.write(table.read_text() if table.is_file() else "no evaluation yet\n")
        if not self.stages.is_done("train"):
            sys.stdout.write("the trainings are not done: call again to go on\n")
        for name in BUNDLES:
            if (out / f"{name}.pt").is_file():
                sys.stdout.write(f"to ship: cp {out / name}.pt bundles/{name}/models/model.pt\n")

    # -- commands
    def _synth(self, heads: int, device: str) -> list[str]:
        command = [
            sys.executable,
            "-m",
            "monai_ich.cli",
            "synth",
            "-n",
            str(heads),
            "--seed",
            str(self.args.seed),
        ]
        return [*command, "-o", str(self.heads), "--device", device]

    def _training(self, name: str, budget_s: float) -> list[str]:
        root, out = ROOT / "bundles" / name, self.work / name
        left_s = max(
            0.0, 0.9 * self.stages.left_s("train", budget_s) - _START_S
        )  # its clock starts after imports and caching
        loaders = max(0, ((os.cpu_count() or 1) - 2) // 2) if self.cuda else 0
        options = {
            "bundle_root": root,
            "dataset_dir": self.heads,
            "output_dir": out,
            "weights": out / "model.pt",
            "max_minutes": round((self._trained_s(name) + max(left_s, 10.0)) / 60.0, 3),
            "max_epochs": 100_000,  # time decides
            "num_workers": loaders,
            "train#dataset#num_workers": max(1, (os.cpu_count() or 1) // 2),
            "validate#dataset#cache_rate": 1.0,
        }
        if loaders:
            options["train#dataloader#persistent_workers"] = True
        if self.args.warm_start:
            options["initial_weights"] = root / "models" / "model.pt"
        if self.args.device:
            options["device"] = f"$torch.device('{self.args.device}')"
        for text in [
            *self.args.set,
            *(self.args.set_anatomy if name == BUNDLES[0] else self.args.set_ich),
        ]:
            key, _, value = text.partition("=")
            options[key] = value
        files = [str(root / "configs" / "train.yaml"), *self.args.overlay]
        command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
        return command + [
            str(part) for key, value in options.items() for part in (f"--{key}", value)
        ]

    def _trained_s(self, name: str) -> float:
        """What the training's own clock said at its last checkpoint; 0 where there is none."""
        checkpoint = self.work / name / "checkpoint.pt"
        if not checkpoint.is_file():
            return 0.0
        import torch

        return float(
            torch.load(checkpoint, map_location="cpu", weights_only=True)["budget"]["spent_s"]
        )

    def _weights(self, name: str) -> Path | None:
        """The trained weights; of a training that was cut off, the average in its checkpoint."""
        path, checkpoint = self.work / name / "model.pt", self.work / name / "checkpoint.pt"
        if checkpoint.is_file() and (
            not path.is_file() or path.stat().st_mtime < checkpoint.stat().st_mtime - 60.0
        ):
            import torch

            from monai_ich.parts.handlers import save_weights

            save_weights(
                torch.load(checkpoint, map_location="cpu", weights_only=True)["average"], path
            )
        return path if path.is_file() else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.train_all", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for weights, tables and logs"
    )
    parser.add_argument("--minutes", type=float, required=True, help="whole budget, over all calls")
    parser.add_argument(
        "--call-minutes", type=float, help="end this call earlier; call again to go on"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("runs/train_all"), help="what a later call goes on from"
    )
    parser.add_argument("--wheels", type=Path, help="folder of wheels that the machine lacks")
    parser.add_argument("--heads", type=int, default=1500, help="at most so many synthetic heads")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first head; other seeds, other heads"
    )
    parser.add_argument("--cases", type=int, default=200, help="heads to evaluate")
    parser.add_argument("--device", help="where networks run (default: cuda where there is one)")
    parser.add_argument(
        "--synth-device", default="cpu", help="where heads are made: cpu (all cores) or cuda"
    )
    parser.add_argument(
        "--warm-start", action="store_true", help="start from the weights that the bundles ship"
    )
    parser.add_argument(
        "--overlay",
        action="append",
        default=[],
        help="a config laid over train.yaml; may be repeated",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="ID=VALUE", help="for both train.yaml"
    )
    parser.add_argument("--set-anatomy", action="append", default=[], metavar="ID=VALUE")
    parser.add_argument("--set-ich", action="append", default=[], metavar="ID=VALUE")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one call; 0 when no stage failed."""
    parser = _parser()
    args = parser.parse_args(argv)
    if not 0 <= args.seed <= args.seed + args.heads <= TEST_SEEDS[0]:
        parser.error(f"seeds must stay below {TEST_SEEDS[0]}: those are the test set's")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started is ended too
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    return Session(args).run()


if __name__ == "__main__":
    sys.exit(main())
