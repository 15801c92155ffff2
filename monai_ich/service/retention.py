"""What was kept long enough goes; never anything unfinished. Rows stay: a resend is still known."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from monai_ich.service.audit import note
from monai_ich.service.crash import crash_point
from monai_ich.service.database import Database
from monai_ich.service.settings import Settings
from monai_ich.service.states import State
from monai_ich.service.tables import heartbeat, instance, result, series, verdict

_OWNER = "retention"  # of the heartbeat that says since when the clock has gone without a leap
_DAY_S = 86_400.0
_PAUSE_S = 600.0
_ORPHAN_S = _DAY_S
_ORPHANS = ("originals/*/*.dcm", "results/*", "verdicts/*", "work/*", "incoming/*/*")
_LOG = logging.getLogger(__name__)
_DONE = (State.ANALYZED, State.SENT, State.NOT_HEAD_CT, State.EXPIRED)


class Retention:
    """Looks every ten minutes."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db, self.settings, self._last = db, settings, 0.0

    def step(self) -> None:
        """Remove what is due. A disk that fails here keeps nothing else from going on."""
        if self._last and time.monotonic() - self._last < _PAUSE_S:
            return
        self._last = time.monotonic()
        steady = self._is_steady(time.time())
        removals: list[Callable[[], int]] = [partial(self.remove_originals, by_age=steady)]
        if steady:
            removals += [self.remove_results, self.remove_orphans]
        for remove in removals:
            try:
                remove()
            except OSError as error:
                _LOG.error("files could not be removed: %s", type(error).__name__)

    def _is_steady(self, now: float) -> bool:
        """Whether the clock has gone on for a day without a leap. Where it has not (it was set, or
        the service was off), nothing goes by age: a clock years ahead would remove everything.
        """
        with self.db.read() as link:
            own = sa.select(heartbeat).where(heartbeat.c.owner == _OWNER)
            row = link.execute(own).one_or_none()
        last, since = (now, now) if row is None else (row.at, float(row.detail))
        if abs(now - last) >= _DAY_S:  # clocks of several machines differ a little
            _LOG.warning(
                "the clock went %.1f days since the last look: nothing is removed by age for a day",
                (now - last) / _DAY_S,
            )
            since = now
        self.db.beat(_OWNER, _OWNER, repr(since))
        return now - since >= _DAY_S

    def remove_originals(self, *, by_age: bool = True) -> int:
        """Originals of finished series, by age and by size; how many files went."""
        with self.db.read() as link:
            rows = [row for row in self._finished(link) if row.bytes]
        limit = self.settings.originals_bytes
        too_much = sum(row.bytes for row in rows) - limit if limit else 0
        oldest_s = time.time() - self.settings.originals_days * _DAY_S
        removed = 0
        for row in rows:
            since = max(row.changed_at, row.received_at)  # what came again is kept anew
            if (by_age and since <= oldest_s) or too_much > 0:
                too_much -= row.bytes
                removed += self._expire(row)
        return removed

    def _finished(self, link: Connection) -> list[Row[Any]]:
        kept = sa.func.sum(sa.case((instance.c.path != "", instance.c.bytes), else_=0))
        came = sa.func.max(instance.c.received_at).label("received_at")
        query = (
            sa.select(
                series.c.id, series.c.study_id, series.c.changed_at, kept.label("bytes"), came
            )
            .join(instance, instance.c.series_id == series.c.id)
            .where(series.c.state.in_(_DONE))
            .group_by(series.c.id, series.c.study_id, series.c.changed_at)
            .order_by(series.c.changed_at)
        )
        return list(link.execute(query))

    def _expire(self, row: Row[Any]) -> int:
        """Rows first: a file without a row is an orphan, a row without its file would be a lie."""
        with self.db.write() as link:
            done = sa.and_(series.c.id == row.id, series.c.state.in_(_DONE))
            if (
                link.execute(sa.select(series.c.id).where(done).with_for_update()).one_or_none()
                is None
            ):
                return 0
            here = sa.and_(instance.c.series_id == row.id, instance.c.path != "")
            names = [name for (name,) in link.execute(sa.select(instance.c.path).where(here))]
            link.execute(instance.update().where(here).values(path=""))
            note(link, "retention", "originals removed", case=row.study_id)
        crash_point("retention")
        for name in names:
            (self.settings.data / name).unlink(missing_ok=True)
        return len(names)

    def remove_results(self) -> int:
        """Results of finished series; how many folders went."""
        oldest = time.time() - self.settings.results_days * _DAY_S
        due = (
            sa.select(result.c.id, result.c.folder, series.c.id.label("series_id"))
            .join(series, series.c.id == result.c.series_id)
            .where(
                result.c.folder != "",
                result.c.finished_at <= oldest,
                series.c.state.in_(_DONE),
                series.c.changed_at <= oldest,
            )
        )
        with self.db.write() as link:
            rows = list(link.execute(due))
            for row in rows:
                link.execute(result.update().where(result.c.id == row.id).values(folder=""))
                link.execute(
                    series.update()
                    .where(series.c.id == row.series_id, series.c.state != State.NOT_HEAD_CT)
                    .values(state=State.EXPIRED)
                )
        crash_point("retention")
        for row in rows:
            shutil.rmtree(self.settings.data / row.folder, ignore_errors=True)
        return len(rows)

    def remove_orphans(self) -> int:
        """Files that no row names: of a crash between file and row, or between row and removal; of
        senders, verdicts and requests that broke off.
        """
        before = time.time() - _ORPHAN_S
        with self.db.read() as link:
            known = {name for (name,) in link.execute(sa.select(instance.c.path))}
            for folder in (result.c.folder, verdict.c.folder):
                known |= {name for (name,) in link.execute(sa.select(folder))}
        removed = 0
        for pattern in _ORPHANS:
            for path in self.settings.data.glob(pattern):
                name = str(path.relative_to(self.settings.data))
                with suppress(FileNotFoundError):  # somebody was faster
                    if name in known or path.stat().st_mtime > before:
                        continue
                    removed += 1
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        return removed
