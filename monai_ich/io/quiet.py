"""Silence for the libraries that read files: their messages name files and values, and those may
name patients.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Keep a library's warnings and log records to itself; what matters comes back as an error with
    a code.

    Args:
        library: name of its logger, ``"pydicom"`` or ``"nibabel.global"``.
    """
    log = logging.getLogger(library)
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            log.setLevel(level)
