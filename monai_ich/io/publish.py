"""Finished results take the place of earlier ones: all at once where the system can exchange two
folders.

Where the output folder holds nothing but results, it is exchanged for the new one in one step
(``renameat2``, Linux): nobody ever sees anything but the old or the new results. That cannot be
where it is a mount point or the current folder, holds other files (which must stay where they are),
or on file systems and machines that know no exchange. There, all old results are moved out before
any new one is moved in, so that old and new never lie side by side; where that was interrupted,
`finish` brings the old ones back, or the rest of the new ones in. Which of both, the names in the
scratch folder say:

- ``earlier`` and ``content``: old results were being moved out; they go back.
- ``coming``: new results were being moved in; the rest follows.
- ``earlier`` alone: all new ones are in their place; the old ones are removed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from monai_ich.core.scratch import COMING, CONTENT, EARLIER, Scratch

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD


def publish(
    scratch: Scratch, folder: Path, *, results: Collection[str], ours: Collection[str]
) -> None:
    """Put what `scratch` holds into `folder`, in which the scratch folder lies, in place of earlier
    results.

    Args:
        scratch: with the finished results.
        folder: without links in its path.
        results: names of results; those that are there and not among the new ones vanish.
        ours: names in `folder` that are neither results nor other files of the user.
    """
    sync(scratch.folder)
    names = {*results, *(path.name for path in scratch.folder.iterdir())}
    if not _exchanged(scratch, folder, names | {scratch.base.name, *ours}):
        _move(scratch.base, folder, names)


def replace_folder(new: Path, old: Path) -> None:
    """Put one folder in the place of another, or where none is.

    Args:
        new: in a scratch folder, which takes with it what `old` was.
        old: the place.
    """
    if old.is_dir():
        try:
            _exchange(new, old)
        except OSError:  # in between there is none
            old.rename(new.with_name("replaced"))
            new.rename(old)
    else:
        new.rename(old)
    sync_folder(old.parent)


def _exchanged(scratch: Scratch, folder: Path, names: Collection[str]) -> bool:
    """Whether the folders could be exchanged; if not, all is as it was."""
    if not _holds_only(folder, names):
        return False
    try:
        if folder.samefile(os.curdir):  # a shell that stands there would be left in the old one
            return False
        with Scratch(folder.parent) as aside:
            scratch.folder.rename(aside)
            try:
                if not (_made_alike(aside, folder) and _holds_only(folder, names)):
                    raise OSError(errno.EPERM, "not the same rights")
                _exchange(aside, folder)
            except OSError:
                aside.rename(scratch.folder)
                raise
            _give_back(aside, folder, names)
    except OSError:
        return False
    with suppress(OSError):
        sync_folder(folder.parent)
    return True


def _holds_only(folder: Path, names: Collection[str]) -> bool:
    return all(entry.name in names and not _is_other_folder(entry) for entry in os.scandir(folder))


def _is_other_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")


def _made_alike(new: Path, folder: Path) -> bool:
    """Whether the new folder has rights, owner and attributes of the one whose place it takes."""
    shutil.copystat(folder, new)
    os.utime(new)
    one, other = new.stat(), folder.stat()
    alike = (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)
    return alike and _attributes(new) == _attributes(folder)


def _attributes(folder: Path) -> dict[str, bytes]:
    if sys.platform != "linux":
        return {}
    return {name: os.getxattr(folder, name) for name in os.listxattr(folder)}


def _exchange(one: Path, other: Path) -> None:
    """Each folder gets the other's name, at once."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "no exchange of folders")
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        raise OSError(errno.ENOSYS, "no exchange of folders")
    sync_folder(one.parent)
    if library.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    sync_folder(other.parent)


def _give_back(old: Path, folder: Path, names: Collection[str]) -> None:
    """What came into the old folder at the very last moment."""
    for path in list(old.iterdir()):
        if path.name not in names and not os.path.lexists(folder / path.name):
            path.rename(folder / path.name)


def _move(base: Path, folder: Path, names: Iterable[str]) -> None:
    """File by file, old results first; on any error, `finish` goes back or on."""
    try:
        (base / EARLIER).mkdir()
        sync_folder(base)
        for name in names:
            if os.path.lexists(folder / name):
                (folder / name).rename(base / EARLIER / name)
        sync_folder(base / EARLIER)
        sync_folder(folder)
        (base / CONTENT).rename(base / COMING)
        sync_folder(base)
    finally:
        finish(base, folder)


def finish(base: Path, folder: Path) -> None:
    """Make old or new results whole again, wherever moving them was interrupted.

    Args:
        base: the scratch folder through which they were moved.
        folder: whose results they are.
    """
    earlier, coming = base / EARLIER, base / COMING
    if coming.is_dir():
        _move_all(coming, folder)
    elif earlier.is_dir() and (base / CONTENT).is_dir():
        _move_all(earlier, folder)
    shutil.rmtree(earlier, ignore_errors=True)


def _move_all(source: Path, folder: Path) -> None:
    for path in list(source.iterdir()):
        path.replace(folder / path.name)
    sync_folder(folder)
    source.rmdir()


def sync(folder: Path) -> None:
    """Have every file below a folder, and the folder, on disk before it gets its name."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            (sync_folder if path.is_dir() else sync_file)(path)
    sync_folder(folder)


def sync_file(path: Path) -> None:
    """Have a file on disk, not only in memory."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, where the system opens folders."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network file systems know no such thing
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)
