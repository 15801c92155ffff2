"""The loop of the roles that take one thing at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

_LOG = logging.getLogger(__name__)
_PAUSE_S = 0.5
_BEAT_S = 5.0


def repeat(step: Callable[[], bool], stop: threading.Event, *, beat: Callable[[], None]) -> None:
    """Take steps until told to stop, with a pause after one that found nothing to do. A database
    that does not answer is asked again.

    Args:
        step: whether there was something.
        stop: set from outside.
        beat: what is done every few seconds.
    """
    beaten = 0.0
    while not stop.is_set():
        try:
            if time.monotonic() - beaten > _BEAT_S:
                beat()
                beaten = time.monotonic()
            busy = step()
        except sa.exc.OperationalError as error:
            _LOG.error("the database does not answer: %s", type(error.orig).__name__)
            busy = False
        if not busy:
            stop.wait(_PAUSE_S)
