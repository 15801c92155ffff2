"""An older database is brought up to date with what was under way; a newer one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from monai_ich.core.errors import ServiceError
from monai_ich.service.database import Database
from monai_ich.service.tables import audit, metadata, series
from tests.service.service import Service, head, require_ended, require_kept

_BACK_TO_FIRST = (
    "ALTER TABLE series DROP COLUMN volume_ml",
    *(
        f"DROP TRIGGER {table}_keeps_{what}"
        for table in ("audit", "verdict")
        for what in ("update", "delete")
    ),
    "UPDATE alembic_version SET version_num = '0001'",
)
_ENTRY = {"at": 0.0, "actor": "", "action": "", "detail": "", "previous": "", "hash": ""}


def test_the_steps_lead_to_the_tables_of_the_code(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    db.migrate()
    with db.read() as link:
        assert compare_metadata(MigrationContext.configure(link), metadata) == []


@pytest.mark.slow
def test_unfinished_work_of_an_older_database_goes_on(tmp_path: Path) -> None:
    old = Service(tmp_path / "data")
    done, paths = head(tmp_path / "done"), head(tmp_path / "head")
    old.admit(done)
    old.work()
    old.admit(paths)
    with old.db.write() as link:
        for step in _BACK_TO_FIRST:
            link.execute(sa.text(step))
    old.db.engine.dispose()
    new = Service(tmp_path / "data")
    assert [row.volume_ml for row in new.rows(series)] == [len(done), 0.0]
    new.work()
    assert new.states() == ["analyzed"] * 2
    require_kept(new, [*done, *paths])
    require_ended(new)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), new.db.write() as link:
        link.execute(audit.insert().values(_ENTRY))
        link.execute(audit.delete())


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    db.migrate()
    with db.write() as link:
        link.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceError, match="DATABASE_NEWER"):
        db.migrate()
    with pytest.raises(ServiceError, match="NO_DATABASE"):
        Database("sqlite:////nowhere/at/all.sqlite").migrate()
    with pytest.raises(ServiceError, match="BAD_DATABASE"):
        Database("nonsense")
