"""What the C library does with memory that is free again.

By default, large arrays go back to the system at once and come anew, page by page, which takes a
third of the time of an analysis. Kept, the memory of one step serves the next.

References:
    mallopt(3), malloc_trim(3) of the GNU C library; others know neither, and nothing is done there.
"""

from __future__ import annotations

import ctypes
import os
import sys

_MOST = 2_000_000_000  # bytes; free memory beyond it goes back
_KEPT = {  # variable of the environment, parameter of mallopt(3), value
    "MALLOC_ARENA_MAX": (-8, 1),  # memory that one thread freed serves all
    "MALLOC_MMAP_THRESHOLD_": (-3, 256_000_000),  # larger arrays, of thin slices, would leave gaps
    "MALLOC_TRIM_THRESHOLD_": (-1, _MOST),
    "MALLOC_TOP_PAD_": (-2, 64_000_000),
}


def keep_memory() -> None:
    """Keep freed memory in this process, and in those that it starts; what the user's environment
    says of it wins.
    """
    for name, (parameter, value) in _KEPT.items():
        if name not in os.environ:
            _call("mallopt", parameter, value)
            os.environ[name] = str(value)


def release_memory() -> None:
    """Give freed memory back to the system, where a process has nothing to do."""
    _call("malloc_trim", 0)


def _call(name: str, *values: int) -> None:
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), name, None)
        if function is not None:
            function(*values)
