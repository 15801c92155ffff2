"""Run a function over many jobs in worker processes, results in the order of the jobs, as they
come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from monai_ich.core.machine import cores_here

Job = TypeVar("Job")
Result = TypeVar("Result")


def map_jobs(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int | None = None
) -> Iterator[Result]:
    """Yield ``function(job)`` for each job; with one worker (or one job) in this process.

    Workers are spawned (a forked torch hangs) and hold one torch thread each. A result should be
    small: those that are ready wait in memory until they are taken.

    Args:
        function: at module level, so that a worker can import it.
        workers: processes; by default one a CPU core.

    >>> list(map_jobs(abs, [-1, 2], workers=1))
    [1, 2]
    """
    jobs = list(jobs)
    workers = min(workers or cores_here(), len(jobs))
    if workers > 1:
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_single_thread
        ) as pool:
            yield from pool.map(function, jobs)
    else:
        yield from map(function, jobs)


def _single_thread() -> None:
    import torch

    torch.set_num_threads(1)
