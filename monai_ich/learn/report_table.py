"""A table of reports (CSV) to labels."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monai_ich.core.errors import InputError, ManifestError
from monai_ich.learn.report_shift import ReportShift, find_shift
from monai_ich.learn.report_words import LANGUAGES
from monai_ich.learn.reports import ReportLabels, label_report

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_TWICE_ENCODED = re.compile("Ã[\u0080-\u00bf]|â€|\ufffd")
_LONGEST = 10_000_000  # characters of a cell


@dataclass(frozen=True)
class LabeledReport:
    """A row.

    Args:
        id: of the scan, as a manifest has it.
        labels: what the report says.
        shift: midline shift; None where none is told.
    """

    id: str
    labels: ReportLabels
    shift: ReportShift | None


def read_reports(
    path: Path, *, id_column: str = "id", report_column: str = "report"
) -> tuple[LabeledReport, ...]:
    """Read and label a CSV (comma, semicolon or tab; UTF-8) with a row for each scan.

    Raises:
        InputError: ``UNREADABLE_FILE``, ``MIXED_ENCODING``, ``MISSING_COLUMN``,
            ``DUPLICATE_COLUMN``, ``CELL_COUNT``, ``NO_REPORTS``, ``BAD_ID``, ``REPORT_LANGUAGE``.
        ManifestError: ``DUPLICATE_ID``.
    """
    found: dict[str, LabeledReport] = {}
    for number, (name, report) in enumerate(_rows(path, id_column, report_column), 1):
        if not _ID.fullmatch(name):
            raise InputError(
                "BAD_ID",
                f"Row {number} needs the id of a manifest's row: at most 80 letters, digits, dots, "
                "underscores and hyphens.",
            )
        if name in found:
            raise ManifestError(
                "DUPLICATE_ID", f"Row {number} repeats an id: put a scan's reports into one row."
            )
        language = language_of(report)
        if language != "English":
            message = f"Row {number} is not in English ({language}): only English reports are read."
            raise InputError("REPORT_LANGUAGE", message)
        labels = label_report(report)
        found[name] = LabeledReport(name, labels, find_shift(report, labels))
    if not found:
        raise InputError("NO_REPORTS", "The table of reports has no row below its header.")
    return tuple(found.values())


def _rows(path: Path, id_column: str, report_column: str) -> Iterator[tuple[str, str]]:
    text = _text(path)
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    rows = _cells(text, delimiter)
    header = next(rows, [])
    for column in (id_column, report_column):
        if header.count(column) != 1:
            raise InputError(
                "DUPLICATE_COLUMN" if column in header else "MISSING_COLUMN",
                f"The table of reports needs one column {column!r}, and its first line has "
                f"{header.count(column) or 'none'}.",
            )
    places = header.index(id_column), header.index(report_column)
    for number, cells in enumerate(filter(None, rows), 1):  # an empty line is no row
        if len(cells) != len(header):
            raise InputError(
                "CELL_COUNT",
                f"Row {number} of the table of reports has {len(cells)} cells, its first line "
                f"{len(header)}: put reports into quotes where they hold {delimiter!r}.",
            )
        yield cells[places[0]].strip(), cells[places[1]]


def _cells(text: str, delimiter: str) -> Iterator[list[str]]:
    limit = csv.field_size_limit(_LONGEST)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise InputError(
            "UNREADABLE_FILE",
            "The table of reports is no CSV: a quote is not closed, or stands alone inside of a "
            "report, where it must be doubled.",
        ) from error
    finally:
        csv.field_size_limit(limit)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            "UNREADABLE_FILE", "The table of reports cannot be read: check the path given."
        ) from error
    is_utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = raw.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"Line {line} of the table of reports is not UTF-8: save all of it as CSV UTF-8."
        raise InputError("MIXED_ENCODING", message) from error
    broken = _TWICE_ENCODED.search(text)
    if broken or "\0" in text:
        line = text[: broken.start() if broken else text.index("\0")].count("\n") + 1
        message = (
            f"Line {line} of the table of reports has letters that were encoded twice or lost: "
            "export the reports again, as UTF-8."
        )
        raise InputError("MIXED_ENCODING", message)
    return text


def language_of(text: str) -> str:
    """The language that most function words are of, English where as many or one fewer are (names
    hold words of other languages); of letters that are not Latin, "another alphabet".

    >>> language_of("Kein Nachweis einer Blutung."), language_of("Acute SDH.")
    ('German', 'English')
    """
    letters = [c for c in text if c.isalpha()]
    if sum(ord(c) > 0x24F for c in letters) > 0.2 * len(letters):
        return "another alphabet"
    words = re.findall(r"[^\W\d_]+", text.lower())
    counts = {name: sum(w in known.split() for w in words) for name, known in LANGUAGES.items()}
    counts["English"] += 1
    return max(counts, key=lambda name: (counts[name], name == "English"))
