"""Stages of a long job: each within a share of the time, over as many calls as it takes."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[1]
_EXPORT_S = 5.0


@dataclass
class State:
    """What a later call must know, in ``state.json`` of the work folder.

    Args:
        spent_s: stage to seconds spent, over all calls.
        done: stages that are complete.
    """

    spent_s: dict[str, float] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> State:
        """From the work folder; a new one where there is none."""
        path = folder / "state.json"
        return cls(**json.loads(path.read_text())) if path.is_file() else cls()

    def write(self, folder: Path) -> None:
        """Into the work folder, aside first."""
        aside = folder / "state.tmp"
        aside.write_text(json.dumps(vars(self), indent=1) + "\n")
        aside.replace(folder / "state.json")


class Stages:
    """Runs commands stage by stage, and keeps the time.

    Args:
        work: folder of ``state.json`` and ``logs``.
        seconds: until this call ends.
        environment: of the commands.
    """

    def __init__(self, work: Path, *, seconds: float, environment: Mapping[str, str]) -> None:
        self.work, self.environment = work, environment
        self.end = time.monotonic() + seconds
        self.state = State.read(work)
        self.failed: list[str] = []

    def call_left_s(self) -> float:
        """Until this call ends."""
        return self.end - _EXPORT_S - time.monotonic()

    def left_s(self, stage: str, budget_s: float) -> float:
        """What is left of a stage's budget over all calls."""
        return budget_s - self.spent_s(stage)

    def spent_s(self, stage: str) -> float:
        """Over all calls."""
        return self.state.spent_s.get(stage, 0.0)

    def run(
        self, stage: str, commands: Mapping[str, Sequence[str]], budget_s: float
    ) -> dict[str, int | None]:
        """Commands of a stage side by side, within its budget and this call; see
        `run_side_by_side`.
        """
        seconds = max(1.0, min(self.left_s(stage, budget_s), self.call_left_s()))
        _LOG.info("%s: at most %.0f s", stage, seconds)
        start = time.monotonic()
        try:
            return run_side_by_side(
                commands, seconds=seconds, logs=self.work / "logs", environment=self.environment
            )
        finally:
            spent_s = self.spent_s(stage) + time.monotonic() - start
            self.state.spent_s[stage] = round(spent_s, 1)
            self.state.write(self.work)

    def is_done(self, stage: str) -> bool:
        """In this call or an earlier one."""
        return stage in self.state.done

    def finish(self, stage: str, text: str) -> None:
        """It is complete: no later call does it again."""
        self.state.done.append(stage)
        self.state.write(self.work)
        _LOG.info("%s: %s", stage, text)

    def fail(self, name: str, text: str) -> None:
        """Say why, with the end of the command's log."""
        self.failed.append(name)
        log = self.work / "logs" / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        _LOG.error("%s failed: %s\n%s", name, text, "\n".join(lines[-25:]))


def run_side_by_side(
    commands: Mapping[str, Sequence[str]],
    *,
    seconds: float,
    logs: Path,
    environment: Mapping[str, str],
) -> dict[str, int | None]:
    """Run commands at once, each with its own log; those that are not done in time are ended with
    all they started.

    Args:
        commands: name to command line.
        seconds: wall time for all of them.
        logs: folder for ``NAME.log``, added to.
        environment: of the commands.

    Returns:
        Name to exit status; None where the time was up.
    """
    logs.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    running = {}
    for name, command in commands.items():
        with (logs / f"{name}.log").open("a") as log:
            running[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
    try:
        while time.monotonic() < end and any(
            process.poll() is None for process in running.values()
        ):
            time.sleep(0.2)
    finally:
        status = {name: process.poll() for name, process in running.items()}
        for process in running.values():
            _end(process)
    return status


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children; they are in a session of their own."""
    for sign, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, sign)
            process.wait(patience_s)
        except (ProcessLookupError, PermissionError):
            return
        except subprocess.TimeoutExpired:
            continue
