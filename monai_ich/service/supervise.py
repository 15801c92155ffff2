"""Starts the roles as processes, and starts again whichever ends; holds no state of its own.

A child ends when its supervisor does: it reads a pipe that only the supervisor holds.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from monai_ich.core.errors import ServiceError
from monai_ich.core.machine import cores_here, workers_here
from monai_ich.service.settings import ROLES, Settings

_LOG = logging.getLogger(__name__)
_FIRST_S, _STEADY_S, _END_S, _LOOK_S = 0.2, 30.0, 10.0, 0.1
_MOST_WORKERS = 4  # unless settings ask for more: each keeps the networks in memory


@dataclass
class _Child:
    """A process, how many threads it may compute with, and when it may be started again."""

    name: str
    command: tuple[str, ...]
    threads: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = _FIRST_S
    next_start: float = field(default=0.0)

    def start(self) -> None:
        environment = {"OMP_NUM_THREADS": str(self.threads)} | os.environ  # the user's own wins
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, env=environment)
        self.started = time.monotonic()
        _LOG.info("%s started, process %d", self.name, self.process.pid)

    def look(self, most_s: float) -> None:
        """Start it where it is time to."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            lived = now - self.started
            self.pause_s = _FIRST_S if lived > _STEADY_S else min(2 * self.pause_s, most_s)
            self.next_start = now + self.pause_s
            _LOG.warning("%s ended (%s), again soon", self.name, self.process.returncode)
            self.close()
        if self.process is None and now >= self.next_start:
            self.start()

    def close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


def supervise(settings: Settings, arguments: Sequence[str], stop: threading.Event) -> None:
    """Keep all roles running until told to stop.

    Args:
        settings: of the service.
        arguments: of ``monai-ich serve``, for the children too.
        stop: ends it.
    """
    workers = settings.workers or min(_MOST_WORKERS, workers_here())
    threads = max(1, cores_here() // workers)
    roles = [role for role in ROLES if role != "work"] + [f"work-{n}" for n in range(workers)]
    words = (sys.executable, "-m", "monai_ich.cli", *arguments, "--supervised", "--role")
    children = [_Child(role, (*words, role), threads) for role in roles]
    try:
        while not stop.wait(_LOOK_S):
            for child in children:
                child.look(settings.restart_most_s)
    finally:
        running = [c.process for c in children if c.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + _END_S
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def end_with_supervisor() -> None:
    """End this process, at once, when the pipe to its supervisor breaks."""

    def watch() -> None:
        while os.read(0, 1024):
            continue
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def only_one(data: Path, name: str = "service") -> Iterator[None]:
    """The lock on a data folder ends with the process, whatever ends it.

    Args:
        data: folder of the service.
        name: of what may run there once.

    Raises:
        ServiceError: ``SERVICE_RUNNING``.
    """
    with (data / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                "SERVICE_RUNNING",
                "Another service, or a role of this name, runs on this data folder: end it first, "
                "or name the role anew (work-2).",
            ) from None
        yield
