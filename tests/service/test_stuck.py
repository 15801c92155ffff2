"""Nothing stays under way for ever: analyses that hang, clocks set back, a database gone away."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from monai_ich.service.lease import claim
from monai_ich.service.settle import settle
from monai_ich.service.states import State
from monai_ich.service.summary import Summary
from monai_ich.service.tables import heartbeat, open_association, result, series
from monai_ich.service.work import Worker
from tests.service.fake import Fake
from tests.service.service import Service, forked, head, require_ended

pytestmark = pytest.mark.slow

_DAY_S = 86_400.0


class Hangs(Fake):
    """An analysis that never ends."""

    def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
        threading.Event().wait()
        return super().__call__(images, folder, case_id)


def test_an_analysis_that_hangs_ends_its_worker_and_after_two_the_series(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", analysis_most_s=0.5)
    service.admit(head(tmp_path / "head"))
    service.db.engine.dispose()
    for _ in range(2):
        worker = forked(lambda: Service(tmp_path / "data", analysis_most_s=0.5).work(Hangs()))
        worker.join(60)
        assert worker.exitcode == 1
    service.work()
    assert service.states() == ["failed WORKER_DIED"]
    require_ended(service)


def test_a_clock_that_was_set_back_holds_nothing_up(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", settle_s=30.0)
    service.db.beat("here/receive", "receive")
    service.admit(head(tmp_path / "head"), association="a", owner="here/receive")
    assert settle(service.db, service.settings) == 0
    later = time.time() + _DAY_S
    with service.db.write() as link:
        link.execute(series.update().values(last_image_at=later))
        link.execute(open_association.update().values(since=later))
    assert settle(service.db, service.settings) == 1
    with service.db.write() as link:  # a worker died over it, in what was the future
        link.execute(series.update().values(owner="there/work", lease_until=later))
        link.execute(heartbeat.update().values(at=later))
    service.work()
    assert service.states() == ["analyzed"]


def test_what_another_worker_claimed_a_moment_later_is_its_own(tmp_path: Path) -> None:
    """While this one waited for its turn to write, or by a clock that is ahead of this one's."""
    service = Service(tmp_path / "data")
    service.admit(head(tmp_path / "head"))
    settle(service.db, service.settings)
    other = claim(service.db, service.settings, "there/work")
    assert other is not None
    with service.db.write() as link:
        link.execute(series.update().values(lease_until=series.c.lease_until + 5.0))
    assert claim(service.db, service.settings, "here/work") is None
    (row,) = service.rows(series)
    assert (row.owner, row.deaths) == ("there/work", 0)


def test_a_database_that_goes_away_is_no_death_and_no_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path / "data")
    service.admit(head(tmp_path / "head"))
    worker = Worker(service.db, service.settings, "here/work", Fake())
    assert worker.step() and service.states() == ["queued"]
    away = sa.exc.OperationalError("", {}, Exception())

    class Away(Fake):
        """The database goes while an analysis is under way."""

        def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
            made = super().__call__(images, folder, case_id)
            monkeypatch.setattr(service.db, "write", no_write)
            return made

    @contextmanager
    def no_write() -> object:
        raise away
        yield

    worker.analyze = Away()
    for _ in range(3):
        with pytest.raises(sa.exc.OperationalError):
            worker.step()
        monkeypatch.undo()
        (row,) = service.rows(series)
        assert (row.owner, row.state) == ("here/work", State.ANALYZING)
        with service.db.write() as link:
            link.execute(result.delete())
        worker.analyze.key = f"another {time.time()}"  # so that it analyzes again
    worker.analyze = Fake()
    assert worker.step()
    (row,) = service.rows(series)
    assert (row.state, row.deaths) == (State.ANALYZED, 0)


def test_of_series_left_aside_only_the_best_follows_one_that_came_to_nothing(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path / "data")
    best = head(tmp_path / "best")
    study = pydicom.dcmread(best[0]).StudyInstanceUID
    for name in ("second", "third"):
        paths = head(tmp_path / name)
        for path in paths:
            image = pydicom.dcmread(path)
            image.StudyInstanceUID = study
            image.save_as(path)
        service.admit(paths)
    service.admit(best)
    aside = {"state": State.NOT_HEAD_CT, "reason": "BETTER_SERIES"}
    with service.db.write() as link:
        for number, score in ((1, 5.0), (2, 7.0)):
            link.execute(series.update().where(series.c.id == number).values(score=score, **aside))
    (service.settings.data / "originals").rename(tmp_path / "gone")  # the best one cannot be read
    worker = Worker(service.db, service.settings, "here/work", Fake())
    for _ in range(9):
        worker.step()
        with service.db.write() as link:
            link.execute(series.update().values(lease_until=0.0))
        if service.states()[2].startswith("failed"):
            break
    assert [state.split()[0] for state in service.states()] == ["not_head_ct", "queued", "failed"]
