"""Spread cases over Ray workers; a worker that dies costs nothing but time."""

from __future__ import annotations

import logging
import math
import os
import secrets
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError
from monai_ich.core.machine import cores_here, workers_that_fit
from monai_ich.core.scratch import TEMPORARY, Scratch, temporary
from monai_ich.study.inputs import StudyCase
from monai_ich.study.worker import Build, Outcome, Worker

_LOG = logging.getLogger(__name__)

Task = tuple[StudyCase, Path, str]  # what `Worker.analyze` takes

_TRIES = 2
_STARTS, _PAUSE_S = 3, 2.0
_STORE_BYTES = 80 << 20  # nothing goes through it but outcomes; Ray wants at least 75 MB


@contextmanager
def started_ray(address: str | None = None) -> Iterator[Any]:
    """Ray itself, connected: to a cluster, or to one that is started on this machine and ends with
    the block.

    The embedded one listens on 127.0.0.1 only and behind a token of its own, has no dashboard,
    reports no use, and takes its files with it. Ray takes such settings from the environment alone,
    before it is imported.

    Args:
        address: of a cluster; None for this machine.

    Raises:
        InputError: ``NO_CLUSTER``; ``RAY_NOT_STARTED`` where the embedded one does not start in
            time.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with _connected(address) if address is not None else _embedded():
        import ray

        ray._private.worker._worker_logs_enabled = False  # else each death is told on stdout
        yield ray


def _connected(address: str) -> ExitStack:
    """Joined to a cluster; left with the block."""
    with ExitStack() as stack:
        stack.callback(_shut_down)
        try:
            _init(address=address)
        except (
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # no answer, another version, no address
            raise InputError(
                "NO_CLUSTER",
                "No Ray cluster answers at --address: check it, RAY_AUTH_MODE and RAY_AUTH_TOKEN.",
            ) from error
        return stack.pop_all()


def _embedded() -> ExitStack:
    """Ray started on this machine, again where it does not come up; it ends, and its files go, with
    the block.

    It opens its own folder to everybody, so it gets one inside a folder that is the user's alone.
    """
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = (
        "0"  # keeps Ray on loopback there, and on Linux too
    )
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    settings = {"address": "local", "num_cpus": cores_here(), "include_dashboard": False}
    settings |= {"object_store_memory": _STORE_BYTES}
    failure: Exception | None = None
    for attempt in range(_STARTS):
        time.sleep(_PAUSE_S * attempt)
        with ExitStack() as stack:
            scratch = (
                Scratch(Path("/tmp"), TEMPORARY) if Path("/tmp").is_dir() else temporary()
            )  # sockets: short paths
            stack.callback(scratch.close)
            stack.callback(_shut_down)
            try:
                _init(**settings, _temp_dir=str(scratch.folder))
                return stack.pop_all()
            except Exception as error:  # Ray has no kind of its own for it
                _LOG.debug("Ray did not start", exc_info=True)
                failure = error
    message = (
        f"Ray did not start on this machine in {_STARTS} attempts: free memory or cores and "
        "run it again."
    )
    raise InputError("RAY_NOT_STARTED", message) from failure


def _init(**settings: Any) -> None:
    """`ray.init`, which leaves it to us what a signal does: ours cleans up."""
    import ray

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**settings, log_to_driver=False, logging_level=logging.CRITICAL)
    finally:
        if in_main and before is not None:
            signal.signal(signal.SIGTERM, before)


def _shut_down() -> None:
    import ray

    ray.shutdown()


def analyze_all(
    tasks: Sequence[Task],
    build: Build,
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Generator[Outcome, None, None]:
    """Outcomes as they come, one for each task.

    A worker that dies is replaced and its case tried again; a case that has killed two workers
    fails with ``WORKER_DIED``.

    Args:
        tasks: what to do.
        build: gives the pipeline, or what measures masks, in each worker once.
        workers: processes; by default `workers_that_fit`.
        address: of a Ray cluster; its machines need the toolkit, the input and the output under the
            same paths.
    """
    with started_ray(address) as ray:
        size = ray.cluster_resources()
        cores, gpus = int(size.get("CPU", 1)), size.get("GPU", 0)
        fit = workers_that_fit(cores, size.get("memory", math.inf), int(gpus))
        count = min(workers or fit, len(tasks))
        share = {
            "num_cpus": cores // count if cores >= count else cores / count,
            "num_gpus": min(1, gpus / count),
        }
        actor = ray.remote(**share)(Worker)  # Ray gives each worker as many threads as it has cores
        waiting, tries = deque(tasks), Counter[str]()
        running: dict[Any, tuple[Any, Task]] = {}
        idle = [actor.remote(build) for _ in range(count)]
        while waiting or running:
            while waiting and idle:
                worker, task = idle.pop(), waiting.popleft()
                running[worker.analyze.remote(*task)] = worker, task
            (ready,), _ = ray.wait(list(running), num_returns=1)
            worker, task = running.pop(ready)
            try:
                outcome = ray.get(ready)
            except ray.exceptions.RayError:  # it was killed, or took more memory than there is
                case = task[0]
                ray.kill(worker)
                worker = actor.remote(build)
                tries[case.id] += 1
                outcome = None
                if tries[case.id] < _TRIES:
                    waiting.append(task)
                else:
                    outcome = Outcome(
                        case.id, "WORKER_DIED", f"The process that analyzed it died {_TRIES} times."
                    )
            idle.append(worker)
            if outcome is not None:
                yield outcome
