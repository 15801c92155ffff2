"""Transactions that wait for one another."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from monai_ich.service import database
from monai_ich.service.database import Database
from monai_ich.service.tables import heartbeat


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'service.db'}"
    Database(found).migrate()
    return found


def _timeout_ms(db: Database) -> int:
    with db.engine.connect() as link:
        return int(link.execute(sa.text("PRAGMA busy_timeout")).scalar_one())


def test_who_waits_too_long_is_told_and_can_write_afterwards(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Database(url), Database(url)
    monkeypatch.setattr(database, "_WAIT_S", 0.2)
    begun = time.monotonic()
    with first.write(), pytest.raises(sa.exc.OperationalError), second.write():
        pass
    assert time.monotonic() - begun > 0.2
    assert _timeout_ms(second) == 200, "reading waits as before"
    second.beat("two", "work")
    with first.read() as link:
        assert link.execute(sa.select(heartbeat.c.owner)).scalars().all() == ["two"]


def test_who_waits_writes_when_the_other_is_done(url: str) -> None:
    first, second = Database(url), Database(url)
    wrote = threading.Event()

    def beat() -> None:
        second.beat("two", "work")
        wrote.set()

    with first.write():
        waiting = threading.Thread(target=beat)
        waiting.start()
        assert not wrote.wait(0.3)
    assert wrote.wait(10)
    waiting.join()
