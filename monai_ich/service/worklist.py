"""What the pages show of studies. Identity is joined here, for pages only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from monai_ich.service.places import ATTENTION, FOUND, POSSIBLE, band_of, shown_series
from monai_ich.service.states import FINISHED, Reading, State
from monai_ich.service.summary import Summary
from monai_ich.service.tables import identity, outbox, result, series, study, verdict

_WORDS = {
    State.RECEIVING: "images are arriving",
    State.SETTLED: "all images are here",
    State.QUEUED: "waits for analysis",
    State.ANALYZING: "being analyzed",
    State.ANALYZED: "analyzed",
    State.SENDING: "results on their way",
    State.SENT: "results sent",
    State.NOT_HEAD_CT: "no head CT",
    State.REFUSED: "refused",
    State.FAILED: "failed",
    State.EXPIRED: "expired",
}


@dataclass(frozen=True)
class Entry:
    """One series.

    Args:
        band: where it stands.
        state, reason: as in the table; `words` says both.
        summary: of the result that holds; None where there is none.
        reader: the same of masks that a reader drew, where that was the last verdict.
        result_id: of it.
        failed_objects: what an archive refused for good.
    """

    id: int
    case: int
    generation: int
    band: str
    state: str
    reason: str
    words: str
    reading: str
    images: int
    urgency: int
    received_at: float
    changed_at: float
    summary: Summary | None
    reader: Summary | None
    result_id: int | None
    folder: str
    failed_objects: int

    @property
    def numbers(self) -> Summary | None:
        """What counts: the reader's, else the network's."""
        return self.reader or self.summary


@dataclass(frozen=True)
class Study:
    """One line of the worklist: its most urgent series, and what else must not be overlooked."""

    case: int
    first: Entry
    others: tuple[Entry, ...]
    name: str = ""
    patient_id: str = ""
    accession: str = ""
    birth_date: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def read(self) -> Entry | None:
        """The most urgent series with a result, which a verdict is about; None where none has."""
        return next((e for e in (self.first, *self.others) if e.summary), None)


def read_studies(link: Connection, cases: Sequence[int], *, whole: bool = False) -> list[Study]:
    """These studies, in this order.

    Args:
        link: a transaction.
        cases: which.
        whole: with series that were left aside for a better one.
    """
    said = verdict.alias()
    last = (
        sa.select(sa.func.max(said.c.id)).where(said.c.result_id == result.c.id).scalar_subquery()
    )
    failed = (
        sa.select(sa.func.count())
        .where(outbox.c.result_id == result.c.id, outbox.c.state == "failed")
        .scalar_subquery()
    )
    query = (
        sa.select(
            series,
            result.c.id.label("result_id"),
            result.c.summary,
            result.c.folder,
            verdict.c.summary.label("reader_summary"),
            failed.label("failed_objects"),
            identity.c.name,
            identity.c.patient_id,
            identity.c.accession,
            identity.c.birth_date,
        )
        .join(study, study.c.id == series.c.study_id)
        .outerjoin(
            result,
            sa.and_(result.c.series_id == series.c.id, result.c.superseded_at.is_(None)),
        )
        .outerjoin(verdict, verdict.c.id == last)
        .outerjoin(identity, identity.c.study_id == study.c.id)
        .where(study.c.id.in_(cases))
    )
    by_case: dict[int, list[Row[Any]]] = {}
    for row in link.execute(query):
        by_case.setdefault(row.study_id, []).append(row)
    found = (_study(by_case[case], whole=whole) for case in cases if case in by_case)
    return [one for one in found if one is not None]


def _study(rows: list[Row[Any]], *, whole: bool) -> Study | None:
    shown = shown_series([_entry(row) for row in rows], whole=whole)
    if not shown:
        return None
    first, *others = shown
    loud = (FOUND, ATTENTION, POSSIBLE)
    notes = [
        f"another series: {e.numbers.headline if e.numbers else e.words}"
        for e in others
        if e.band in loud
    ]
    if first.failed_objects:
        notes.append(f"{first.failed_objects} objects not accepted by an archive")
    row = rows[0]
    return Study(
        first.case,
        first,
        tuple(others),
        name=", ".join(part for part in (row.name or "").split("^") if part),
        patient_id=row.patient_id or "",
        accession=row.accession or "",
        birth_date=row.birth_date or "",
        notes=tuple(notes),
    )


def _entry(row: Row[Any]) -> Entry:
    state = State(row.state)
    summary = Summary.from_json(row.summary) if row.summary and state in FINISHED else None
    drawn = summary is not None and row.reader_summary
    words = _WORDS[state] + (f" ({row.reason})" if row.reason else "")
    return Entry(
        id=row.id,
        case=row.study_id,
        generation=row.generation,
        band=band_of(state, row.urgency),
        state=state.value,
        reason=row.reason,
        words=words,
        reading=Reading(row.reading).value,
        images=row.images,
        urgency=row.urgency if summary else 0,
        received_at=row.received_at,
        changed_at=row.changed_at,
        summary=summary,
        reader=Summary.from_json(row.reader_summary) if drawn else None,
        result_id=row.result_id if summary else None,
        folder=row.folder or "",
        failed_objects=row.failed_objects if row.result_id else 0,
    )


def read_verdicts(link: Connection, series_id: int) -> list[Row[Any]]:
    """All that was said of a series, newest first, of superseded results too."""
    query = (
        sa.select(verdict, result.c.generation)
        .join(result, result.c.id == verdict.c.result_id)
        .where(result.c.series_id == series_id)
        .order_by(verdict.c.id.desc())
    )
    return list(link.execute(query))
