"""Names of cases that come from names of files and folders: many archives name these after patients
or records.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What can hardly be a name, a date or a record number: a common word and a number of at most three
# digits.
_HARMLESS = re.compile(
    r"((case|scan|head|sub|series|exam|ct|img|image)[-_]?)?\d{1,3}", re.IGNORECASE
)
_RECORD = re.compile(r"\d{4}")


def may_be_record(name: str) -> bool:
    """Whether four digits stand in a row: a record number, a date or a year.

    >>> may_be_record("00001234"), may_be_record("seen_1987"), may_be_record("case_012")
    (True, True, False)
    """
    return _RECORD.search(name) is not None


def case_name(folder: str) -> str:
    """The case that an output folder is for, where the user gave it no name.

    >>> case_name("monday_2"), case_name("00001234")
    ('monday_2', 'case')
    """
    return "case" if may_be_record(folder) or not folder or not is_text(folder) else folder


def is_text(name: str) -> bool:
    """Whether a name of a file is text in UTF-8, as tables and reports hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def case_names(names: Sequence[str]) -> list[str]:
    """The names themselves where all are harmless and different, else numbers in their order.

    >>> case_names(["case_1", "ct12"]), case_names(["DOE_JANE", "1987"])
    (['case_1', 'ct12'], ['case_001', 'case_002'])
    """
    if len(set(names)) == len(names) and all(_HARMLESS.fullmatch(name) for name in names):
        return list(names)
    return numbered(len(names))


def numbered(count: int, word: str = "case") -> list[str]:
    """As many names as are wanted.

    >>> numbered(2, "patient")
    ['patient_001', 'patient_002']
    """
    return [f"{word}_{number:03d}" for number in range(1, count + 1)]
