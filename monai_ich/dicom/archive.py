"""What the user points at: a folder, a file, a DICOMDIR, or a zip that is unpacked for as long as
it is needed.
"""

from __future__ import annotations

import errno
import lzma
import re
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from monai_ich.core.errors import InputError, OutputError, SeriesError
from monai_ich.core.scratch import Scratch, sweep_temporary, temporary

_MAX_FILES = 20_000
_MAX_BYTES = 8 << 30
_MAX_RATIO = 100
_SMALL_BYTES = 16 << 20
_DAMAGED = "The archive is damaged, encrypted or packed in an unknown way."
_NO_ROOM = (
    "The temporary folder has no room for the unpacked archive, or is locked: free some, "
    "or set TMPDIR."
)


@dataclass(frozen=True)
class Root:
    """Where to look.

    Args:
        path: a folder or one file.
        scratch: keeps an unpacked archive on disk; None where nothing was unpacked.
    """

    path: Path
    scratch: Scratch | None = None


def open_root(path: Path) -> Root:
    """The folder to look into. A DICOMDIR stands for its folder: the images count, not what an
    index says of them.

    Raises:
        InputError: ``INPUT_NOT_FOUND``.
        SeriesError: ``UNSAFE_ARCHIVE``.
        OutputError: ``DISK_FULL``.
    """
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", "The input does not exist: check the path given.")
    if path.is_file() and _is_zip(path):
        sweep_temporary()
        scratch = temporary()
        _unpack(path, scratch.folder)
        return Root(scratch.folder, scratch)
    if path.is_file() and path.name.upper() == "DICOMDIR":
        return Root(path.parent)
    return Root(path)


def _is_zip(path: Path) -> bool:
    """By its first bytes too: a zip that was cut short has lost the end by which it is known."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04" or zipfile.is_zipfile(path)


def _unpack(path: Path, folder: Path) -> None:
    """Members become numbered files, so that no name in the archive ever becomes a path."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            _require_safe(members, packed=path.stat().st_size, free=shutil.disk_usage(folder).free)
            for number, member in enumerate(members):
                with (
                    archive.open(member) as source,
                    (folder / f"{number:06d}").open("wb") as target,
                ):
                    shutil.copyfileobj(source, target, 1 << 20)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise OutputError("DISK_FULL", _NO_ROOM) from error
        raise SeriesError("UNSAFE_ARCHIVE", _DAMAGED) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,
        ValueError,
    ) as error:
        raise SeriesError("UNSAFE_ARCHIVE", _DAMAGED) from error


def _require_safe(members: list[zipfile.ZipInfo], *, packed: int, free: int) -> None:
    total = sum(m.file_size for m in members)
    if len(members) > _MAX_FILES or total > _MAX_BYTES:
        raise SeriesError("UNSAFE_ARCHIVE", "The archive would unpack to more than a study holds.")
    if total > max(_SMALL_BYTES, _MAX_RATIO * packed):
        raise SeriesError("UNSAFE_ARCHIVE", "The archive unpacks to more than 100 times its size.")
    if total > free:
        raise OutputError("DISK_FULL", _NO_ROOM)
    for member in members:
        outside = re.match(r"[/\\]|[A-Za-z]:", member.filename) or ".." in re.split(
            r"[/\\]", member.filename
        )
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise SeriesError(
                "UNSAFE_ARCHIVE", "The archive holds a link or a path that leads outside."
            )
