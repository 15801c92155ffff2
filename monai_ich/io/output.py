"""The output folder: all results appear together under their final names, or none does."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from monai_ich.core.errors import OutputError
from monai_ich.core.ownership import Locked, release_lock, take_lock
from monai_ich.core.scratch import (
    PARTIAL,
    Scratch,
    abandoned,
    is_on_the_way,
    sweep,
    sweep_temporary,
)
from monai_ich.io.publish import finish, publish, sync_file, sync_folder

_LOCK = ".monai-ich.lock"
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
    """Raise where `folder` holds earlier results and they may not be replaced, or cannot be.

    Raises:
        OutputError: ``OUTPUT_EXISTS``; ``OUTPUT_NOT_WRITABLE`` where a folder has the name of a
            result; as `settle`.
    """
    settle(folder)
    _refuse_earlier(folder, results, overwrite=overwrite)


def _refuse_earlier(folder: Path, results: tuple[str, ...], *, overwrite: bool) -> None:
    earlier = [name for name in results if os.path.lexists(folder / name)]
    if earlier and not overwrite:
        raise OutputError(
            "OUTPUT_EXISTS",
            f"The output folder holds earlier results ({earlier[0]}): choose another, or pass "
            "--overwrite.",
        )
    folders = [name for name in earlier if (folder / name).is_dir()]
    if folders:
        raise OutputError(
            "OUTPUT_NOT_WRITABLE",
            f"The output folder holds a folder named {folders[0]}: choose another.",
        )


def refuse_strangers(folder: Path, names: tuple[str, ...]) -> None:
    """Raise where `folder` holds files that results written now would contradict, and that would
    not be replaced.

    Raises:
        OutputError: ``OUTPUT_EXISTS``, with ``--overwrite`` too.
    """
    there = [name for name in names if os.path.lexists(folder / name)]
    if there:
        raise OutputError(
            "OUTPUT_EXISTS",
            f"The output folder holds {there[0]} of another run, which new numbers would "
            "contradict: choose another "
            "folder.",
        )


@contextmanager
def output_folder(folder: Path, *, results: tuple[str, ...], overwrite: bool) -> Iterator[Path]:
    """A scratch folder inside `folder`; on success its files take the place of earlier ones, else
    it vanishes.

    Old and new results never lie side by side, however the process ends (see `publish`). What
    killed processes left is swept first.

    Args:
        folder: where results go; made if missing.
        results: names that count as earlier results.
        overwrite: replace them; those that are not written anew are removed.

    Raises:
        OutputError: ``OUTPUT_EXISTS`` where earlier results are there, ``OUTPUT_BUSY`` where
            another run writes there, ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    refuse_earlier(folder, results, overwrite=overwrite)
    with made_folder(folder), _coded(folder), ExitStack() as stack:
        place = folder.resolve()
        stack.enter_context(_alone_in(place))
        _refuse_earlier(
            folder, results, overwrite=overwrite
        )  # another run may have ended meanwhile
        _sweep_around(place)
        sweep(place.parent)  # an exchange passes through there
        scratch = Scratch(place)
        yield stack.enter_context(scratch)
        publish(scratch, place, results=results, ours={_LOCK})


@contextmanager
def output_file(path: Path) -> Iterator[None]:
    """Writing one file: its folder is made, and what the disk refuses is an error with a code.

    Raises:
        OutputError: ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    with made_folder(path.parent), _coded(path.parent, errno.ENOENT, errno.EISDIR):
        _sweep_around(path.parent)
        yield


def refuse_unwritable(folder: Path) -> None:
    """Raise ``OUTPUT_NOT_WRITABLE`` early where `folder` cannot be made or written to."""
    with made_folder(folder), _coded(folder), Scratch(folder):
        pass


def settle(folder: Path) -> None:
    """Make results whole that a killed run was replacing: before anything in their folder is read
    or written.

    Raises:
        OutputError: ``OUTPUT_BUSY`` where a run is replacing them now; ``OUTPUT_NOT_WRITABLE``.
    """
    on_the_way = [base for base in folder.glob(f"{PARTIAL}*") if is_on_the_way(base)]
    if not on_the_way:
        return
    with _coded(folder), _alone_in(folder.resolve()) as place:
        for base in on_the_way:
            with abandoned(base) as owner:
                if owner is not None and is_on_the_way(base):
                    finish(base, place)
        sweep(place)


def _sweep_around(folder: Path) -> None:
    sweep(folder)
    sweep_temporary()


@contextmanager
def _alone_in(folder: Path) -> Iterator[Path]:
    """No other run writes into the folder meanwhile; the lock ends with the process, whatever ends
    it.
    """
    path = folder / _LOCK
    try:
        lock = take_lock(path)
    except Locked as error:
        who = f"process {error.owner.pid} on {error.owner.host}"
        message = (
            f"Another run writes into the output folder ({who}): wait for it, end it, or "
            "choose another folder."
        )
        raise OutputError("OUTPUT_BUSY", message) from None
    except FileNotFoundError:  # it went between two steps of ours
        raise OutputError(
            "OUTPUT_BUSY", "The output folder was removed by another run: try again."
        ) from None
    try:
        yield folder
    finally:
        release_lock(lock, path)


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """The folder is made where it is missing; what only we made and left empty goes in the end."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with _coded(folder, errno.ENOENT):
            folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for path in missing:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


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
    """A name to write to, which takes the place of `path` in the end; nothing is left of it where
    that fails.

    It lies in a scratch folder beside `path`, and the file gets the rights that the user's umask
    leaves.
    """
    with renamed_together(path) as (aside,):
        yield aside


def write_whole(path: Path, text: str) -> None:
    """Write a text file, aside first, then renamed."""
    with renamed(path) as aside:
        aside.write_text(text, encoding="utf-8")


@contextmanager
def renamed_together(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """The same for several files, of which none appears unless all could be written."""
    for path in paths:
        if path.is_dir():  # found out now, not when the others have their names
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with ExitStack() as stack:
        asides = tuple(stack.enter_context(Scratch(path.parent)) / path.name for path in paths)
        yield asides
        for aside in asides:
            sync_file(aside)
        for aside, path in zip(asides, paths, strict=True):
            aside.replace(path)
            sync_folder(path.parent)
