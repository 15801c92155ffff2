"""Scratch folders that say whose they are, so that only what a dead process left is ever swept.

Each holds a file ``owner`` that its process keeps locked (see `ownership`). What another user or
another machine left stays.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from monai_ich.core.ownership import Locked, Owner, is_at, read_owner, take_lock, try_lock

PARTIAL = ".partial-"  # beside results, until they take their names
TEMPORARY = "monai-ich-"  # in the system's temporary folder
CONTENT, EARLIER, COMING = "content", "earlier", "coming"
_OWNER = "owner"
_UNCLAIMED = re.compile(
    r"-[a-z0-9_]{8}$"
)  # as `tempfile` names what it makes: an empty one was killed at birth


class Scratch:
    """A folder that vanishes with the block, or with the last reference, at the latest when Python
    ends.

    Whoever enters the block gets `folder`, which has the rights that the user's umask leaves; what
    it lies in is the user's alone.

    Args:
        parent: where to make it.
        prefix: how its name begins, `PARTIAL` or `TEMPORARY`.
    """

    def __init__(self, parent: Path, prefix: str = PARTIAL) -> None:
        self.base, stream = _claim(parent.resolve(), prefix)
        self.folder = self.base / CONTENT
        self._end = weakref.finalize(self, _end, self.base, stream, os.getpid())
        try:
            self.folder.mkdir()
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Path:
        return self.folder

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove it, unless results are still on their way through it."""
        self._end()


def temporary() -> Scratch:
    """A scratch folder where the system keeps temporary files."""
    return Scratch(Path(tempfile.gettempdir()), TEMPORARY)


def _claim(parent: Path, prefix: str) -> tuple[Path, IO[str]]:
    while True:
        base = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            return base, take_lock(base / _OWNER)
        except (FileNotFoundError, Locked):  # it was swept before it had an owner
            continue
        except OSError:
            base.rmdir()
            raise


def _end(base: Path, stream: IO[str], pid: int) -> None:
    if os.getpid() == pid:  # a forked child ends too
        _remove(base)
        stream.close()


def _remove(base: Path) -> None:
    """The owner goes last: what is left of a removal that was killed is swept later."""
    if is_on_the_way(base):
        return
    for path in base.iterdir() if base.is_dir() else ():
        if path.name != _OWNER:
            shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        (base / _OWNER).unlink(missing_ok=True)
        base.rmdir()


def is_on_the_way(base: Path) -> bool:
    """Whether results are being moved in and out of a folder through this one: `io.publish` must
    finish that.
    """
    try:
        return not {EARLIER, COMING}.isdisjoint(path.name for path in base.iterdir())
    except OSError:  # gone, or another user's
        return False


@contextmanager
def abandoned(base: Path) -> Iterator[Owner | None]:
    """Whose a scratch folder of this user was where its owner is gone, else None; nobody else
    sweeps it meanwhile.
    """
    stream = _open_owner(base)
    if stream is None:
        yield None
        return
    with stream:
        yield read_owner(stream) if try_lock(stream) and is_at(stream, base / _OWNER) else None


def _open_owner(base: Path) -> IO[str] | None:
    if sys.platform == "win32":
        return None
    try:
        info = base.lstat()
        if stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid():
            if stat.S_IMODE(info.st_mode) == 0o700 and _UNCLAIMED.search(base.name):
                with suppress(OSError):  # a folder that holds something stays
                    base.rmdir()
            return (base / _OWNER).open("r+")
    except OSError:
        pass
    return None


def sweep(parent: Path, prefix: str = PARTIAL) -> int:
    """Remove what dead processes left in a folder; what a live one uses, or another user or machine
    left, stays.

    Returns:
        How many live processes use.
    """
    used = 0
    for base in parent.glob(f"{prefix}*"):
        with abandoned(base) as owner:
            if owner is not None and owner.is_known:
                _remove(base)
            used += owner is None and is_claimed(base)
    return used


def is_claimed(base: Path) -> bool:
    """Whether it says whose it is."""
    try:
        return (base / _OWNER).is_file()
    except OSError:  # another user's
        return False


def sweep_temporary() -> None:
    """Remove what dead processes left where the system keeps temporary files: unpacked studies,
    Ray's sessions.
    """
    for folder in {Path(tempfile.gettempdir()), Path("/tmp")}:
        sweep(folder, TEMPORARY)
