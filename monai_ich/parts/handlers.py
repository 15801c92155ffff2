"""Handlers for training on a budget: a schedule by time or steps, resuming, weights that a bundle
can ship.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from monai_ich.core.errors import TrainingError
from monai_ich.parts.inferers import describe_machine

_FIGURES = ("train_loss", "learning_rate")  # of an epoch


def the_same(handler: Any) -> Any:
    """The handler itself: in ``train#handlers`` MONAI wants each entry to have a ``_target_``."""
    return handler


class CosineBudget:
    """Cosine learning rate with warm-up, over all iterations or a wall-clock budget, whichever ends
    first.

    Args:
        optimizer: its ``lr`` is the peak.
        max_minutes: wall-clock budget; None for no limit. Time spent before a resume counts.
        warmup: iterations from zero to the peak.
        epochs: of the whole training, where the trainer runs a part of them at a time; None: all
            that it runs.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        max_minutes: float | None = None,
        warmup: int = 50,
        *,
        epochs: int | None = None,
    ) -> None:
        self.optimizer, self.max_minutes, self.warmup = optimizer, max_minutes, warmup
        self.epochs = epochs
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.spent_s, self.started, self.done = 0.0, time.monotonic(), 0.0

    def attach(self, engine: Engine) -> None:
        """Follow the trainer."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_STARTED, self._step)

    def state_dict(self) -> dict[str, float]:
        """Time spent so far, for resuming."""
        return {"spent_s": self.spent_s + time.monotonic() - self.started}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on from a checkpoint."""
        self.spent_s = float(state["spent_s"])

    def _start(self, engine: Engine) -> None:
        self.started = time.monotonic()

    def _step(self, engine: Engine) -> None:
        epochs, length = self.epochs or engine.state.max_epochs, engine.state.epoch_length
        assert epochs is not None and length is not None  # ignite sets both when it starts
        done = engine.state.iteration / max(1, epochs * length)
        if self.max_minutes is not None:
            spent_s = self.state_dict()["spent_s"]
            if idist.get_world_size() > 1:  # all processes must stop at the same iteration
                spent_s = float(idist.broadcast(spent_s, src=0))  # type: ignore[arg-type]  # gives what it got
            done = max(done, spent_s / (60.0 * self.max_minutes))
            if done >= 1.0:
                engine.terminate()
        self.done = done
        factor = (
            min(1.0, engine.state.iteration / self.warmup)
            * 0.5
            * (1.0 + math.cos(math.pi * min(1.0, done)))
        )
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * max(factor, 1e-3)


class FreezeStatistics:
    """From some point of a training on, batch norm normalizes by constants, as it will when the
    weights are used.

    Until then each batch is normalized by itself, as instance norm does, which trains fast from
    nothing. But then a voxel is judged by what else lies in its window: on a real head the same
    weights gave 1 mL of false blood or 44, as the window held less or more of skull and air. With
    constants, HU mean the same in every window.

    The constants are the mean statistics of the windows just before: those that batch norm keeps
    itself are of the last ten only, and a training that froze them lost a third of its Dice and
    needed hundreds of steps to get it back.

    Args:
        network: what is trained; plain or wrapped for several processes.
        budget: knows how much of the training is done.
        after: share of the training, from 0 (from the start, with the statistics that the weights
            bring) to 1 (never).
        average: the moving average, which gets the same constants at once.
        windows: steps over which the statistics are averaged.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        budget: CosineBudget,
        after: float = 0.3,
        *,
        average: torch.nn.Module | None = None,
        windows: int = 100,
    ) -> None:
        self.network, self.budget, self.after = network, budget, after
        self.average, self.windows = average, windows
        self.frozen, self.seen = False, 0

    def attach(self, engine: Engine) -> None:
        """Follow the trainer; after the budget, and after what resumes."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._step)

    def state_dict(self) -> dict[str, Any]:
        """Whether statistics stand still, for resuming."""
        return {"frozen": self.frozen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """A training that was frozen stays so, whatever its new budget is."""
        self.frozen = False
        if state["frozen"]:
            self._freeze()

    def _step(self) -> None:
        if self.frozen or self.budget.done < self.after:
            return
        if self.after and self.seen < self.windows:
            if not self.seen:
                for norm in self._norms(self.network):
                    if norm.training:  # else it stands still already
                        norm.reset_running_stats()
                        norm.momentum = None  # the mean of all from now on
            self.seen += 1
            return
        self._freeze()

    def _freeze(self) -> None:
        for norm in self._norms(self.network):
            norm.eval()
            norm.train = lambda mode=True, norm=norm: norm  # the trainer calls it
        if self.average is not None and self.after:
            for kept, norm in zip(
                self._norms(self.average), self._norms(self.network), strict=True
            ):
                kept.load_state_dict(dict(kept.named_parameters()) | dict(norm.named_buffers()))
        self.frozen = True

    @staticmethod
    def _norms(network: torch.nn.Module) -> list[Any]:
        return [
            m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)
        ]


class MovingAverage:
    """Keep an exponential moving average of a network's weights; the average is what gets validated
    and shipped.

    Args:
        network: what is trained; plain or wrapped for several GPUs.
        average: a copy of it, which receives the average.
        decay: share of the old average at each step; less at the start, so that random weights fade
            at once.
    """

    def __init__(
        self, network: torch.nn.Module, average: torch.nn.Module, decay: float = 0.995
    ) -> None:
        self.network, self.average, self.decay = network, average, decay
        average.requires_grad_(False).eval()

    def attach(self, engine: Engine) -> None:
        """Follow the trainer, from the weights that it starts with, whoever loaded them."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)

    def _start(self) -> None:
        source = getattr(self.network, "module", self.network)
        self.average.load_state_dict(source.state_dict())

    @torch.no_grad()
    def _step(self, engine: Engine) -> None:
        step = engine.state.iteration
        keep = min(self.decay, (1 + step) / (10 + step))
        source = getattr(self.network, "module", self.network)
        for old, new in zip(
            self.average.state_dict().values(), source.state_dict().values(), strict=True
        ):
            if old.is_floating_point():
                old.lerp_(new.to(old.dtype), 1.0 - keep)
            else:
                old.copy_(new)


class Resume:
    """Write the whole state of a training after each epoch; go on from it when it is there.

    Args:
        path: checkpoint file, outside of the bundle's ``models/``.
        objects: name to anything with ``state_dict`` and ``load_state_dict``.
        write: false where another process of a multi-GPU run writes.
        read: false where a new training begins, whatever an earlier one left.
    """

    def __init__(
        self,
        path: str | Path,
        objects: Mapping[str, Any],
        write: bool = True,
        *,
        read: bool = True,
    ) -> None:
        self.path, self.objects, self.write, self.read = Path(path), dict(objects), write, read

    def attach(self, engine: Engine) -> None:
        """Follow the trainer."""
        if self.read:
            engine.add_event_handler(Events.STARTED, self._load)
        if self.write:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _load(self, engine: Engine) -> None:
        if not self.path.is_file():
            return
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        for name, thing in self.objects.items():
            thing.load_state_dict(state[name])
        engine.state.epoch, engine.state.iteration = state["epoch"], state["iteration"]
        engine.logger.info(f"resumed after epoch {state['epoch']}")
        if state["epoch"] >= (engine.state.max_epochs or math.inf):
            engine.logger.warning(
                "nothing is left to train: the checkpoint has had all epochs. For another training "
                "give another output_dir, for a longer one more max_epochs"
            )

    def _save(self, engine: Engine) -> None:
        state: dict[str, Any] = {name: thing.state_dict() for name, thing in self.objects.items()}
        state |= {"epoch": engine.state.epoch, "iteration": engine.state.iteration}
        save_aside(state, self.path)


class EpochFigures:
    """Give the trainer what an epoch's curves show: mean loss and mean learning rate.

    Args:
        optimizer: of the training.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.seen: list[tuple[float, float]] = []

    def attach(self, engine: Engine) -> None:
        """Follow the trainer; before whatever reads its metrics."""
        engine.add_event_handler(Events.EPOCH_STARTED, lambda: self.seen.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._keep)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._say)

    def _keep(self, engine: Engine) -> None:
        output: Any = engine.state.output  # a number, says ignite
        self.seen.append((float(output[0]["loss"]), float(self.optimizer.param_groups[0]["lr"])))

    def _say(self, engine: Engine) -> None:
        for name, values in zip(_FIGURES, zip(*self.seen, strict=True), strict=True):
            engine.state.metrics[name] = sum(values) / len(values)


class StopAtNaN:
    """End a training whose loss is not a number, before its checkpoint is replaced; and say where
    that was.
    """

    def attach(self, engine: Engine) -> None:
        """Follow the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._check)

    def _check(self, engine: Engine) -> None:
        output: Any = engine.state.output  # a number, says ignite
        loss = float(output[0]["loss"])
        if math.isfinite(loss):
            return
        batch: Any = engine.state.batch  # a number, says ignite
        cases = ", ".join(batch.get("case", ())) or "not named"
        raise TrainingError(
            "LOSS_NOT_FINITE",
            f"The loss became {loss} at step {engine.state.iteration} (cases: {cases}): lower "
            "learning_rate, or look "
            "at these scans; the last checkpoint is whole.",
        )


class SayMachine:
    """Log once what the machine is good for, so that nobody wonders why a training is slow.

    Args:
        device: where it runs.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)

    def attach(self, engine: Engine) -> None:
        """Follow the trainer."""
        engine.add_event_handler(
            Events.STARTED, lambda: engine.logger.info(describe_machine(self.device))
        )


class ShipWeights:
    """Write the weights a bundle ships when training ends: a plain state dict, see `save_weights`.

    Args:
        network: whose weights (for example the moving average).
        path: ``models/model.pt`` of the bundle.
    """

    def __init__(self, network: torch.nn.Module, path: str | Path) -> None:
        self.network, self.path = network, Path(path)

    def attach(self, engine: Engine) -> None:
        """Follow the trainer."""
        engine.add_event_handler(Events.COMPLETED | Events.TERMINATE, self._save)

    def _save(self, engine: Engine) -> None:
        save_weights(self.network.state_dict(), self.path)


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """What a bundle ships, from the CPU: kernels in half precision, vectors as they are (a variance
    may be large).

    A kernel that a network knows by several names (DynUNet's skip layers) is written once.
    """
    halves: dict[int, torch.Tensor] = {}
    shipped = {}
    for name, value in state.items():
        cpu = value.detach().cpu()
        if cpu.is_floating_point() and cpu.ndim > 1:
            cpu = halves.setdefault(value.data_ptr(), cpu.half())
        shipped[name] = cpu
    save_aside(shipped, path)


def save_aside(state: Mapping[str, Any], path: Path) -> None:
    """`torch.save` under another name, then rename: a killed training never leaves half a file.

    Raises:
        TrainingError: ``DISK_FULL``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".tmp")
    try:
        torch.save(dict(state), aside)
        aside.replace(path)
    except (
        OSError,
        RuntimeError,
    ) as error:  # the latter is what torch makes of a write that failed
        aside.unlink(missing_ok=True)
        message = (
            f"{path.name} could not be written, the one before stays whole: make room and "
            "start again."
        )
        raise TrainingError("DISK_FULL", message) from error
