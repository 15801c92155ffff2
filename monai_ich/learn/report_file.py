"""Labels of reports as a file, and how they join onto a manifest's rows by id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai_ich.core.errors import ManifestError
from monai_ich.core.json_text import read_json
from monai_ich.io.output import write_whole
from monai_ich.learn.report_mentions import Decision
from monai_ich.learn.report_table import LabeledReport
from monai_ich.manifest.labels import FINDINGS, contradict
from monai_ich.manifest.manifest import Manifest

SCHEMA = "monai-ich/report-labels/1"


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


@dataclass(frozen=True)
class Joined:
    """A manifest with labels of reports.

    Args:
        manifest: the rows, labeled where a report says something.
        labeled: rows that got labels or a shift.
        open: rows whose report leaves all open.
        strangers: reports without a row.
        faults: ``CONTRADICTORY_LABELS`` of rows whose own labels a report contradicts.
    """

    manifest: Manifest
    labeled: int
    open: int
    strangers: int
    faults: tuple[ManifestError, ...]


def join_labels(manifest: Manifest, path: Path) -> Joined:
    """Give rows the exam labels and the shift of the report with their id in ``labels.json``.

    Labels that a row has stay: they come from a mask or from readers. Of a report that contradicts
    them nothing is taken.

    Raises:
        ManifestError: ``MISSING_FILE``, ``NOT_JSON``, ``SCHEMA_VIOLATION``, ``DUPLICATE_ID``;
            ``NO_CASES`` where no id is in both.
    """
    rows = _read_labels(path)
    ids = {case.id for case in manifest.cases}
    if not ids & set(rows):
        raise ManifestError(
            "NO_CASES", "No id of the reports is in the manifest: give both the same ids."
        )
    cases, faults, labeled, left_open = [], [], 0, 0
    for case in manifest.cases:
        row = rows.get(case.id, {})
        labels = {**row.get("exam_labels", {}), **(case.exam_labels or {})}
        shift = case.midline_shift_mm
        shift = row.get("midline_shift_mm") if shift is None else shift
        joined = replace(case, exam_labels=labels or None, midline_shift_mm=shift)
        if row and contradict(labels):
            message = f"Case {case.id}: its report contradicts the labels that the row has."
            faults.append(ManifestError("CONTRADICTORY_LABELS", message))
            joined = case
        elif row:
            labeled, left_open = labeled + (joined != case), left_open + (joined == case)
        cases.append(joined)
    whole = replace(manifest, cases=tuple(cases))
    return Joined(whole, labeled, left_open, len(set(rows) - ids), tuple(faults))


def _read_labels(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        record = read_json(path)
    except OSError as error:
        message = "The labels of reports cannot be read: check the path given."
        raise ManifestError("MISSING_FILE", message) from error
    except ValueError as error:
        raise ManifestError("NOT_JSON", "Labels of reports are JSON, the file is none.") from error
    if not isinstance(record, dict):
        message = "Labels of reports are a JSON object, the file holds something else."
        raise ManifestError("NOT_JSON", message)
    rows = record.get("reports")
    if record.get("schema") != SCHEMA or not isinstance(rows, list) or not all(map(_is_row, rows)):
        message = "Labels of reports are what manifest reports has written, the file is not."
        raise ManifestError("SCHEMA_VIOLATION", message)
    found = {row["id"]: row for row in rows}
    if len(found) < len(rows):
        raise ManifestError("DUPLICATE_ID", "The labels of reports hold an id twice.")
    return found


def _is_row(row: object) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        return False
    labels, shift = row.get("exam_labels"), row.get("midline_shift_mm", 0.0)
    return (
        isinstance(labels, dict)
        and all(k in FINDINGS and v in (0, 1) for k, v in labels.items())
        and isinstance(shift, int | float)
    )
