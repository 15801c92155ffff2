"""Ended by SIGKILL at each named point, and at random: whatever was acknowledged survives.

Roles run in forked processes, so that they die for real while a test stays fast.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from monai_ich.service.access import User
from monai_ich.service.admit import Status, admit
from monai_ich.service.crash import POINTS
from monai_ich.service.receive import run_receive
from monai_ich.service.retention import Retention
from monai_ich.service.send import run_send
from monai_ich.service.states import Reading
from monai_ich.service.summary import Summary
from monai_ich.service.tables import result, series, verdict
from monai_ich.service.verdicts import Said, record_verdict
from monai_ich.service.work import Worker
from tests.service.fake import Fake, keep
from tests.service.service import (
    Service,
    archive_at,
    c_store,
    forked,
    free_port,
    head,
    is_open,
    require_ended,
    require_kept,
    require_sent_once,
    wait_for,
)

pytestmark = pytest.mark.slow

_KILLS = int(os.environ.get("KILLS", "30"))  # `make bench-kills` has 200


def _killed_at(point: str, what: Callable[[], object]) -> None:
    """Run it in a process of its own, which must die at this point."""

    def run() -> None:
        os.environ["MONAI_ICH_CRASH_AT"] = point
        what()

    process = forked(run)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"it passed {point}"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """In a process of its own: threads do not survive a fork."""
    port, folder = free_port(), tmp_path / "archive"
    folder.mkdir()

    def run() -> None:
        keep(port, folder)
        signal.pause()  # until it is killed, however long the test takes

    process = forked(run)
    wait_for(lambda: is_open(port))
    yield port, folder
    process.kill()
    process.join()


_RECEIVE = ("half_file", "file_before_row", "row_before_response")
_WORK = ("settle", "claim", "judged", "stage_read", "stage_write", "results_before_state")
_SEND = ("archive_accepted", "between_objects")
_OTHERS = ("verdict", "migration", "retention")


def test_each_point_is_tried() -> None:
    assert {*_RECEIVE, *_WORK, *_SEND, *_OTHERS} == set(POINTS)


@pytest.mark.parametrize("point", [*_RECEIVE, *_WORK, *_SEND])
def test_a_crash_loses_nothing_that_was_acknowledged(
    point: str, tmp_path: Path, archive: tuple[int, Path]
) -> None:
    port, folder = archive
    place = (archive_at(port),)
    service = Service(tmp_path / "data", destinations=place)
    paths = head(tmp_path / "head")

    def again() -> Service:
        return Service(tmp_path / "data", destinations=place)

    if point in _RECEIVE:
        _killed_at(point, lambda: again().admit(paths[:1]))
    assert set(service.admit(paths)) == {Status.SUCCESS}
    service.db.engine.dispose()
    if point in _WORK:
        _killed_at(point, lambda: again().work())
    service.work()
    service.db.engine.dispose()
    if point in _SEND:
        _killed_at(point, lambda: again().send())
    service.send()
    assert service.states() == ["sent"]
    require_kept(service, paths)
    require_ended(service)
    require_sent_once(service, folder)
    assert len(service.rows(result)) == 1


def test_a_crash_during_a_verdict_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    service.admit(head(tmp_path / "head"))
    service.work()
    service.db.engine.dispose()
    said = Said(Reading.DISMISSED, "motion", 0)

    def speak() -> None:
        fresh = Service(tmp_path / "data")
        record_verdict(fresh.db, fresh.settings, User("ann", True), 1, said)

    _killed_at("verdict", speak)
    assert service.rows(verdict) == [] and service.rows(series)[0].reading == "unread"
    speak()
    assert len(service.rows(verdict)) == 1 and service.rows(series)[0].reading == "dismissed"


def test_a_crash_during_migration_leaves_the_old_schema_or_the_new(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    _killed_at("migration", lambda: Service(tmp_path / "data"))
    service = Service(tmp_path / "data")
    service.admit(head(tmp_path / "head", count=3))
    assert service.states() == ["receiving"]


def test_a_crash_during_retention_leaves_no_row_without_its_file(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", originals_days=0.0)
    paths = head(tmp_path / "head")
    service.admit(paths)
    service.work()
    service.db.engine.dispose()

    def clean() -> None:
        fresh = Service(tmp_path / "data", originals_days=0.0)
        Retention(fresh.db, fresh.settings).remove_originals()

    _killed_at("retention", clean)
    left = list(service.settings.data.glob("originals/*/*.dcm"))
    assert len(left) == len(paths), "files whose rows forgot them: orphans"
    for path in left:
        os.utime(path, (0, 0))
    retention = Retention(service.db, service.settings)
    assert retention.remove_orphans() == len(paths)
    assert set(service.admit(paths)) == {Status.SUCCESS}, "a resend is still known"
    assert service.states() == ["analyzed"]


def test_two_workers_that_die_over_a_series_end_it(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    service.admit(head(tmp_path / "head"))
    service.db.engine.dispose()
    for _ in range(2):
        _killed_at("stage_read", lambda: Service(tmp_path / "data").work())
    service.work()
    assert service.states() == ["failed WORKER_DIED"]
    require_ended(service)


def test_a_planned_stop_gives_the_series_back_and_is_no_death(tmp_path: Path) -> None:
    class Slow(Fake):
        def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
            time.sleep(600)
            return super().__call__(images, folder, case_id)

    service = Service(tmp_path / "data")
    service.admit(head(tmp_path / "head"))
    service.db.engine.dispose()

    def run() -> None:
        fresh, stop = Service(tmp_path / "data"), threading.Event()
        threading.Timer(1.0, stop.set).start()
        worker = Worker(fresh.db, fresh.settings, "here/work", Slow(), stop)
        while True:
            worker.step()

    for _ in range(3):
        process = forked(run)
        process.join(120)
        assert process.exitcode == 0
    (row,) = service.rows(series)
    assert (row.owner, row.deaths, row.attempt) == ("", 0, 0)
    service.work()
    assert service.states() == ["analyzed"]


def _run_worker(service: Service) -> None:
    worker = Worker(service.db, service.settings, "here/work", Fake())
    while True:
        if not worker.step():
            time.sleep(0.05)


def _kill_at_random(tmp_path: Path, archive: tuple[int, Path], rounds: int, database: str) -> None:
    port, folder = archive
    values = {"destinations": (archive_at(port),), "dicom_port": free_port(), "settle_s": 0.3}
    data, random_ = tmp_path / "data", random.Random(20261129)

    def fresh() -> Service:
        return Service(data, database=database, **values)

    def role(name: str) -> None:
        service, never = fresh(), threading.Event()
        if name == "receive":
            run_receive(service.db, service.settings, "here/receive", never)
        elif name == "send":
            run_send(service.db, service.settings, "here/send", never)
        else:
            _run_worker(service)

    names = ("receive", "work", "send")
    service = fresh()
    service.db.engine.dispose()
    running = {name: forked(lambda name=name: role(name)) for name in names}
    acknowledged: list[Path] = []
    waiting: list[Path] = []
    for number in range(rounds):
        if not waiting and number % 2 == 0:
            waiting = head(tmp_path / f"head_{number}", count=8)
        wait_for(lambda: is_open(values["dicom_port"]))
        sender = threading.Thread(
            target=lambda paths=tuple(waiting): acknowledged.extend(
                c_store(values["dicom_port"], paths)
            )
        )
        sender.start()
        time.sleep(random_.uniform(0.0, 0.4))
        name = random_.choice(names)
        running[name].kill()
        running[name].join()
        sender.join()
        waiting = [path for path in waiting if path not in acknowledged]
        running[name] = forked(lambda name=name: role(name))
    wait_for(lambda: is_open(values["dicom_port"]))
    acknowledged += c_store(values["dicom_port"], waiting)
    wait_for(
        lambda: {state.split()[0] for state in fresh().states()} <= {"sent", "failed", "refused"}
    )
    for process in running.values():
        process.kill()
        process.join()
    service = fresh()
    require_kept(service, acknowledged)
    require_ended(service)
    require_sent_once(service, folder)
    assert len({pydicom.dcmread(p).SOPInstanceUID for p in acknowledged}) == len(acknowledged)
    assert "sent" in service.states()


def test_random_kills_lose_nothing(tmp_path: Path, archive: tuple[int, Path]) -> None:
    _kill_at_random(tmp_path, archive, 12, "")


@pytest.mark.interop
def test_many_random_kills_lose_nothing(tmp_path: Path, archive: tuple[int, Path]) -> None:
    _kill_at_random(tmp_path, archive, _KILLS, "")


@pytest.mark.interop
def test_random_kills_on_postgresql_lose_nothing(
    tmp_path: Path, archive: tuple[int, Path], postgresql: str
) -> None:
    _kill_at_random(tmp_path, archive, _KILLS, postgresql)


def test_two_associations_and_a_lost_sender_leave_whole_series(tmp_path: Path) -> None:
    """Images of two studies interleaved and doubled; one sender dies, and sends again later."""
    service = Service(tmp_path / "data")
    one, two = head(tmp_path / "one"), head(tmp_path / "two")
    mixed = [path for pair in zip(reversed(one), two, strict=True) for path in pair]
    threads = [
        threading.Thread(target=service.admit, args=(paths,), kwargs={"association": name})
        for name, paths in (("a", mixed), ("b", mixed[::-1]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    service.work()
    assert service.states() == ["analyzed", "analyzed"]
    require_kept(service, [*one, *two])
    assert len(service.rows(result)) == 2
    full = replace(service.settings, reserve_bytes=1 << 60, reserve_share=1.0)
    assert admit(service.db, full, one[0]) is Status.NO_ROOM
