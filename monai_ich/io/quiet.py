"""Silence for the libraries that read files: their messages name files and values, and those may
name patients.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )
_quiet: Counter[str] = Counter()  # library to how many threads want it quiet
_levels: dict[str, int] = {}
_kept: list[Any] = []  # what restores the filters of warnings


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Keep a library's warnings and log records to itself; what matters comes back as an error with
    a code.

    Filters and levels belong to the process: the first thread that enters sets them, the last one
    that leaves restores them.

    Args:
        library: name of its logger, ``"pydicom"`` or ``"nibabel.global"``.
    """
    with _LOCK:
        _enter(library)
    try:
        yield
    finally:
        with _LOCK:
            _leave(library)


def _enter(library: str) -> None:
    if not _quiet.total():
        kept = warnings.catch_warnings()
        kept.__enter__()
        _kept.append(kept)
        warnings.simplefilter("ignore")
    if not _quiet[library]:
        log = logging.getLogger(library)
        _levels[library] = log.level
        log.setLevel(logging.CRITICAL + 1)
    _quiet[library] += 1


def _leave(library: str) -> None:
    _quiet[library] -= 1
    if not _quiet[library]:
        logging.getLogger(library).setLevel(_levels.pop(library))
    if not _quiet.total():
        _kept.pop().__exit__(None, None, None)
