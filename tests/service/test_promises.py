"""What is promised: images kept before acknowledged, analyzed once, results sent, none confused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from monai_ich.core.errors import SeriesError
from monai_ich.service import originals
from monai_ich.service.admit import Status, admit
from monai_ich.service.audit import broken_at
from monai_ich.service.settle import settle
from monai_ich.service.summary import Summary
from monai_ich.service.tables import audit, heartbeat, identity, instance, metadata, result, series
from tests.service.fake import Fake, keep
from tests.service.service import (
    NAME,
    PATIENT,
    Service,
    archive_at,
    free_port,
    head,
    require_ended,
    require_kept,
    require_sent_once,
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.interop)])
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """On both databases."""
    is_other = request.param == "postgresql"
    url = request.getfixturevalue("postgresql") if is_other else ""
    made = Service(tmp_path / "data", database=url)
    yield made
    made.db.engine.dispose()


_DROP = {
    "sqlite": "DROP TRIGGER audit_keeps_update",
    "postgresql": "DROP TRIGGER audit_keeps ON audit",
}


def _changed(path: Path, **values: object) -> Path:
    image = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(image, name, value)
    made = path.with_name(f"changed_{path.name}")
    image.save_as(made)
    return made


@pytest.mark.slow
def test_images_are_kept_analyzed_and_sent_once(tmp_path: Path) -> None:
    port, archive = free_port(), tmp_path / "archive"
    archive.mkdir()
    server = keep(port, archive)
    service = Service(tmp_path / "data", destinations=(archive_at(port),))
    paths = head(tmp_path / "head")
    assert set(service.admit(paths)) == {Status.SUCCESS}
    service.work()
    assert service.states() == ["sending"]
    service.send()
    service.send()
    assert service.states() == ["sent"]
    require_kept(service, paths)
    require_ended(service)
    require_sent_once(service, archive)
    assert len(list(archive.iterdir())) == 4
    server.shutdown()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_same_image_again_changes_nothing_and_other_bytes_never_replace_it(
    service: Service, tmp_path: Path
) -> None:
    paths = head(tmp_path / "head")
    service.admit(paths)
    service.work()
    before = service.rows(series)
    assert set(service.admit(paths)) == {Status.SUCCESS}
    other = _changed(paths[0], WindowCenter=41)
    assert service.admit([other]) == [Status.OTHER_BYTES]
    assert service.rows(series) == before
    require_kept(service, paths)
    assert [r.action for r in service.rows(audit)] == ["other bytes under a known UID"]


def test_what_is_no_image_is_refused_and_leaves_nothing(service: Service, tmp_path: Path) -> None:
    path = head(tmp_path / "head", count=3)[0]
    text = tmp_path / "text.dcm"
    text.write_bytes(b"nothing")
    image = pydicom.dcmread(path)
    del image.PixelData, image.Rows
    image.save_as(tmp_path / "report.dcm")
    assert service.admit([text, tmp_path / "report.dcm"]) == [
        Status.UNREADABLE,
        Status.NOT_AN_IMAGE,
    ]
    assert service.admit([path], sop_uid="1.2.3") == [Status.UNREADABLE]
    assert service.rows(instance) == [] and not list(service.settings.data.glob("originals/*/*"))


def test_below_the_reserve_nothing_is_taken_and_it_goes_on_when_there_is_room(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = head(tmp_path / "head")
    full = replace(service.settings, reserve_bytes=1 << 60, reserve_share=1.0)
    assert {admit(service.db, full, path) for path in paths} == {Status.NO_ROOM}

    def no_space(path: Path) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(originals, "sync_file", no_space)
    assert set(service.admit(paths)) == {Status.NO_ROOM}
    assert service.rows(instance) == []
    monkeypatch.undo()
    assert set(service.admit(paths)) == {Status.SUCCESS}
    require_kept(service, paths)


@pytest.mark.slow
def test_a_full_disk_in_the_database_is_no_success(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head", count=40)
    with service.db.engine.connect() as link:
        pages = link.exec_driver_sql("PRAGMA page_count").scalar()
    service.db.engine.dispose()

    def small(raw: object, _: object) -> None:
        raw.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    sa.event.listen(service.db.engine, "connect", small)
    statuses = service.admit(paths)
    assert Status.NO_ROOM in statuses
    taken = [p for p, s in zip(paths, statuses, strict=True) if s is Status.SUCCESS]
    sa.event.remove(service.db.engine, "connect", small)
    service.db.engine.dispose()
    assert len(service.rows(instance)) == len(taken)
    assert set(service.admit(paths)) == {Status.SUCCESS}
    require_kept(service, paths)


def test_a_series_settles_when_quiet_or_whole_and_not_while_an_association_is_open(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path / "data", settle_s=30.0)
    paths = head(tmp_path / "head", count=4)
    service.db.beat("here/receive", "receive")
    service.admit(paths[:3], association="a", owner="here/receive")
    assert settle(service.db, service.settings) == 0, "an image came just now"
    quick = Service(tmp_path / "data", settle_s=0.0)
    assert settle(quick.db, quick.settings) == 0, "the association is open"
    with service.db.write() as link:
        link.execute(heartbeat.update().values(at=0.0))
    assert settle(quick.db, quick.settings) == 1, "its receiver is dead"


def test_the_announced_number_of_images_settles_at_once(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", settle_s=1e9)
    paths = [_changed(p, ImagesInAcquisition=4) for p in head(tmp_path / "head", count=4)]
    service.admit(paths[:3])
    assert settle(service.db, service.settings) == 0
    service.admit(paths[3:])
    assert settle(service.db, service.settings) == 1


@pytest.mark.slow
def test_a_missing_slice_is_refused_until_it_comes(service: Service, tmp_path: Path) -> None:
    paths = head(tmp_path / "head")
    service.admit([*paths[:5], *paths[6:]])
    service.work()
    assert service.states() == ["refused MISSING_SLICES"]
    service.admit(paths[5:6])
    service.work()
    assert service.states() == ["analyzed"]
    require_kept(service, paths)


@pytest.mark.slow
def test_a_late_slice_is_analyzed_anew_and_the_report_names_its_predecessor(
    tmp_path: Path,
) -> None:
    port, archive = free_port(), tmp_path / "archive"
    archive.mkdir()
    server = keep(port, archive)
    service = Service(tmp_path / "data", destinations=(archive_at(port),))
    paths = head(tmp_path / "head")
    service.admit(paths[:-1])
    service.work()
    service.send()
    service.admit(paths[-1:])
    assert service.states() == ["receiving"]
    service.work()
    service.send()
    old, new = service.rows(result)
    assert service.states() == ["sent"] and (old.generation, new.generation) == (1, 2)
    assert old.superseded_at is not None and new.superseded_at is None
    report = pydicom.dcmread(service.settings.data / new.folder / "sr.dcm")
    named = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.sr_uid != new.sr_uid
    require_sent_once(service, archive)
    server.shutdown()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_our_own_results_coming_back_are_not_analyzed(service: Service, tmp_path: Path) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    folder = service.settings.data / service.rows(result)[0].folder
    ours = sorted(folder.glob("*.dcm"))
    assert set(service.admit(ours)) == {Status.SUCCESS}
    service.work()
    assert service.states()[0] == "analyzed"
    assert set(service.states()[1:]) == {"not_head_ct OWN_RESULT"}
    assert len(service.rows(result)) == 1


@pytest.mark.slow
def test_a_result_that_is_on_disk_is_not_computed_again(service: Service, tmp_path: Path) -> None:
    calls = []

    class Counted(Fake):
        def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
            calls.append(case_id)
            return super().__call__(images, folder, case_id)

    service.admit(head(tmp_path / "head"))
    service.work(Counted())
    row = service.rows(result)[0]
    with service.db.write() as link:  # as if it had been killed before it said so
        link.execute(result.delete())
        link.execute(series.update().values(state="queued"))
    service.work(Counted())
    again = service.rows(result)[0]
    assert calls == ["case_1"] and again.work_key == row.work_key
    assert service.states() == ["analyzed"]


@pytest.mark.slow
def test_refusals_of_the_analysis_are_final_and_faults_are_tried_three_times(
    service: Service, tmp_path: Path
) -> None:
    calls = []

    class Broken(Fake):
        def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
            calls.append(len(calls))
            raise (
                SeriesError("SLICE_LEVEL", "A slice is blank.")
                if len(calls) == 1
                else ZeroDivisionError(NAME)
            )

    service.admit(head(tmp_path / "one"))
    service.work(Broken())
    assert service.states() == ["refused SLICE_LEVEL"]
    service.admit(head(tmp_path / "two"))
    for _ in range(5):
        service.work(Broken())
        with service.db.write() as link:
            link.execute(series.update().values(lease_until=0.0))
    assert service.states()[1] == "failed INTERNAL_ERROR" and len(calls) == 1 + 3
    require_ended(service)


@pytest.mark.slow
def test_of_two_series_of_a_study_the_better_one_is_taken_and_the_other_if_it_fails(
    service: Service, tmp_path: Path
) -> None:
    good = head(tmp_path / "good")
    study = pydicom.dcmread(good[0]).StudyInstanceUID
    bone = [
        _changed(p, StudyInstanceUID=study, ConvolutionKernel="BONE")
        for p in head(tmp_path / "bone")
    ]
    service.admit(good)
    service.work()
    service.admit(bone)
    service.work()
    assert service.states() == ["analyzed", "not_head_ct BETTER_SERIES"]


@pytest.mark.slow
def test_identity_stands_in_its_table_only(service: Service, tmp_path: Path) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    (row,) = service.rows(identity)
    assert (row.name, row.patient_id) == (NAME, PATIENT)
    for table in metadata.tables.values():
        if table is not identity:
            said = str(service.rows(table))
            assert NAME not in said and PATIENT not in said
    names = " ".join(str(p) for p in service.settings.data.rglob("*"))
    assert NAME not in names and PATIENT not in names
    with service.db.write() as link:
        link.execute(identity.delete())  # deletable alone


def test_the_audit_chain_shows_a_change_and_the_database_refuses_it(
    service: Service, tmp_path: Path
) -> None:
    paths = head(tmp_path / "head", count=3)
    service.admit(paths)
    service.admit([_changed(p, WindowCenter=41) for p in paths])
    with pytest.raises(sa.exc.DBAPIError), service.db.write() as link:
        link.execute(audit.update().values(actor="nobody"))
    with service.db.read() as link:
        assert broken_at(link) is None
    with service.db.write() as link:
        link.exec_driver_sql(_DROP[link.dialect.name])
        link.execute(audit.update().where(audit.c.id == 2).values(actor="nobody"))
        assert broken_at(link) == 2


@pytest.mark.slow
def test_a_folder_of_results_that_was_removed_in_part_is_made_again(
    service: Service, tmp_path: Path
) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    folder = service.settings.data / service.rows(result)[0].folder
    (folder / "summary.json").unlink()
    with service.db.write() as link:
        link.execute(result.delete())
        link.execute(series.update().values(state="queued"))
    service.work()
    assert service.states() == ["analyzed"] and (folder / "summary.json").is_file()
    shutil.rmtree(folder)
