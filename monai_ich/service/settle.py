"""When all images of a series are there, and whether they are a head CT that import takes.

No "complete" message exists in DICOM. A series has settled when no image came for a while and no
association that touched it is open; sooner where the number of images is there that its headers
announce. Import then looks for missing slices, and a late image opens the series again (`admit`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from monai_ich.core.errors import IchError
from monai_ich.dicom.completeness import require_complete, require_no_gap
from monai_ich.dicom.geometry import order_slices
from monai_ich.dicom.survey import survey
from monai_ich.service.crash import crash_point
from monai_ich.service.database import Database, near
from monai_ich.service.settings import Settings
from monai_ich.service.states import BETTER_SERIES, FINISHED, NO_HEAD, State
from monai_ich.service.tables import heartbeat, open_association, series

_DEAD_S = 60.0
_TAKEN = (State.QUEUED, State.ANALYZING, *FINISHED)


@dataclass(frozen=True)
class Judgment:
    """What import says of a series.

    Args:
        state: queued, refused or not_head_ct.
        reason: import's code; empty for a series that it takes.
        score: among series of one study; higher is better.
    """

    state: State
    reason: str = ""
    score: float = 0.0


def settle(db: Database, settings: Settings) -> int:
    """Find series whose images are all there; how many there were."""
    now = time.time()
    alive = sa.select(heartbeat.c.owner).where(near(heartbeat.c.at, now, _DEAD_S))
    still_open = sa.exists().where(
        open_association.c.series_id == series.c.id,
        near(open_association.c.since, now, settings.open_s),
        open_association.c.owner.in_(alive),
    )
    quiet = ~near(series.c.last_image_at, now, settings.settle_s)
    whole = sa.and_(series.c.announced > 0, series.c.images == series.c.announced)
    ready = sa.and_(series.c.state == State.RECEIVING, sa.or_(quiet, whole), ~still_open)
    with db.read() as link:  # most of the time there is none, and no write lock is needed
        if not link.execute(sa.select(sa.exists().where(ready))).scalar():
            return 0
    with db.write() as link:
        found = link.execute(
            series.update().where(ready).values(state=State.SETTLED, changed_at=now)
        ).rowcount
        crash_point("settle")
    return int(found)


def judge(folder: Path) -> Judgment:
    """Let import judge the images of one series, from their headers.

    Args:
        folder: holds these images and nothing else.
    """
    try:
        found = survey(folder).choose()
        require_complete(found.group, mode="strict")
        require_no_gap(*order_slices(found.instances), mode="strict")
    except IchError as error:
        state = State.NOT_HEAD_CT if error.code in NO_HEAD else State.REFUSED
        return Judgment(state, error.code)
    return Judgment(State.QUEUED, score=found.score)


def record_judgment(link: sa.Connection, row: sa.Row[Any], found: Judgment) -> None:
    """Write what import said. Where a better series of the study is taken already, this one need
    not be.
    """
    if found.state is State.QUEUED:
        better = sa.exists().where(
            series.c.study_id == row.study_id,
            series.c.id != row.id,
            series.c.state.in_(_TAKEN),
            series.c.score > found.score,
        )
        if link.execute(sa.select(better)).scalar():
            found = Judgment(State.NOT_HEAD_CT, BETTER_SERIES, found.score)
    else:
        take_next_best(link, row)
    link.execute(
        series.update()
        .where(series.c.id == row.id)
        .values(
            state=found.state,
            reason=found.reason,
            score=found.score,
            owner="",
            lease_until=0.0,
            attempt=0,
            changed_at=time.time(),
        )
    )


def take_next_best(link: sa.Connection, row: sa.Row[Any]) -> None:
    """Queue the best of what was left aside, where a series comes to nothing and no other of the
    study is taken.
    """
    other = series.alias()
    taken = sa.exists().where(
        other.c.study_id == row.study_id, other.c.id != row.id, other.c.state.in_(_TAKEN)
    )
    best = (
        sa.select(series.c.id)
        .where(
            ~taken,
            series.c.study_id == row.study_id,
            series.c.id != row.id,
            series.c.state == State.NOT_HEAD_CT,
            series.c.reason == BETTER_SERIES,
        )
        .order_by(series.c.score.desc())
        .limit(1)
    )
    link.execute(
        series.update()
        .where(series.c.id.in_(best))
        .values(state=State.QUEUED, reason="", changed_at=time.time())
    )
