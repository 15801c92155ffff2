"""The scan of a row, read as import reads it, with refusals that fit a list of scans."""

from __future__ import annotations

import re
from pathlib import Path

from monai_ich.core.errors import IchError, ManifestError
from monai_ich.core.volume import CTVolume
from monai_ich.io.read import as_one_path, read_ct

_OPTION = re.compile(r"[,:;] [^,:;.]*--[a-z-]+[^,:;.]*")


def read_row_ct(image: tuple[Path, ...]) -> CTVolume:
    """One file, folder or zip, or the DICOM files of a series.

    Raises:
        IchError: as `read_ct`.
    """
    with as_one_path(image) as path:
        return read_ct(path).volume


def name_case(error: IchError, case: str, *, hint: str = "") -> ManifestError:
    """The same refusal, with the row that it is about and without the options that commands for one
    scan have.

    Args:
        error: of a scan or its labels.
        case: id of the row.
        hint: what else to do, after a semicolon.

    >>> told = IchError("MISSING_SLICES", "2 slices are missing: get them, or pass --lenient.")
    >>> name_case(told, "c1").message
    'Case c1: 2 slices are missing: get them.'
    """
    what = _OPTION.sub("", error.message)
    if hint:
        what = f"{what.removesuffix('.')}; {hint}."
    return ManifestError(error.code, f"Case {case}: {what}")
