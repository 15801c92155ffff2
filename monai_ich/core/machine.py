"""How many scans a machine can analyze at once."""

from __future__ import annotations

import os
from pathlib import Path

_WORKER_BYTES = 3_000_000_000  # 320 thin slices of 512 x 512 pixels take 2.2 GB at their peak


def workers_that_fit(cores: int, memory_bytes: float, gpus: int = 0) -> int:
    """One for each GPU; without any, one for each core, as far as memory lets, since a scan keeps
    one core busier than two.

    >>> workers_that_fit(8, 64e9), workers_that_fit(8, 16e9), workers_that_fit(8, 64e9, gpus=2)
    (8, 5, 2)
    """
    return gpus or max(1, min(cores, int(memory_bytes // _WORKER_BYTES)))


def workers_here() -> int:
    """The same of this machine."""
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return workers_that_fit(os.cpu_count() or 1, memory_bytes, gpus)
