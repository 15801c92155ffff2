"""The role ``work``: settles, judges and analyzes, one series at a time."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from monai_ich.core.errors import IchError, OutputError, fault_of_ours
from monai_ich.core.memory import release_memory
from monai_ich.io.publish import sync_folder
from monai_ich.service.analyzer import Analyzer, load_analyzer
from monai_ich.service.crash import crash_point
from monai_ich.service.database import Database
from monai_ich.service.lease import (
    LONGEST_PAUSE_S,
    claim,
    end_series,
    give_back,
    kept_alive,
    release_own,
    still_ours,
)
from monai_ich.service.loop import repeat
from monai_ich.service.results import (
    finished,
    name_predecessor,
    predecessor_of,
    publish_result,
    record_result,
    supersede,
    work_key,
)
from monai_ich.service.settings import Settings
from monai_ich.service.settle import judge, record_judgment, settle
from monai_ich.service.states import Reading, State
from monai_ich.service.tables import instance, series

_LOG = logging.getLogger(__name__)
_AGAIN_S = 10.0
_OURS = ("DISK_FULL", "DISK_FAILED", "NOT_ALLOWED", "INTERNAL_ERROR")  # never the scan's fault


class Worker:
    """One claim at a time."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        owner: str,
        analyze: Analyzer,
        stop: threading.Event | None = None,
    ) -> None:
        self.db, self.settings, self.owner, self.analyze = db, settings, owner, analyze
        self.stop = stop or threading.Event()
        self._dropped: Row[Any] | None = None
        self.scratch = settings.data / "work" / owner.replace("/", "_")
        shutil.rmtree(self.scratch, ignore_errors=True)
        release_own(db, owner)

    def step(self) -> bool:
        """Settle what can be, then work on one series; whether there was one.

        Where the database does not answer, what was claimed is given back once it does.
        """
        if self._dropped is not None:
            give_back(self.db, self._dropped, self.owner)
            self._dropped = None
        settle(self.db, self.settings)
        row = claim(self.db, self.settings, self.owner)
        if row is None:
            release_memory()
            return False
        crash_point("claim")
        try:
            self._take(row)
        except sa.exc.OperationalError:
            self._dropped = row
            raise
        return True

    def _take(self, row: Row[Any]) -> None:
        with kept_alive(self.db, self.settings, row, self.owner, self.stop):
            try:
                if row.state == State.SETTLED:
                    self._judge(row)
                else:
                    self._analyze(row)
            except sa.exc.OperationalError:
                raise
            except IchError as error:
                self._end(row, error)
            except Exception as error:  # an image may break anything; the next one must not wait
                self._end(row, fault_of_ours(error))
            finally:
                shutil.rmtree(self.scratch, ignore_errors=True)

    def _judge(self, row: Row[Any]) -> None:
        found = judge(self._images(row))
        crash_point("judged")
        with self.db.write() as link:
            if self._is_ours(link, row):
                record_judgment(link, row, found)

    def _analyze(self, row: Row[Any]) -> None:
        with self.db.read() as link:
            predecessor = predecessor_of(link, row)
            key = work_key(link, row.id, self.analyze.key, predecessor)
        summary = finished(self.settings, key)
        if summary is None:
            images, made = self._images(row), self.scratch / "made"
            made.mkdir()
            crash_point("stage_read")
            summary = self.analyze(images, made, f"case_{row.study_id}")
            if predecessor:
                with self.db.read() as link:
                    name_predecessor(self.settings, made, link, predecessor)
            crash_point("stage_write")
            publish_result(self.settings, key, made, summary)
        crash_point("results_before_state")
        with self.db.write() as link:
            if self._is_ours(link, row):
                record_result(link, self.settings, row, key, summary)

    def _images(self, row: Row[Any]) -> Path:
        """A folder of what the series holds now: one that grows meanwhile does not change it."""
        folder = self.scratch / "images"
        folder.mkdir(parents=True)
        query = sa.select(instance.c.path).where(instance.c.series_id == row.id)
        with self.db.read() as link:
            names = [name for (name,) in link.execute(query.order_by(instance.c.sop_uid))]
        for number, name in enumerate(names):
            if not name:
                raise OutputError(
                    "ORIGINALS_EXPIRED", "The original images were removed: send them again."
                )
            os.link(self.settings.data / name, folder / f"{number:05d}.dcm")
        sync_folder(folder)
        return folder

    def _is_ours(self, link: sa.Connection, row: Row[Any]) -> bool:
        ours = sa.select(series.c.id).where(still_ours(row, self.owner)).with_for_update()
        return link.execute(ours).one_or_none() is not None

    def _end(self, row: Row[Any], error: IchError) -> None:
        """Refused for good, or tried again."""
        again = error.code in _OURS
        pause_s = min(_AGAIN_S * row.attempt, LONGEST_PAUSE_S)
        _LOG.error("case %s: %s", row.study_id, error)
        with self.db.write() as link:
            if not self._is_ours(link, row):
                return
            if again and row.attempt < self.settings.tries:
                link.execute(
                    series.update()
                    .where(series.c.id == row.id)
                    .values(owner="", lease_until=time.time() + pause_s)
                )
                return
            end_series(link, row, State.FAILED if again else State.REFUSED, error.code)


def requeue(link: sa.Connection, series_id: int) -> bool:
    """Have a series that came to nothing, or whose results have expired, judged once more; whether
    it was one. After an expired result comes one of a new generation.
    """
    ended = series.c.state.in_((State.REFUSED, State.FAILED, State.NOT_HEAD_CT, State.EXPIRED))
    is_old = series.c.state == State.EXPIRED
    values = {"state": State.SETTLED, "reason": "", "attempt": 0, "deaths": 0}
    values |= {
        "generation": series.c.generation + sa.case((is_old, 1), else_=0),
        "reading": sa.case((is_old, Reading.UNREAD), else_=series.c.reading),
    }
    if link.execute(sa.select(series.c.id).where(series.c.id == series_id, is_old)).scalar():
        supersede(link, series_id)
    return bool(
        link.execute(
            series.update()
            .where(series.c.id == series_id, ended)
            .values(changed_at=time.time(), **values)
        ).rowcount
    )


def run_work(db: Database, settings: Settings, owner: str, stop: threading.Event) -> None:
    """Work until told to stop."""
    from monai_ich.startup import import_monai_alone

    import_monai_alone()
    db.beat(owner, "work", "loading")
    worker = Worker(db, settings, owner, load_analyzer(settings), stop)
    repeat(worker.step, stop, beat=lambda: db.beat(owner, "work", "ready"))
