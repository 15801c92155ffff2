"""What was found in an input, what was taken and why, for people at the scanner: numbers, no
identifiers.

A series is called by its number in the list (1 is the best) and by the number that the scanner gave
it. UIDs and the patient's ID appear where the user asks for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.dicom.ranking import Candidate
from monai_ich.dicom.survey import Survey, survey
from monai_ich.io.identity import read_identity
from monai_ich.io.quiet import quiet
from monai_ich.io.read import Scan

SCHEMA = "monai-ich/import/1"


def list_lines(looked: Survey, *, series: str | None = None, keep_ids: bool = False) -> list[str]:
    """The list as text, one line for each series and one for the decision.

    Args:
        looked: the series.
        series: the one asked for, by number or UID.
        keep_ids: add UIDs.
    """
    lines = [_line(n, c, keep_ids) for n, c in enumerate(looked.candidates, start=1)]
    try:
        taken = looked.choose(series)
    except IchError as error:
        way_out = "; choose with --series NUMBER" if "AMBIG" in error.code else ""
        return [*lines, f"none is taken: {error.code}{way_out}"]
    return [*lines, f"taken: {looked.candidates.index(taken) + 1}, {_why(looked, series)}"]


def _line(number: int, c: Candidate, keep_ids: bool) -> str:
    state = f"refused, {c.refused}" if c.refused else "can be taken"
    scanner = _scanner_number(c)
    called = f"{number:>3}  " + ("" if scanner is None else f"scanner's series {scanner}, ")
    line = f"{called}{len(c.instances)} images, {state}: {'; '.join(c.reasons)}"
    return f"{line} (uid {c.series_uid})" if keep_ids else line


def _why(looked: Survey, series: str | None) -> str:
    if series is not None:
        return "asked for"
    usable = sum(c.refused is None for c in looked.candidates)
    return (
        "the only one that can be taken"
        if usable == 1
        else f"the best of {usable} that can be taken"
    )


def _rows(looked: Survey, taken: Candidate | None, *, keep_ids: bool) -> list[dict[str, Any]]:
    """One record for each series."""
    rows: list[dict[str, Any]] = []
    for number, c in enumerate(looked.candidates, start=1):
        state = "refused" if c.refused else "not taken"
        row = {
            "number": number,
            "scanner_number": _scanner_number(c),
            "images": len(c.instances),
            "decision": "taken" if c is taken else state,
            "code": c.refused,
            "reasons": list(c.reasons),
        }
        rows.append(row | (read_identity(c.instances[0].path).as_columns() if keep_ids else {}))
    return rows


def import_report(
    path: Path,
    outcome: Scan | IchError,
    *,
    series: str | None = None,
    keep_ids: bool = False,
    written: Geometry | None = None,
) -> dict[str, Any]:
    """What was decided and why, as a record for JSON, for a success and for a refusal alike.

    Args:
        path: the input; looked at again only where nothing was read.
        outcome: what was read, or why nothing was.
        series: what the user asked for, and what was read.
        keep_ids: add patient ID and UIDs.
        written: the grid of the file, where it is not the scan's own.
    """
    record: dict[str, Any] = {"schema": SCHEMA}
    taken: Candidate | None = None
    if isinstance(outcome, Scan):
        record |= {"decision": "taken", **_image(outcome, written)}
        if outcome.survey is None:
            return record | {"why": "a NIfTI file, taken as it is", "series": []}
        looked = outcome.survey
        taken = looked.choose(series)
        record |= {"taken": looked.candidates.index(taken) + 1, "why": _why(looked, series)}
    else:
        record |= {"decision": "refused", "code": outcome.code, "why": outcome.message}
        try:
            looked = survey(path)
        except IchError:
            return record | {"series": []}
    files = {
        "not_dicom": looked.found.others,
        "damaged": len(looked.found.damaged) + looked.found.unreadable,
        "links": looked.found.links,
    }
    return record | {"series": _rows(looked, taken, keep_ids=keep_ids), "files": files}


def _image(scan: Scan, written: Geometry | None) -> dict[str, Any]:
    own = scan.volume.geometry
    record: dict[str, Any] = {
        "image": _grid(written or own),
        "warnings": [{"code": w.code, "message": w.message} for w in scan.warnings],
        "slab_widths_mm": list(scan.volume.slab_widths_mm or ()),
    }
    return record if written is None else record | {"resampled_from": _grid(own)}


def _grid(geometry: Geometry) -> dict[str, Any]:
    return {
        "shape": list(geometry.shape),
        "spacing_mm": [round(s, 4) for s in geometry.spacing_mm],
        "tilt_deg": round(geometry.tilt_deg, 2),
        "affine_ras_mm": [[round(v, 6) for v in row] for row in geometry.affine.tolist()],
    }


def _scanner_number(candidate: Candidate) -> int | None:
    """SeriesNumber, as the console shows it; None where it is missing or no number."""
    try:
        with quiet("pydicom"):
            path = candidate.instances[0].path
            header = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=["SeriesNumber"], force=True
            )
            return int(header.SeriesNumber)
    except Exception:  # it is only a name for people; a broken header has been judged elsewhere
        return None
