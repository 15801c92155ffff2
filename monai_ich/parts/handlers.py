"""Ignite handlers for training: averaged weights, a time budget, progress lines, weights for the bundle."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

logger = logging.getLogger(__name__)


class ExponentialMovingAverage:
    """Keep a running average of a network's weights; the average is what gets validated and saved.

    Args:
        network: what is trained.
        average: a copy of it that receives the average.
        decay: share of the old average at each step; less at the start, so that random weights fade at once.
    """

    def __init__(self, network: torch.nn.Module, average: torch.nn.Module, decay: float = 0.998) -> None:
        self.network, self.average, self.decay = network, average, decay
        average.requires_grad_(False).eval()

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    @torch.no_grad()
    def __call__(self, engine: Engine) -> None:
        step = engine.state.iteration
        keep = min(self.decay, (1 + step) / (10 + step))
        source = self.network.module if hasattr(self.network, "module") else self.network
        for old, new in zip(self.average.state_dict().values(), source.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new.to(old.dtype), 1 - keep)
            else:
                old.copy_(new)


class BudgetSchedule:
    """Learning rate by progress (short warm-up, then a cosine), and an end when the time is up.

    Progress is the larger of iterations done and minutes spent, each as a share of its limit, so that the learning rate
    has come down when the training ends, whichever limit is reached first. It ends after a whole epoch.

    Args:
        optimizer: its groups' ``lr`` is set before each iteration.
        learning_rate: the highest.
        max_minutes: wall clock, resumed runs included; None for no limit.
        warmup: share of the training in which the rate climbs.
        floor: last rate as a share of the highest.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        learning_rate: float,
        max_minutes: float | None = None,
        *,
        warmup: float = 0.03,
        floor: float = 0.01,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.optimizer, self.learning_rate, self.max_minutes = optimizer, learning_rate, max_minutes
        self.warmup, self.floor, self.clock = warmup, floor, clock
        self._spent, self._since = 0.0, clock()

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_STARTED, self.set_rate)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end_when_due)

    @property
    def minutes(self) -> float:
        """Minutes trained so far."""
        return self._spent + (self.clock() - self._since) / 60.0

    def start(self, engine: Engine) -> None:
        self._since = self.clock()

    def progress(self, engine: Engine) -> float:
        """Share of the training that is done, 0 to 1."""
        total = max(1, (engine.state.max_epochs or 1) * (engine.state.epoch_length or 1))
        by_time = self.minutes / self.max_minutes if self.max_minutes else 0.0
        return min(1.0, max((engine.state.iteration - 1) / total, by_time))

    def set_rate(self, engine: Engine) -> None:
        done = self.progress(engine)
        fall = max(0.0, done - self.warmup) / (1.0 - self.warmup)
        share = self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * fall))
        if done < self.warmup:
            share = max(self.floor, done / self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * share

    def end_when_due(self, engine: Engine) -> None:
        if self.max_minutes and self.minutes >= self.max_minutes:
            logger.info("The budget of %g minutes is spent after epoch %d.", self.max_minutes, engine.state.epoch)
            engine.terminate()

    def state_dict(self) -> dict[str, float]:
        return {"minutes": self.minutes}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._spent, self._since = float(state["minutes"]), self.clock()


class ClipGradients:
    """Limit the norm of all gradients before each optimizer step."""

    def __init__(self, network: torch.nn.Module, largest_norm: float = 12.0) -> None:
        self.network, self.largest_norm = network, largest_norm

    def attach(self, engine: Engine) -> None:
        from monai.engines import IterationEvents

        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.largest_norm)


class ProgressLines:
    """One line an epoch: epoch, mean loss, learning rate, seconds an iteration, minutes so far.

    The mean loss also goes to ``engine.state.metrics["train_loss"]``, where trackers find it.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: BudgetSchedule) -> None:
        self.optimizer, self.schedule = optimizer, schedule
        self._losses: list[float] = []
        self._began = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        self._losses, self._began = [], time.monotonic()

    def count(self, engine: Engine) -> None:
        output = engine.state.output
        self._losses.append(float((output[0] if isinstance(output, list) else output)["loss"]))

    def write(self, engine: Engine) -> None:
        number = max(1, len(self._losses))
        mean = sum(self._losses) / number
        engine.state.metrics["train_loss"] = mean
        logger.info(
            "epoch %d/%d  loss %.4f  lr %.2e  %.2f s/it  %.1f min",
            engine.state.epoch,
            engine.state.max_epochs or 0,
            mean,
            self.optimizer.param_groups[0]["lr"],
            (time.monotonic() - self._began) / number,
            self.schedule.minutes,
        )


class FinalValidation:
    """Validate once more at the end, unless the last epoch has been validated.

    Args:
        validator: the evaluator.
    """

    def __init__(self, validator: Any) -> None:
        self.validator = validator

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        if self.validator.state.epoch != engine.state.epoch:
            self.validator.run(engine.state.epoch)


class ExportWeights:
    """At the end, write the best weights into the bundle, in half precision.

    Half precision halves the file; loading into a float32 network is exact to 3 digits of each weight.

    Args:
        source: state dict with the best weights; nothing is written where it is missing.
        target: ``models/model.pt`` of the bundle; written aside, then renamed.
    """

    def __init__(self, source: str, target: str) -> None:
        self.source, self.target = Path(source), Path(target)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        if not self.source.exists():
            logger.warning("No weights to export: no validation has been run.")
            return
        export_weights(self.source, self.target)
        logger.info("Weights written to %s.", self.target.name)


def export_weights(source: Path | str, target: Path | str) -> None:
    """Write a state dict in half precision."""
    target = Path(target)
    state = torch.load(source, map_location="cpu", weights_only=True)
    half = {k: v.half().contiguous() if v.dtype.is_floating_point else v for k, v in state.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".tmp")
    torch.save(half, aside)
    aside.replace(target)


def latest_checkpoint(folder: Path | str) -> str | None:
    """The newest ``*.pt`` of a folder of checkpoints; None where there is none."""
    found = sorted(Path(folder).glob("*.pt"), key=lambda p: p.stat().st_mtime)
    return str(found[-1]) if found else None
