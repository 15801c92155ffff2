"""Time and memory of whole processes."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Cost:
    """What something took.

    Args:
        wall_s: by the clock on the wall; worthless where the machine is not free.
        cpu_s: of all threads, user and system.
        peak_gb: largest resident memory of the process since its start.
    """

    wall_s: float
    cpu_s: float
    peak_gb: float

    def rounded(self) -> dict[str, float]:
        """For a record."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


def timed(command: list[str], cwd: Path | None = None) -> Cost:
    """One process from start to end, which must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command[:4])} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6)


@contextmanager
def measured() -> Iterator[Cost]:
    """What the body of a ``with`` takes in this process; the figures are there when it ends."""
    cost, start, cpu_s = Cost(0.0, 0.0, 0.0), time.perf_counter(), time.process_time()
    yield cost
    cost.wall_s, cost.cpu_s = time.perf_counter() - start, time.process_time() - cpu_s
    cost.peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def apart(function: Callable[..., T], *args: object) -> T:
    """Call a function in a process of its own: what is forked from a large process counts its
    memory as its own.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()
