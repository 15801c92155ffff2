"""What a machine, or a container on it, lets a program use, and how many scans it can analyze at
once.

References:
    Linux control groups, version 2: ``cpu.max``, ``memory.max``; version 1:
    ``memory.limit_in_bytes``, ``cpu.cfs_quota_us``.
"""

from __future__ import annotations

import os
from pathlib import Path

_WORKER_BYTES = 4_000_000_000  # 320 thin slices of 512 x 512 pixels take 4.0 GB at their peak
_LIMITS = Path("/sys/fs/cgroup")


def workers_that_fit(cores: int, memory_bytes: float, gpus: int = 0) -> int:
    """One for each GPU; without any, one for each core, as far as memory lets, since a scan keeps
    one core busier than two.

    >>> workers_that_fit(8, 64e9), workers_that_fit(8, 16e9), workers_that_fit(8, 64e9, gpus=2)
    (8, 4, 2)
    """
    return gpus or max(1, min(cores, int(memory_bytes // _WORKER_BYTES)))


def workers_here() -> int:
    """The same of this machine."""
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return workers_that_fit(cores_here(), memory_here(), gpus)


def cores_here(limits: Path = _LIMITS) -> int:
    """Cores that this process may use: those it is bound to, and no more than a container's quota
    of time.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    earlier = (limits / "cpu" / f"cpu.cfs_{name}_us" for name in ("quota", "period"))
    given = _numbers(limits / "cpu.max") or sum(map(_numbers, earlier), ())
    quota, period = given if len(given) == 2 else (-1, 1)
    return max(1, min(bound or 1, quota // period) if quota > 0 else bound or 1)


def memory_here(limits: Path = _LIMITS) -> int:
    """Bytes of memory that this process may use: the machine's, or its container's."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    files = limits / "memory.max", limits / "memory" / "memory.limit_in_bytes"
    return min([machine, *(limit[0] for file in files if (limit := _numbers(file)))])


def _numbers(file: Path) -> tuple[int, ...]:
    """What a file of limits says; nothing where there is none, or no limit (``max``)."""
    try:
        return tuple(int(word) for word in file.read_text().split())
    except (OSError, ValueError):
        return ()
