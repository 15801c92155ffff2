"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """A question that names the nearest known name, to end a sentence with; empty where none is
    near.

    Ids (``a::b::c``) are compared by as many of their last parts as `name` has, so that ``trainer``
    finds ``train::trainer``.

    >>> nearest("epoch", ["max_epochs", "batch_size"])
    ': did you mean max_epochs?'
    >>> nearest("trainer::max_epoch", ["train::trainer", "train::trainer::max_epochs"])
    ': did you mean train#trainer#max_epochs?'
    >>> nearest("x", ["batch_size"])
    '.'
    """
    length = name.count("::") + 1
    tails = {
        "::".join(k.split("::")[-length:]): k
        for k in sorted(known, key=lambda k: (-k.count("::"), k))
    }
    found = difflib.get_close_matches(name, tails, n=1)
    return f": did you mean {typed(tails[found[0]])}?" if found else "."


def typed(config_id: str) -> str:
    """An id as people type it: ``train#trainer``."""
    return config_id.replace("::", "#")
