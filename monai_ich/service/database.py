"""Transactions on SQLite and PostgreSQL, and the schema's migrations.

SQLite: write-ahead log, ``synchronous=FULL``; what writes begins with ``BEGIN IMMEDIATE``, so that
no transaction finds out at its end that it came second. Who waits for that asks again every few
milliseconds: SQLite itself waits longer each time, up to a tenth of a second, and who has waited
longest is served last.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monai_ich.core.errors import ServiceError
from monai_ich.service.crash import crash_point
from monai_ich.service.tables import heartbeat

_WAIT_S = 30
_ASK_AGAIN_S = (0.001, 0.003)
_MIGRATION_LOCK = 99_147


class Database:
    """One engine, two kinds of transactions."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = (
            {"connect_args": {"timeout": _WAIT_S}}
            if self.is_sqlite
            else {"pool_pre_ping": True, "connect_args": {"connect_timeout": _WAIT_S}}
        )
        try:
            self.engine = sa.create_engine(url, hide_parameters=True, **options)
        except (sa.exc.ArgumentError, ImportError) as error:
            raise ServiceError(
                "BAD_DATABASE", f"The address of the database is wrong ({type(error).__name__})."
            ) from None
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare)
            sa.event.listen(self.engine, "begin", _begin)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All of it is on disk after this, or nothing."""
        with self.engine.connect().execution_options(immediate=True) as link, link.begin():
            yield link

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment's view."""
        with self.engine.connect() as link, link.begin():
            yield link

    def migrate(self) -> None:
        """Bring the schema up to date, all or nothing; processes that start together take turns.

        Raises:
            ServiceError: ``DATABASE_NEWER`` where a later version made it; ``NO_DATABASE``.
        """
        from alembic import command, util
        from alembic.config import Config

        with as_file(files("monai_ich.service") / "migrations") as folder:
            config = Config()
            config.set_main_option("script_location", str(folder))
            try:
                with self.write() as link:
                    if not self.is_sqlite:
                        link.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                    config.attributes["connection"] = link
                    command.upgrade(config, "head")
                    crash_point("migration")
            except util.CommandError:
                raise ServiceError(
                    "DATABASE_NEWER",
                    "The database is of a later version: start that one, or restore a backup.",
                ) from None
            except sa.exc.OperationalError as error:
                raise ServiceError(
                    "NO_DATABASE",
                    f"The database does not answer ({type(error.orig).__name__}): is its address "
                    "right, and may it be written?",
                ) from None

    def beat(self, owner: str, role: str, detail: str = "") -> None:
        """Say that a process is alive."""
        values = {"role": role, "at": time.time(), "detail": detail}
        with self.write() as link:
            found = link.execute(
                heartbeat.update().where(heartbeat.c.owner == owner).values(**values)
            )
            if not found.rowcount:
                insert_new(link, heartbeat, owner=owner, **values)


def near(column: sa.ColumnElement[float], now: float, most_s: float) -> sa.ColumnElement[bool]:
    """Whether a moment lies at most so far from now. One further ahead was noted before the clock
    was set back, and says nothing.
    """
    return column.between(now - most_s, now + most_s)


def ahead(column: sa.ColumnElement[float], now: float, most_s: float) -> sa.ColumnElement[bool]:
    """Whether a moment is still to come; likewise, where it was noted as at most so far ahead.

    Twice as far is let pass: clocks of machines differ, and `now` is older than what another
    process noted while this one waited for its turn to write.
    """
    return sa.and_(column > now, column <= now + 2.0 * most_s)


def insert_new(link: Connection, table: sa.Table, **values: Any) -> bool:
    """Insert a row unless its key is there; whether it is new."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert = sqlite.insert if link.dialect.name == "sqlite" else postgresql.insert
    return bool(link.execute(insert(table).values(**values).on_conflict_do_nothing()).rowcount)


def _prepare(raw: Any, _: object) -> None:
    raw.isolation_level = None  # transactions are ours, not the driver's
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(link: Connection) -> None:
    if not link.get_execution_options().get("immediate"):
        link.exec_driver_sql("BEGIN")
        return
    end = time.monotonic() + _WAIT_S
    link.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        while not _began(link, last=time.monotonic() > end):
            time.sleep(random.uniform(*_ASK_AGAIN_S))
    finally:
        link.exec_driver_sql(f"PRAGMA busy_timeout = {1000 * _WAIT_S}")


def _began(link: Connection, *, last: bool) -> bool:
    """Whether it is our turn to write.

    Raises:
        OperationalError: of SQLite; that it is not, only where this was the last time to ask.
    """
    try:
        link.exec_driver_sql("BEGIN IMMEDIATE")
    except sa.exc.OperationalError as error:
        is_busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        if last or not is_busy:
            raise
        return False
    return True


def require_folder(data: Path) -> None:
    """Make the folders of the service.

    Raises:
        ServiceError: ``DATA_NOT_WRITABLE``.
    """
    try:
        for name in ("incoming", "originals", "results", "work", "verdicts"):
            (data / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ServiceError(
            "DATA_NOT_WRITABLE",
            f"The data folder of the service cannot be written ({type(error).__name__}).",
        ) from None
