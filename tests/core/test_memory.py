"""A process that keeps its memory takes no page twice, and can give it back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
import numpy as np
from monai_ich.core.memory import keep_memory, release_memory

if not hasattr(ctypes.CDLL(None), "mallopt"):
    sys.exit(7)
pages = (50 << 20) // resource.getpagesize()

def taken():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.full(50 << 20, 1, np.uint8)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / pages

def held():
    return int(open("/proc/self/statm").read().split()[1])

{first}
taken()
before, again = held(), taken()
release_memory()
print(again, (before - held()) / pages)
"""


def _measured(first: str, **more: str) -> tuple[float, float]:
    """Shares of the pages of an array: taken anew the second time, given back in the end."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)],
        env=plain | {"NUMPY_MADVISE_HUGEPAGE": "0"} | more,
        capture_output=True,
        text=True,
    )
    if ended.returncode == 7:
        pytest.skip("the C library is not GNU's")
    assert ended.returncode == 0, ended.stderr
    taken, given_back = map(float, ended.stdout.split())
    return taken, given_back


def test_memory_is_kept_until_it_is_given_back() -> None:
    taken, given_back = _measured("keep_memory()")
    assert taken < 0.01
    assert given_back > 0.9


def test_by_default_it_is_not_kept() -> None:
    assert _measured("")[0] > 0.9


def test_the_environment_of_the_user_wins() -> None:
    assert _measured("keep_memory()", MALLOC_MMAP_THRESHOLD_="131072")[0] > 0.9
