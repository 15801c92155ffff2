"""What was kept long enough goes, by age and by size; never anything unfinished."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from monai_ich.service import retention as retention_module
from monai_ich.service.admit import Status
from monai_ich.service.retention import Retention
from monai_ich.service.tables import instance, result, series
from monai_ich.service.work import requeue
from tests.service.service import Service, head, require_ended, require_kept

pytestmark = pytest.mark.slow

_DAY_S = 86_400.0


def _aged(service: Service, days: float) -> None:
    with service.db.write() as link:
        link.execute(series.update().values(changed_at=series.c.changed_at - days * _DAY_S))
        link.execute(result.update().values(finished_at=result.c.finished_at - days * _DAY_S))
        link.execute(instance.update().values(received_at=instance.c.received_at - days * _DAY_S))


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


def test_images_that_come_again_are_kept_as_long_again(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head")
    service.admit(paths)
    service.work()
    retention = Retention(service.db, service.settings)
    _aged(service, 8.0)
    assert retention.remove_originals() == len(paths)
    assert set(service.admit(paths)) == {Status.SUCCESS}
    require_kept(service, paths)
    assert service.states() == ["analyzed"], "a resend costs nothing"
    assert retention.remove_originals() == 0
    _aged(service, 8.0)
    assert retention.remove_originals() == len(paths)


def test_a_late_image_of_removed_ones_waits_for_them(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head")
    service.admit(paths[:-1])
    service.work()
    _aged(service, 8.0)
    Retention(service.db, service.settings).remove_originals()
    service.admit(paths[-1:])
    service.work()
    assert service.states() == ["refused ORIGINALS_EXPIRED"]
    with service.db.write() as link:  # as if they came while a worker looks for them
        link.execute(series.update().values(state="analyzing", owner="there/work", reason=""))
    assert set(service.admit(paths)) == {Status.SUCCESS}
    service.work()
    assert service.states() == ["analyzed"]
    require_kept(service, paths)
    require_ended(service)


def test_expired_results_are_made_again_on_request(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head")
    service.admit(paths)
    service.work()
    _aged(service, 91.0)
    retention = Retention(service.db, service.settings)
    retention.remove_originals()
    assert retention.remove_results() == 1 and service.states() == ["expired"]
    service.admit(paths)
    with service.db.write() as link:
        assert requeue(link, 1)
    service.work()
    assert service.states() == ["analyzed"]
    old, new = service.rows(result)
    assert (old.superseded_at is not None, new.generation) == (True, 2)
    require_ended(service)


def test_what_broke_off_goes_after_a_day(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    data = service.settings.data
    left = [data / place for place in ("incoming/here_receive/a.dcm", "verdicts/b/c", "work/d/e")]
    for path in left:
        path.parent.mkdir(parents=True)
        path.touch()
    retention = Retention(service.db, service.settings)
    assert retention.remove_orphans() == 0, "it may be under way"
    for path in left:
        os.utime(path, (0, 0))
        os.utime(path.parent, (0, 0))
    assert retention.remove_orphans() == 3
    assert (data / "incoming/here_receive").is_dir(), "a receiver still writes there"
    assert not any(path.exists() for path in left)


def test_a_clock_that_jumps_ahead_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head")
    service.admit(paths)
    service.work()
    now = time.time()
    half = service.settings.data / "incoming" / "sender" / "half.dcm"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")

    def look(days: float) -> int:
        """A look of the retention so many days from now; how many originals are left."""
        monkeypatch.setattr(retention_module.time, "time", lambda: now + days * _DAY_S)
        Retention(service.db, service.settings).step()
        return len([row for row in service.rows(instance) if row.path])

    for day in (0.0, 0.5, 1.0):
        assert look(day) == len(paths)
    assert look(4000.0) == len(paths) and half.exists() and service.states() == ["analyzed"]
    assert "clock" in caplog.text
    assert look(1.5) == len(paths) and half.exists(), "the clock was set right again"
    for day in (2.4, 3.3, 4.2, 5.1, 6.0, 6.9):
        assert look(day) == len(paths)
        look(day - 5.0 / _DAY_S)  # another machine, whose clock is a little behind
    assert look(7.8) == 0 and not half.exists(), "by then it had gone on for days"
    for hour in range(0, 25, 6):
        look(4000.0 + hour / 24)
    assert service.states() == ["expired"], "a service that was off for years goes on after a day"
