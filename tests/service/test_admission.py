"""What is taken at the door: whole images with UIDs, and nothing that would stand in their way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from monai_ich.service import database
from monai_ich.service.admit import Status
from monai_ich.service.tables import instance, series
from tests.service.service import Service, head, require_kept

pytestmark = pytest.mark.slow


def _nothing_is_left(service: Service) -> bool:
    files = list(service.settings.data.glob("originals/*/*"))
    return not files and service.rows(instance) == [] and service.rows(series) == []


def test_a_part_of_an_image_is_refused_and_the_whole_one_taken(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    (path, *_) = head(tmp_path / "head", count=3)
    cut, short, squeezed = (tmp_path / f"{name}.dcm" for name in ("cut", "short", "squeezed"))
    whole = path.read_bytes()
    image = pydicom.dcmread(path)
    pixels = image.PixelData
    image.PixelData = pixels[:-2]
    image.save_as(short)
    image.PixelData = encapsulate([pixels])
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = RLELossless
    image.save_as(squeezed)
    squeezed.write_bytes(squeezed.read_bytes()[:-8])
    for number in (1, 100, 500):
        cut.write_bytes(whole[:-number])
        assert service.admit([cut]) == [Status.UNREADABLE], number
    assert service.admit([short]) == [Status.UNREADABLE]
    assert service.admit([squeezed])[0] in (Status.UNREADABLE, Status.NOT_AN_IMAGE)
    assert _nothing_is_left(service)
    assert service.admit([path]) == [Status.SUCCESS]
    require_kept(service, [path])


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("uid", ["../../token", "1.2/3", "1.2\0.3", "1" * 65, "1.2 or 1=1", ""])
def test_what_is_no_uid_is_refused(name: str, uid: str, tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    (path, *_) = head(tmp_path / "head", count=3)
    image = pydicom.dcmread(path)
    image.add_new(name, "UI", "1.2.3.4.5.6.7.8")
    image.save_as(tmp_path / "bad.dcm")
    content = (tmp_path / "bad.dcm").read_bytes()
    if len(uid) < 15:  # written byte for byte: pydicom warns of it
        content = content.replace(b"1.2.3.4.5.6.7.8", uid.encode().ljust(15, b"\0"))
    else:
        with pytest.warns(UserWarning, match="UI"):
            image.add_new(name, "UI", uid)
        image.save_as(tmp_path / "bad.dcm", enforce_file_format=False)
        content = (tmp_path / "bad.dcm").read_bytes()
    (tmp_path / "bad.dcm").write_bytes(content)
    assert service.admit([tmp_path / "bad.dcm"]) == [Status.UNREADABLE]
    assert _nothing_is_left(service)


def test_a_database_that_is_locked_takes_nothing_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_WAIT_S", 0.2)
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head", count=4)
    with sqlite3.connect(service.settings.data / "service.sqlite") as other:
        other.execute("BEGIN IMMEDIATE")
        assert set(service.admit(paths)) == {Status.NO_ROOM}
        other.rollback()
    other.close()
    assert service.rows(instance) == []
    assert set(service.admit(paths)) == {Status.SUCCESS}
    require_kept(service, paths)


def test_no_error_of_the_database_says_whose_image_it_was(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    with pytest.raises(sa.exc.IntegrityError) as fault, service.db.write() as link:
        link.execute(sa.text("INSERT INTO identity (study_id) VALUES (:name)"), {"name": "DOE"})
    assert "DOE" not in str(fault.value)
