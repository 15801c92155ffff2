"""Claims on series: a worker says that it is alive, or loses what it works on."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from monai_ich.service.audit import note
from monai_ich.service.database import Database, ahead
from monai_ich.service.settings import Settings
from monai_ich.service.settle import take_next_best
from monai_ich.service.states import State
from monai_ich.service.tables import series

_LOG = logging.getLogger(__name__)
_MOST_DEATHS = 2
_LOOK_S = 0.25
LONGEST_PAUSE_S = 60.0  # between two tries of an analysis


def release_own(db: Database, owner: str) -> None:
    """What an earlier process of the same name held is free: that one is dead."""
    with db.write() as link:
        link.execute(series.update().where(series.c.owner == owner).values(lease_until=0.0))


def claim(db: Database, settings: Settings, owner: str) -> Row[Any] | None:
    """The most urgent series that waits, the oldest first; None where none does.

    A series whose worker died is claimed again; once two died over it, it has failed.
    """
    now = time.time()
    free = sa.and_(
        series.c.state.in_((State.SETTLED, State.QUEUED, State.ANALYZING)),
        ~ahead(series.c.lease_until, now, max(settings.lease_s, LONGEST_PAUSE_S)),
    )
    first = (
        sa.select(series)
        .where(free)
        .order_by(series.c.urgency, series.c.received_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with db.read() as link:
        if not link.execute(sa.select(sa.exists().where(free))).scalar():
            return None
    with db.write() as link:
        row = link.execute(first).one_or_none()
        if row is None:
            return None
        deaths = row.deaths + bool(row.owner)
        if deaths >= _MOST_DEATHS:
            end_series(link, row, State.FAILED, "WORKER_DIED", deaths=deaths)
            return None
        link.execute(
            series.update()
            .where(series.c.id == row.id)
            .values(
                owner=owner,
                lease_until=now + settings.lease_s,
                attempt=row.attempt + 1,
                deaths=deaths,
                state=State.SETTLED if row.state == State.SETTLED else State.ANALYZING,
                changed_at=now,
            )
        )
        return link.execute(sa.select(series).where(series.c.id == row.id)).one()


def still_ours(row: Row[Any], owner: str) -> sa.ColumnElement[bool]:
    """Whether the series is the claimed one: neither opened again nor taken by another worker."""
    return sa.and_(
        series.c.id == row.id,
        series.c.owner == owner,
        series.c.generation == row.generation,
        series.c.state == row.state,
    )


@contextmanager
def kept_alive(
    db: Database, settings: Settings, row: Row[Any], owner: str, stop: threading.Event
) -> Iterator[None]:
    """The lease is renewed meanwhile; told to stop, the process gives it back and ends at once: a
    planned end is no death over this series. An analysis that does not end, ends the process.
    """
    done = threading.Event()

    def renew() -> None:
        begun = renewed = time.monotonic()
        while not done.wait(_LOOK_S):
            if stop.is_set():
                with suppress(sa.exc.OperationalError):
                    give_back(db, row, owner)
                os._exit(0)
            if time.monotonic() - begun > settings.analysis_most_s:
                _LOG.error("case %s: no result in time, this process ends", row.study_id)
                os._exit(1)
            if time.monotonic() - renewed < settings.lease_s / 3:
                continue
            renewed = time.monotonic()
            try:
                with db.write() as link:
                    link.execute(
                        series.update()
                        .where(still_ours(row, owner))
                        .values(lease_until=time.time() + settings.lease_s)
                    )
                db.beat(owner, "work", "analyzing")
            except sa.exc.OperationalError:  # the next one may pass
                continue

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def give_back(db: Database, row: Row[Any], owner: str) -> None:
    """Leave a series to whoever takes it next: this is no death, and no try."""
    with db.write() as link:
        link.execute(
            series.update()
            .where(still_ours(row, owner))
            .values(owner="", lease_until=0.0, attempt=row.attempt - 1)
        )


def end_series(
    link: Connection, row: Row[Any], state: State, reason: str, *, deaths: int = 0
) -> None:
    """A series comes to nothing, with its code."""
    link.execute(
        series.update()
        .where(series.c.id == row.id)
        .values(
            state=state,
            reason=reason,
            owner="",
            lease_until=0.0,
            attempt=0,
            deaths=deaths,
            changed_at=time.time(),
        )
    )
    take_next_best(link, row)
    note(link, "work", f"{state}: {reason}", case=row.study_id)
