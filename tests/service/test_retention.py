"""What was kept long enough goes, by age and by size; never anything unfinished."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_ich.service.admit import Status
from monai_ich.service.retention import Retention
from monai_ich.service.tables import instance, result, series
from tests.service.service import Service, head

pytestmark = pytest.mark.slow

_DAY_S = 86_400.0


def _aged(service: Service, days: float) -> None:
    with service.db.write() as link:
        link.execute(series.update().values(changed_at=series.c.changed_at - days * _DAY_S))
        link.execute(result.update().values(finished_at=result.c.finished_at - days * _DAY_S))


def test_originals_go_after_their_days_and_results_after_theirs(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "done")
    service.admit(paths)
    service.work()
    retention = Retention(service.db, service.settings)
    assert retention.remove_originals() == 0
    _aged(service, 8.0)
    service.admit(head(tmp_path / "arriving"))
    _aged(service, 8.0)
    assert retention.remove_originals() == len(paths), "what still arrives stays, however old"
    assert retention.remove_results() == 0
    _aged(service, 90.0)
    assert retention.remove_results() == 1
    assert service.states()[0] == "expired" and service.rows(result)[0].folder == ""
    assert not list((service.settings.data / "results").iterdir())
    assert set(service.admit(paths)) == {Status.SUCCESS}, "known, and not analyzed again"
    assert service.states()[0] == "expired"


def test_by_size_the_oldest_go_first_and_no_more_than_needed(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    for name in ("old", "new"):
        service.admit(head(tmp_path / name))
        service.work()
    total = sum(row.bytes for row in service.rows(instance))
    small = Service(service.settings.data, originals_bytes=total - 1)
    Retention(small.db, small.settings).remove_originals()
    kept = {row.series_id for row in service.rows(instance) if row.path}
    assert kept == {2}


def test_refused_and_failed_series_keep_their_originals(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head")
    service.admit([*paths[:5], *paths[6:]])
    service.work()
    _aged(service, 1000.0)
    assert Retention(service.db, service.settings).remove_originals() == 0
    service.admit(paths[5:6])
    service.work()
    assert service.states() == ["analyzed"]
