"""What comes with the toolkit beside its code (bundles, configs, the schema of manifests), and
which code it is.
"""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_WHEEL, _CHECKOUT = _PACKAGE / "share", _PACKAGE.parent


def shipped(*parts: str) -> Path:
    """A file or folder of the toolkit, whether it was installed from a wheel or runs in a checkout.

    >>> shipped("bundles", "ich_segmentation").name
    'ich_segmentation'
    """
    return (_WHEEL if _WHEEL.is_dir() else _CHECKOUT).joinpath(*parts)


def commit() -> str:
    """The commit of the toolkit's code, with ``+`` where a checkout holds changes; ``unknown``
    where there is none.
    """
    written = _WHEEL / "commit.txt"
    if written.is_file():
        return written.read_text().strip()
    if not (_CHECKOUT / ".git").exists():
        return "unknown"
    words = [
        "git",
        "-C",
        str(_CHECKOUT),
        "describe",
        "--always",
        "--dirty=+",
        "--exclude=*",
        "--abbrev=40",
    ]
    try:
        return subprocess.run(
            words, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


@cache
def code_digest() -> str:
    """Sha256 of the package's source: numbers made by other code may be others."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
