"""Locks that say whose they are: process, machine and boot, in a file that the process keeps
locked.

The system opens the lock when the process ends, whatever ends it. The file names its owner, since a
lock proves nothing on a folder that is shared with another machine.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Owner:
    """Which process holds something.

    Args:
        pid: of the process.
        host: name of its machine.
        boot: which start of that machine, empty where the system does not tell.
    """

    pid: int
    host: str
    boot: str

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        boot = _BOOT.read_text().strip() if _BOOT.is_file() else ""
        return cls(os.getpid(), platform.node(), boot)

    @property
    def is_known(self) -> bool:
        """Whether it ran on this machine, now (containers share a boot, not a name) or before it
        was started anew.
        """
        here = self.here()
        return self == _NOBODY or self.host == here.host or self.boot == here.boot != ""


_NOBODY = Owner(0, "", "")  # it ended, or was asked, before it had written who it is


class Locked(Exception):
    """Another process holds the lock.

    Args:
        owner: who.
    """

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self.owner = owner


def take_lock(path: Path) -> IO[str]:
    """Make and lock a file, which then names this process; the lock ends with the process or with
    `release_lock`.

    Raises:
        Locked: where another process, or another thread of this one, holds it.
    """
    while True:
        stream = path.open("a+")
        if not try_lock(stream):
            owner = read_owner(stream)
            stream.close()
            raise Locked(owner)
        if is_at(stream, path):  # else its owner took it away meanwhile
            break
        stream.close()
    try:
        stream.truncate(0)
        stream.write(json.dumps(asdict(Owner.here())))
        stream.flush()
    except OSError:  # a full disk; what is in the buffer must not be written again on closing
        path.unlink(missing_ok=True)
        with suppress(OSError):
            stream.close()
        raise
    return stream


def release_lock(stream: IO[str], path: Path) -> None:
    """Take the lock away where it is still this one: an exchange of folders may have carried it
    off.
    """
    with suppress(OSError):
        if is_at(stream, path):
            path.unlink()
    stream.close()


def try_lock(stream: IO[str]) -> bool:
    """Whether the open file is locked now by this process; never waits."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return not _may_live(read_owner(stream))
    return True


def _may_live(owner: Owner) -> bool:
    """By its number alone; yes where that cannot be known."""
    if not owner.is_known:
        return True
    if owner == _NOBODY or owner.boot != Owner.here().boot:
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_at(stream: IO[str], path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def read_owner(stream: IO[str]) -> Owner:
    """Who stands in the file."""
    stream.seek(0)
    try:
        return Owner(**json.loads(stream.read(4096)))
    except (ValueError, TypeError):
        return _NOBODY
