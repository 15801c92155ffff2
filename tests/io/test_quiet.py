"""Silence for libraries, in several threads at once."""

from __future__ import annotations

import logging
import warnings

import pytest

from monai_ich.io.quiet import quiet


def test_silence_lasts_until_the_last_thread_leaves(recwarn: pytest.WarningsRecorder) -> None:
    log = logging.getLogger("of_a_library")
    log.setLevel(logging.INFO)
    other = logging.getLogger("of_another")
    other.setLevel(logging.DEBUG)
    first, second, third = quiet("of_a_library"), quiet("of_a_library"), quiet("of_another")
    first.__enter__()
    second.__enter__()
    third.__enter__()
    first.__exit__(None, None, None)  # as threads do, in no order
    warnings.warn("names a patient", stacklevel=1)
    assert not log.isEnabledFor(logging.CRITICAL) and not other.isEnabledFor(logging.CRITICAL)
    second.__exit__(None, None, None)
    warnings.warn("names a patient", stacklevel=1)
    assert log.level == logging.INFO and not other.isEnabledFor(logging.CRITICAL)
    third.__exit__(None, None, None)
    assert other.level == logging.DEBUG and not len(recwarn)
    warnings.warn("heard again", stacklevel=1)
    assert len(recwarn) == 1
