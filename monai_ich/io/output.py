"""The output folder: all results appear together under their final names, or none does."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai_ich.core.errors import OutputError

_REASONS = {
    errno.ENOSPC: ("DISK_FULL", "has no space left"),
    errno.EDQUOT: ("DISK_FULL", "has no space left"),
    errno.ENOTDIR: ("OUTPUT_NOT_WRITABLE", "is not a folder"),
    errno.EEXIST: ("OUTPUT_NOT_WRITABLE", "is a file, not a folder"),
}


@contextmanager
def output_folder(folder: Path, *, results: tuple[str, ...], overwrite: bool) -> Iterator[Path]:
    """A scratch folder beside `folder`; on success its files move into `folder`, on any error it vanishes.

    Args:
        folder: where results go; made if missing.
        results: names that count as earlier results.
        overwrite: replace them.

    Raises:
        OutputError: ``OUTPUT_EXISTS`` where earlier results are there, ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    earlier = [name for name in results if (folder / name).exists()]
    if earlier and not overwrite:
        raise OutputError(
            "OUTPUT_EXISTS",
            f"The output folder {folder} holds earlier results ({earlier[0]}): choose another, or pass --overwrite.",
        )
    made, scratch = not folder.exists(), None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        yield scratch
        for path in sorted(scratch.iterdir()):
            os.replace(path, folder / path.name)
        for name in earlier:
            if (folder / name).exists() and name not in os.listdir(folder):
                (folder / name).unlink()
    except OSError as error:
        if error.errno not in (*_REASONS, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        code, what = _REASONS.get(error.errno or 0, ("OUTPUT_NOT_WRITABLE", "cannot be written to"))
        raise OutputError(code, f"The output folder {folder} {what}: choose another.") from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
            if made and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
