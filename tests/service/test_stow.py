"""STOW-RS: what is posted is admitted as by C-STORE is; a broken request stores nothing."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pydicom
import pytest
from starlette.testclient import TestClient

from monai_ich.service.states import State
from monai_ich.service.stow import Parts
from monai_ich.service.tables import instance
from monai_ich.service.web import Web
from tests.service.service import Service, head, require_kept

pytestmark = pytest.mark.slow

_KIND = 'multipart/related; type="application/dicom"; boundary=XX'


def _posted(
    service: Service, body: bytes, *, kind: str = _KIND, study: str = ""
) -> tuple[int, dict[str, Any]]:
    client = TestClient(
        Web(service.db, service.settings, "here/web").app(), base_url="http://127.0.0.1:8042"
    )
    token = (service.settings.data / "token").read_text()
    answer = client.post(
        f"/dicom-web/studies{study}",
        content=body,
        headers={"content-type": kind, "authorization": f"Bearer {token}"},
    )
    assert not list((service.settings.data / "incoming").iterdir())
    return answer.status_code, answer.json()


def _body(files: list[Path]) -> bytes:
    parts = (
        b"--XX\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n"
        for path in files
    )
    return b"".join(parts) + b"--XX--\r\n"


def test_stow_admits_like_c_store(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head")
    text = tmp_path / "text.dcm"
    text.write_bytes(b"nothing")
    status, said = _posted(service, _body(paths))
    assert status == 200 and len(said["00081199"]["Value"]) == len(paths)
    first = pydicom.dcmread(paths[0])
    assert said["00081199"]["Value"][0]["00081150"]["Value"] == [first.SOPClassUID]
    assert said["00081199"]["Value"][0]["00081155"]["Value"] == [first.SOPInstanceUID]
    assert _posted(service, _body([paths[0], text]))[0] == 202
    status, said = _posted(service, _body([text]))
    assert status == 409 and said["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert _posted(service, b"x", kind="text/plain")[0] == 415
    service.work()
    assert service.states() == [State.ANALYZED]
    full = Service(service.settings.data, reserve_bytes=1 << 60, reserve_share=1.0)
    assert _posted(full, _body(paths))[0] == 503


def test_an_object_of_another_study_than_the_address_names_is_refused(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    (path, *_) = head(tmp_path / "head", count=3)
    status, said = _posted(service, _body([path]), study="/1.2.3")
    assert status == 409 and said["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    study = pydicom.dcmread(path).StudyInstanceUID
    assert _posted(service, _body([path]), study=f"/{study}")[0] == 200


def test_a_body_that_breaks_off_or_is_garbage_stores_nothing(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head", count=3)
    whole = _body(paths)
    for body in (whole[:-20], whole[: len(whole) // 2], b"garbage", b"--XX\r\nno header", b""):
        status, said = _posted(service, body)
        assert (status, said["code"]) == (400, "BROKEN_BODY"), body[:20]
    assert service.rows(instance) == []
    assert _posted(service, whole)[0] == 200
    require_kept(service, paths)


def test_a_disk_that_is_full_meanwhile_is_not_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    service = Service(tmp_path / "data")
    paths = head(tmp_path / "head", count=3)
    monkeypatch.setattr(Parts, "_data", full)
    assert _posted(service, _body(paths))[0] == 503
    monkeypatch.undo()
    assert _posted(service, _body(paths))[0] == 200
