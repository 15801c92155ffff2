"""A table of reports to labels that join onto a manifest's rows by id."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError, ManifestError
from monai_ich.core.json_text import read_json
from monai_ich.io.output import write_whole
from monai_ich.learn.report_mentions import Decision
from monai_ich.learn.report_shift import ReportShift, find_shift
from monai_ich.learn.report_words import LANGUAGES
from monai_ich.learn.reports import ReportLabels, label_report
from monai_ich.manifest.manifest import Manifest

SCHEMA = "monai-ich/report-labels/1"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_TWICE_ENCODED = re.compile("Ã[\u0080-\u00bf]|â€|\ufffd")


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
        InputError: ``UNREADABLE_FILE``, ``MIXED_ENCODING``, ``MISSING_COLUMN``, ``NO_REPORTS``,
            ``BAD_ID``, ``REPORT_LANGUAGE``.
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
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    missing = {id_column, report_column} - set(table.fieldnames or ())
    if missing:
        message = (
            f"The table of reports needs the columns {id_column!r} and {report_column!r}, and "
            f"{' and '.join(map(repr, sorted(missing)))} is not in its first line."
        )
        raise InputError("MISSING_COLUMN", message)
    try:
        for row in table:
            yield (row[id_column] or "").strip(), row[report_column] or ""
    except csv.Error as error:  # a cell of more than 131,072 characters: a quote that never ends
        raise InputError(
            "UNREADABLE_FILE", "The table of reports is no CSV: a quote is not closed."
        ) from error


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
    """The language that most function words are of, English where none or as many are; of letters
    that are not Latin, "another alphabet".

    >>> language_of("Kein Nachweis einer Blutung."), language_of("Acute SDH.")
    ('German', 'English')
    """
    letters = [c for c in text if c.isalpha()]
    if sum(ord(c) > 0x24F for c in letters) > 0.2 * len(letters):
        return "another alphabet"
    words = re.findall(r"[^\W\d_]+", text.lower())
    counts = {name: sum(w in known.split() for w in words) for name, known in LANGUAGES.items()}
    return max(counts, key=lambda name: (counts[name], name == "English"))


def write_report_labels(path: Path, reports: tuple[LabeledReport, ...]) -> None:
    """Write ``labels.json``: a row a scan with what is known, and each decision with its place.

    It holds no text of a report but the words that the rules know.
    """
    record = {"schema": SCHEMA, "reports": [_row(report) for report in reports]}
    write_whole(path, json.dumps(record, indent=1) + "\n")


def _row(report: LabeledReport) -> dict[str, Any]:
    found = dict(report.labels.findings)
    other = found.pop("other")
    row: dict[str, Any] = {
        "id": report.id,
        "exam_labels": {name: value for name, value in found.items() if value is not None},
        "not_known": [name for name, value in found.items() if value is None],
        "other_pathology": other,
    }
    if report.shift is not None:
        row["shift_size_mm"] = report.shift.size_mm
        if report.shift.toward_right_mm is not None:
            row["midline_shift_mm"] = report.shift.toward_right_mm
    row["decisions"] = [_decision(d) for d in report.labels.decisions]
    return row


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "finding": decision.finding,
        "status": decision.status.name.lower(),
        "span": [decision.start, decision.end],
        "cue": decision.cue,
    }


def join_labels(manifest: Manifest, path: Path) -> tuple[Manifest, int]:
    """The manifest with exam labels and shifts of ``labels.json`` in rows of the same id.

    Labels that a row has stay: they come from a mask or from readers.

    Returns:
        The manifest, and how many of its rows got labels.

    Raises:
        ManifestError: ``NOT_JSON``; ``NO_CASES`` where no id is in both.
    """
    try:
        record = read_json(path)
        rows: dict[str, Mapping[str, Any]] = {row["id"]: row for row in record["reports"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            "NOT_JSON", "Labels of reports are what manifest reports has written, the file is none."
        ) from error
    cases = []
    for case in manifest.cases:
        row = rows.get(case.id, {})
        labels = {**row.get("exam_labels", {}), **(case.exam_labels or {})}
        shift = case.midline_shift_mm
        shift = row.get("midline_shift_mm") if shift is None else shift
        cases.append(replace(case, exam_labels=labels or None, midline_shift_mm=shift))
    count = sum(case.id in rows for case in manifest.cases)
    if not count:
        raise ManifestError(
            "NO_CASES", "No id of the reports is in the manifest: give both the same ids."
        )
    return replace(manifest, cases=tuple(cases)), count
