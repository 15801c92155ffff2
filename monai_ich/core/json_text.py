"""JSON from a disk, whoever wrote it: a byte-order mark, UTF-16, or damage of any kind."""

from __future__ import annotations

import codecs
import json
import math
import re
from pathlib import Path
from typing import Any

MOST_BYTES = 64 << 20
_MARKS = (
    *(
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
    ),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair, or of a character that is whole


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Windows' editors write a byte-order mark or UTF-16. NaN and infinity are no JSON, though Python
    takes them.

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it holds no JSON, or more than a file of ours can.
    """
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("larger than any file of ours")
    return parse_json(path.read_bytes())


def parse_json(data: bytes) -> Any:
    """As `read_json`.

    >>> parse_json(b'[1, 2.5]'), parse_json('{"a": 1}'.encode("utf-16"))
    ([1, 2.5], {'a': 1})

    Raises:
        ValueError: as `read_json`.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    text = data.decode(encoding)
    try:
        found = json.loads(text, parse_constant=_refuse)
        if _HALF.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("half a character, which no file could hold") from None
    return found


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def finite(value: Any, *, largest: float = 1e9) -> float:
    """A number that can be computed with.

    >>> finite(2), finite("2.5")
    (2.0, 2.5)

    Raises:
        ValueError: where it is none, not finite, or larger than anything that is measured in a
            head.
        TypeError: where it is of another kind.
    """
    if isinstance(value, bool):
        raise TypeError("true or false is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) <= largest:  # NaN neither
        raise ValueError("not a finite number of a usual size")
    return number
