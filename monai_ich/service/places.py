"""The order of the worklist: bands, which series stands for its study, who comes first.

Told from a few columns of each series, so that ten thousand studies are sorted in a moment; what a
page shows of a study is read for that page alone (`worklist.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monai_ich.service.states import BETTER_SERIES, FINISHED, OWN_RESULT, WAITING, Reading, State
from monai_ich.service.summary import NOT_FOUND
from monai_ich.service.tables import identity, series, study

ATTENTION, FOUND, POSSIBLE, NEGATIVE, OTHER = "attention", "found", "possible", "negative", "other"
BANDS = {  # in the order of the page
    ATTENTION: "Without a result: refused, failed, or not yet analyzed",
    FOUND: "Hemorrhage found",
    POSSIBLE: "Hemorrhage possible",
    NEGATIVE: "No hemorrhage found",
    OTHER: "No head CT, or expired",
}
_ORDER = tuple(BANDS)
# blood first, then what nobody has looked at, then the rest: a study is never calmer than that
_LOUDEST = (FOUND, ATTENTION, POSSIBLE, NEGATIVE, OTHER)
_BY_URGENCY = {1: FOUND, 2: FOUND, 3: POSSIBLE, NOT_FOUND: NEGATIVE}


class Placed(Protocol):
    """A series with its place."""

    @property
    def band(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def urgency(self) -> int: ...
    @property
    def received_at(self) -> float: ...


_Series = TypeVar("_Series", bound=Placed)


@dataclass(frozen=True)
class Place:
    """A series in the worklist; volume in mL, time in seconds since 1970."""

    case: int
    band: str
    reason: str
    reading: str
    urgency: int
    volume_ml: float
    received_at: float


def band_of(state: str, urgency: int) -> str:
    """Where a series stands; what has no result, or a strange one, is never called negative.

    >>> band_of("refused", 2), band_of("sent", 2), band_of("sent", 4), band_of("expired", 1)
    ('attention', 'found', 'negative', 'other')
    """
    if state in WAITING or state in (State.REFUSED, State.FAILED):
        return ATTENTION
    return _BY_URGENCY.get(urgency, ATTENTION) if state in FINISHED else OTHER


def shown_series(found: Iterable[_Series], *, whole: bool = False) -> list[_Series]:
    """Series of one study that count, the one that stands for it first; none of a study that
    holds our own results alone.

    Args:
        found: all of the study.
        whole: also those that were left aside for a better one.
    """
    mine = [one for one in found if one.reason != OWN_RESULT]
    shown = [one for one in mine if whole or one.reason != BETTER_SERIES] or mine
    return sorted(shown, key=lambda one: (_LOUDEST.index(one.band), one.urgency, one.received_at))


def read_places(
    link: Connection, *, words: str = "", band: str = "", reading: str = ""
) -> list[Place]:
    """One place for each study that fits, in the order of the page: unread ones of a band first,
    the most urgent of them first.

    Args:
        link: a transaction.
        words: all of them stand in name, ID, accession or case; empty for any.
        band, reading: only these; empty for all.
    """
    query = sa.select(
        *(series.c.study_id, series.c.state, series.c.reason, series.c.reading),
        *(series.c.urgency, series.c.volume_ml, series.c.received_at),
    )
    by_case: dict[int, list[Place]] = {}
    for row in link.execute(query):
        by_case.setdefault(row.study_id, []).append(_place(row))
    firsts = [shown[0] for places in by_case.values() if (shown := shown_series(places))]
    wanted = _cases_with(link, words)
    fits = (
        one
        for one in firsts
        if (not band or one.band == band)
        and (not reading or one.reading == reading)
        and (wanted is None or one.case in wanted)
    )
    return sorted(fits, key=_turn)


def _turn(one: Place) -> tuple[int, bool, int, float, float]:
    is_read = one.reading != Reading.UNREAD
    return _ORDER.index(one.band), is_read, one.urgency, -one.volume_ml, -one.received_at


def _place(row: Any) -> Place:
    band = band_of(row.state, row.urgency)
    has_result = row.state in FINISHED
    return Place(
        row.study_id,
        band,
        row.reason,
        row.reading,
        row.urgency if has_result else 0,
        row.volume_ml if has_result else 0.0,
        row.received_at,
    )


def _cases_with(link: Connection, words: str) -> set[int] | None:
    wanted = words.casefold().split()
    if not wanted:
        return None
    query = sa.select(
        study.c.id, identity.c.name, identity.c.patient_id, identity.c.accession
    ).outerjoin(identity, identity.c.study_id == study.c.id)
    found = set()
    for case, *said in link.execute(query):
        text = " ".join([f"case {case}", *(part or "" for part in said)])
        if all(word in text.replace("^", ", ").casefold() for word in wanted):
            found.add(case)
    return found
