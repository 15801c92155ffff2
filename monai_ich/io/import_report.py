"""What was found in an input, what was taken and why, for people at the scanner: numbers, no identifiers.

A series is called by its number in the list (1 is the best) and by the number that the scanner gave it. UIDs and the
patient's ID appear where the user asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from monai_ich.core.errors import IchError, SeriesError
from monai_ich.core.geometry import Geometry
from monai_ich.io.dicom_archive import Root, open_root
from monai_ich.io.dicom_discovery import Found, find_instances
from monai_ich.io.dicom_ranking import Candidate, choose_series, rank_series
from monai_ich.io.identity import read_identity
from monai_ich.io.quiet import quiet
from monai_ich.io.read import Scan

SCHEMA = "monai-ich/import/1"


@dataclass(frozen=True, eq=False)
class Survey:
    """Every series of an input, best first; what cannot be taken last.

    Args:
        candidates: numbered from 1 in this order.
        found: the files behind them.
        root: keeps an unpacked archive on disk.
    """

    candidates: tuple[Candidate, ...]
    found: Found
    root: Root

    def named(self, name: str) -> str:
        """The SeriesInstanceUID that ``--series`` means: a number of the list, or already a UID.

        Raises:
            SeriesError: ``NO_CT_SERIES`` for a number that is not in the list, the candidate's own code where it is
                refused, ``AMBIGUOUS_SERIES`` where one series holds several volumes that could be taken.
        """
        if not _is_number(name):
            return name
        if not 1 <= int(name) <= len(self.candidates):
            raise SeriesError("NO_CT_SERIES", f"The list has {len(self.candidates)} series, no number {name}.")
        chosen = self.candidates[int(name) - 1]
        if chosen.refused:
            raise SeriesError(chosen.refused, f"Series {name} cannot be taken: {chosen.reasons[0]}.")
        parts = [c for c in self.candidates if c.series_uid == chosen.series_uid and c.refused is None]
        if len(parts) > 1:
            raise SeriesError("AMBIGUOUS_SERIES", f"Series {name} holds {len(parts)} volumes: store them separately.")
        return chosen.series_uid

    def choice(self, series: str | None) -> tuple[Candidate | None, str]:
        """The series that would be taken and why, or None and the code of the refusal."""
        try:
            uid = None if series is None else self.named(series)
            chosen = choose_series(list(self.candidates), self.found, series_uid=uid)
        except IchError as error:
            return None, error.code
        usable = sum(c.refused is None for c in self.candidates)
        why = "the only one that can be taken" if usable == 1 else f"the best of {usable} that can be taken"
        return chosen, "asked for" if series is not None else why

    def lines(self, *, series: str | None = None, keep_ids: bool = False) -> list[str]:
        """The list as text, one line for each series and one for the decision."""
        chosen, why = self.choice(series)
        lines = [self._line(n, c, keep_ids) for n, c in enumerate(self.candidates, start=1)]
        if chosen is None:
            return [*lines, f"none is taken: {why}" + ("; choose with --series NUMBER" if "AMBIG" in why else "")]
        return [*lines, f"taken: {self.candidates.index(chosen) + 1}, {why}"]

    def _line(self, number: int, c: Candidate, keep_ids: bool) -> str:
        state = f"refused, {c.refused}" if c.refused else "can be taken"
        scanner = _scanner_number(c)
        called = f"{number:>3}  " + ("" if scanner is None else f"scanner's series {scanner}, ")
        line = f"{called}{len(c.instances)} images, {state}: {'; '.join(c.reasons)}"
        return f"{line} (uid {c.series_uid})" if keep_ids else line

    def rows(self, taken: Candidate | None, *, keep_ids: bool) -> list[dict[str, Any]]:
        """One record for each series."""
        rows: list[dict[str, Any]] = []
        for number, c in enumerate(self.candidates, start=1):
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


def survey(path: str | Path) -> Survey:
    """Look at every series, decode none.

    Raises:
        InputError: ``INPUT_NOT_FOUND``.
        SeriesError: ``UNSAFE_ARCHIVE``.
    """
    root = open_root(Path(path))
    found = find_instances(root.path)
    return Survey(tuple(rank_series(found)), found, root)


def series_uid(path: str | Path, name: str | None) -> str | None:
    """The UID that ``--series`` means; the input is looked at only where `name` is a number.

    Raises:
        IchError: as `survey` and `Survey.named`.
    """
    return survey(path).named(name) if name is not None and _is_number(name) else name


def import_report(
    path: str | Path,
    outcome: Scan | IchError,
    *,
    series: str | None = None,
    keep_ids: bool = False,
    written: Geometry | None = None,
) -> dict[str, Any]:
    """What was decided and why, as a record for JSON, for a success and for a refusal alike.

    Args:
        path: the input.
        outcome: what was read, or why nothing was.
        series: what the user asked for.
        keep_ids: add patient ID and UIDs.
        written: the grid of the file, where it is not the scan's own.
    """
    record: dict[str, Any] = {"schema": SCHEMA, "decision": "refused" if isinstance(outcome, IchError) else "taken"}
    if isinstance(outcome, IchError):
        record |= {"code": outcome.code, "why": outcome.message}
    else:
        record |= _image(outcome, written)
    if isinstance(outcome, Scan) and outcome.source is None:
        return record | {"why": "a NIfTI file, taken as it is", "series": []}
    try:
        looked = survey(path)
    except IchError:
        return record | {"series": []}
    taken = _taken(looked, outcome) if isinstance(outcome, Scan) else None
    if taken is not None:
        record["taken"] = looked.candidates.index(taken) + 1
        record["why"] = looked.choice(series)[1]
    files = {"not_dicom": looked.found.others, "damaged": len(looked.found.damaged) + looked.found.unreadable}
    return record | {"series": looked.rows(taken, keep_ids=keep_ids), "files": files}


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


def _taken(looked: Survey, scan: Scan) -> Candidate | None:
    images = set(scan.source.sop_uids) if scan.source else set()
    return next((c for c in looked.candidates if images <= {i.sop_uid for i in c.instances}), None)


def _scanner_number(candidate: Candidate) -> int | None:
    """SeriesNumber, as the console shows it; None where it is missing or no number."""
    try:
        with quiet("pydicom"):
            path = candidate.instances[0].path
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesNumber"], force=True)
            return int(header.SeriesNumber)
    except Exception:  # it is only a name for people; a broken header has been judged elsewhere
        return None


def _is_number(name: str) -> bool:
    return name.isdecimal() and len(name) < 5
