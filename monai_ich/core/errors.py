"""Errors of the toolkit: one sentence each, with a stable code.

IchError
├── InputError       the path given is not something the toolkit reads (or its values are not HU)
├── SeriesError      a DICOM series that is refused (codes: the table in dicom/series.py)
├── GeometryError    a grid that cannot exist, or grids that differ
├── LabelError       a label value without a meaning
├── ManifestError    a manifest that breaks its schema
├── BundleError      a bundle that is missing or broken
├── TrainingError    a training that cannot go on
├── OutputError      the output folder cannot be written or holds earlier results
├── TrackingError    an MLflow store that does not answer or fails
├── SendError        an archive that does not answer or does not accept
└── ServiceError     the service cannot start or go on as it is set up
"""

from __future__ import annotations

import errno
import traceback
from pathlib import Path


def is_failure(error: BaseException) -> bool:
    """Whether something went wrong, as against a request to stop; a panic of a library in Rust is
    no `Exception`.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


class IchError(Exception):
    """The input was refused.

    Args:
        code: stable upper-case code that scripts may rely on, for example ``"NO_DICOM"``.
        message: one sentence: what was required, what was found, where, what to do. Never patient
            data.
        exit_code: what the command line exits with: 3 refused input, 2 wrong usage.
    """

    def __init__(self, code: str, message: str, *, exit_code: int = 3) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InputError(IchError):
    """The path given is not something the toolkit reads."""


class SeriesError(IchError):
    """A DICOM series that is refused."""


class GeometryError(IchError):
    """A grid that cannot exist, or two grids that should be one."""


class LabelError(IchError):
    """A label value without a meaning."""


class ManifestError(IchError):
    """A manifest that breaks its schema."""


class BundleError(IchError):
    """A MONAI bundle that is missing or broken."""


class TrainingError(IchError):
    """A training that cannot go on."""


class OutputError(IchError):
    """The output folder cannot be written, or holds earlier results."""


class TrackingError(IchError):
    """An MLflow store that does not answer, or fails."""


class SendError(IchError):
    """An archive that does not answer, or does not accept."""


class ServiceError(IchError):
    """The service cannot start or go on as it is set up."""


_DISK = {
    errno.ENAMETOOLONG: (
        "NAME_TOO_LONG",
        "A name is longer than the disk allows: choose a shorter one.",
    ),
    errno.ENOSPC: (
        "DISK_FULL",
        "A disk has no space left, the temporary folder's perhaps: free some, or set TMPDIR.",
    ),
    errno.EDQUOT: ("DISK_FULL", "The space that you may use on a disk is full: free some."),
    errno.EACCES: (
        "NOT_ALLOWED",
        "A file or folder may not be read or written: look at its rights.",
    ),
    errno.EPERM: (
        "NOT_ALLOWED",
        "A file or folder may not be read or written: look at its rights.",
    ),
    errno.EROFS: ("NOT_ALLOWED", "A disk is read-only: choose another folder, or set TMPDIR."),
    errno.ELOOP: ("NOT_ALLOWED", "Links lead to themselves: give the folder itself."),
    errno.EIO: ("DISK_FAILED", "A disk failed to read or write: look at it before you go on."),
}


def fault_of_ours(error: BaseException) -> IchError:
    """What is said of an exception that nobody foresaw: its kind and place, never its text, which
    may hold a header.

    What a disk refuses is none of ours and has a code of its own.
    """
    if isinstance(error, OSError) and error.errno in _DISK:
        return IchError(*_DISK[error.errno])
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}, line {frame.lineno}"
    return IchError(
        "INTERNAL_ERROR", f"A fault of ours: {type(error).__name__} in {where}.", exit_code=1
    )
