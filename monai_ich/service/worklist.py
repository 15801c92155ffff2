"""What the pages show of studies: bands, order, words. Identity is joined here, for pages only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from monai_ich.core.presence import Presence
from monai_ich.service.states import (
    BETTER_SERIES,
    FINISHED,
    OWN_RESULT,
    WAITING,
    Reading,
    State,
)
from monai_ich.service.summary import Summary
from monai_ich.service.tables import identity, outbox, result, series, study, verdict

ATTENTION, FOUND, POSSIBLE, NEGATIVE, OTHER = "attention", "found", "possible", "negative", "other"
BANDS = {  # in the order of the page
    ATTENTION: "Without a result: refused, failed, or not yet analyzed",
    FOUND: "Hemorrhage found",
    POSSIBLE: "Hemorrhage possible",
    NEGATIVE: "No hemorrhage found",
    OTHER: "No head CT, or expired",
}
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
_BY_PRESENCE = {
    Presence.FOUND.value: FOUND,
    Presence.POSSIBLE.value: POSSIBLE,
    Presence.NOT_FOUND.value: NEGATIVE,
}


@dataclass(frozen=True)
class Entry:
    """One series.

    Args:
        band: where it stands.
        state, reason: as in the table; `words` says both.
        summary: of the result that holds; None where there is none.
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
    result_id: int | None
    folder: str
    failed_objects: int


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


def read_studies(link: Connection, case: int | None = None) -> list[Study]:
    """Every study, most urgent first within its band.

    Args:
        link: a transaction.
        case: only this one; its series are all there then.
    """
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
        .outerjoin(identity, identity.c.study_id == study.c.id)
        .order_by(series.c.received_at.desc())
    )
    if case is not None:
        query = query.where(study.c.id == case)
    by_case: dict[int, list[Row[Any]]] = {}
    for row in link.execute(query):
        by_case.setdefault(row.study_id, []).append(row)
    found = [_study(rows, whole=case is not None) for rows in by_case.values()]
    order = list(BANDS)
    return sorted(
        (s for s in found if s is not None),
        key=lambda s: (
            order.index(s.first.band),
            s.first.urgency,
            -_volume(s),
            -s.first.received_at,
        ),
    )


def _volume(one: Study) -> float:
    return one.first.summary.total_ml if one.first.summary else 0.0


def _study(rows: list[Row[Any]], *, whole: bool) -> Study | None:
    entries = [_entry(row) for row in rows if row.reason != OWN_RESULT]
    shown = [e for e in entries if whole or e.reason != BETTER_SERIES] or entries
    if not shown:
        return None
    # blood first, then what nobody has looked at, then the rest: a study is never calmer than that
    rank = [FOUND, ATTENTION, POSSIBLE, NEGATIVE, OTHER]
    shown.sort(key=lambda e: (rank.index(e.band), e.urgency, e.received_at))
    first, *others = shown
    loud = (FOUND, ATTENTION, POSSIBLE)
    notes = [
        f"another series: {e.summary.headline if e.summary else e.words}"
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
    band = OTHER
    if state in WAITING or state in (State.REFUSED, State.FAILED):
        band = ATTENTION
    elif summary is not None:
        band = _BY_PRESENCE[summary.presence]
    words = _WORDS[state] + (f" ({row.reason})" if row.reason else "")
    return Entry(
        id=row.id,
        case=row.study_id,
        generation=row.generation,
        band=band,
        state=state.value,
        reason=row.reason,
        words=words,
        reading=Reading(row.reading).value,
        images=row.images,
        urgency=row.urgency if summary else 0,
        received_at=row.received_at,
        changed_at=row.changed_at,
        summary=summary,
        result_id=row.result_id if summary else None,
        folder=row.folder or "",
        failed_objects=row.failed_objects if row.result_id else 0,
    )


def chosen(studies: Iterable[Study], *, words: str, band: str, reading: str) -> list[Study]:
    """Those that fit the filters of the page."""
    wanted = words.casefold().split()
    return [
        s
        for s in studies
        if (not band or s.first.band == band)
        and (not reading or s.first.reading == reading)
        and all(w in _searched(s) for w in wanted)
    ]


def _searched(one: Study) -> str:
    return f"case {one.case} {one.name} {one.patient_id} {one.accession}".casefold()


def read_verdicts(link: Connection, series_id: int) -> list[Row[Any]]:
    """All that was said of a series, newest first, of superseded results too."""
    query = (
        sa.select(verdict, result.c.generation)
        .join(result, result.c.id == verdict.c.result_id)
        .where(result.c.series_id == series_id)
        .order_by(verdict.c.id.desc())
    )
    return list(link.execute(query))
