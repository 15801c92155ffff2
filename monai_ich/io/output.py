"""The output folder: all results appear together under their final names, or none does."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai_ich.core.errors import OutputError

_REASONS = {
    errno.ENOSPC: ("DISK_FULL", "has no space left"),
    errno.EDQUOT: ("DISK_FULL", "has no space left"),
    errno.ENOTDIR: ("OUTPUT_NOT_WRITABLE", "is not a folder"),
    errno.EEXIST: ("OUTPUT_NOT_WRITABLE", "is a file, not a folder"),
    errno.EACCES: ("OUTPUT_NOT_WRITABLE", "cannot be written to"),
    errno.EPERM: ("OUTPUT_NOT_WRITABLE", "cannot be written to"),
    errno.EROFS: ("OUTPUT_NOT_WRITABLE", "is on a read-only disk"),
}


def refuse_earlier(folder: Path, results: tuple[str, ...], *, overwrite: bool) -> None:
    """Raise ``OUTPUT_EXISTS`` where `folder` holds earlier results and they may not be replaced."""
    earlier = [name for name in results if (folder / name).exists()]
    if earlier and not overwrite:
        raise OutputError(
            "OUTPUT_EXISTS",
            f"The output folder holds earlier results ({earlier[0]}): choose another, or pass --overwrite.",
        )


@contextmanager
def output_folder(folder: Path, *, results: tuple[str, ...], overwrite: bool) -> Iterator[Path]:
    """A scratch folder inside `folder`; on success its files move into `folder`, on any error it vanishes.

    Args:
        folder: where results go; made if missing.
        results: names that count as earlier results.
        overwrite: replace them; those that are not written anew are removed.

    Raises:
        OutputError: ``OUTPUT_EXISTS`` where earlier results are there, ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    refuse_earlier(folder, results, overwrite=overwrite)
    parents = _missing_parents(folder)
    scratch: Path | None = None
    try:
        with _coded(folder, errno.ENOENT):
            folder.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        with _coded(folder):
            yield scratch
            made = sorted(scratch.iterdir())
            for path in made:
                path.replace(folder / path.name)
            for name in set(results) - {path.name for path in made}:  # an earlier run's would pass for this one's
                (folder / name).unlink(missing_ok=True)
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        for parent in parents:  # an empty folder that only we made goes too
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


@contextmanager
def output_file(path: Path) -> Iterator[None]:
    """Writing one file: its folder is made, and what the disk refuses is an error with a code.

    Raises:
        OutputError: ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    with _coded(path.parent, errno.ENOENT, errno.EISDIR):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield


def refuse_unwritable(folder: Path) -> None:
    """Raise ``OUTPUT_NOT_WRITABLE`` early where `folder` cannot be made or written to."""
    with output_folder(folder, results=(), overwrite=True):
        pass


def _missing_parents(folder: Path) -> list[Path]:
    """The folders that making `folder` would make, innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


@contextmanager
def _coded(folder: Path, *also: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (*_REASONS, *also):
            raise
        code, what = _REASONS.get(error.errno or 0, _REASONS[errno.EACCES])
        raise OutputError(code, f"The output folder {what}: choose another.") from error


@contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which takes its place in the end; nothing is left of it where that fails.

    No other process or thread has that name, and the file gets the rights that the user's umask leaves.
    """
    aside = path.with_name(f".partial-{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
