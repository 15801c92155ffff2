"""The DICOM port: whom it takes, and what it answers on the wire."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification

from monai_ich.service import receive
from monai_ich.service.receive import Receiver
from monai_ich.service.tables import open_association
from tests.certificates import make_authority
from tests.service.service import Service, c_store, free_port, head, require_kept, wait_for

pytestmark = pytest.mark.slow


@contextmanager
def _receiving(service: Service) -> Iterator[int]:
    receiver = Receiver(service.db, service.settings, "here/receive")
    receiver.start()
    yield service.settings.dicom_port
    receiver.stop()


def _associated(port: int, tls: ssl.SSLContext | None = None, *, called: str = "ANY-SCP") -> bool:
    entity = AE(ae_title="TEST")
    entity.connection_timeout = entity.acse_timeout = 60.0
    entity.add_requested_context(Verification)
    link = entity.associate(
        "127.0.0.1",
        port,
        ae_title=called,
        tls_args=(tls, "127.0.0.1") if tls is not None else None,
    )
    answered = link.is_established and link.send_c_echo().Status == 0
    if link.is_established:
        link.release()
    return bool(answered)


def test_an_image_may_come_in_few_pieces(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", dicom_port=free_port())
    entity = AE(ae_title="TEST")
    entity.add_requested_context(Verification)
    with _receiving(service) as port:
        link = entity.associate("127.0.0.1", port)
        most_bytes = link.acceptor.maximum_length
        link.release()
    assert most_bytes >= 131_072, "what DCMTK sends at most"


def test_images_come_in_and_the_association_delays_no_longer_than_it_lasts(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path / "data", dicom_port=free_port())
    paths = head(tmp_path / "head", count=6)
    with _receiving(service) as port:
        assert _associated(port)
        assert c_store(port, paths) == paths
        wait_for(lambda: service.rows(open_association) == [])
        require_kept(service, paths)
        other = pydicom.dcmread(paths[0])
        other.WindowCenter = 41
        entity = AE(ae_title="TEST")
        entity.add_requested_context(CTImageStorage)
        link = entity.associate("127.0.0.1", port)
        assert link.send_c_store(other).Status == 0xB000
        other.SOPInstanceUID = "1.2.3.4"
        del other.PixelData, other.Rows
        assert link.send_c_store(other).Status == 0x0122
        del other.StudyInstanceUID
        assert link.send_c_store(other).Status == 0xC000
        link.release()
    assert not list((service.settings.data / "incoming").rglob("*.dcm"))


def test_without_room_associations_are_rejected_and_strangers_always(tmp_path: Path) -> None:
    full = Service(
        tmp_path / "full", dicom_port=free_port(), reserve_bytes=1 << 60, reserve_share=1.0
    )
    with _receiving(full) as port:
        assert not _associated(port)
    closed = Service(tmp_path / "closed", dicom_port=free_port(), callers=("PACS",))
    with _receiving(closed) as port:
        assert not _associated(port)
    known = Service(tmp_path / "known", dicom_port=free_port(), callers=("PACS", "TEST"))
    with _receiving(known) as port:
        assert _associated(port)


def test_who_calls_another_title_is_rejected_where_that_is_asked_for(tmp_path: Path) -> None:
    open_ = Service(tmp_path / "open", dicom_port=free_port(), ae_title="ICH")
    with _receiving(open_) as port:
        assert _associated(port)
    strict = Service(
        tmp_path / "strict", dicom_port=free_port(), ae_title="ICH", require_called=True
    )
    with _receiving(strict) as port:
        assert not _associated(port) and _associated(port, called="ICH")


def test_temporary_files_go_into_the_data_folder_only_while_it_receives(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    service = Service(tmp_path / "data", dicom_port=free_port())
    with _receiving(service):
        assert Path(tempfile.gettempdir()).is_relative_to(service.settings.data)
    assert tempfile.gettempdir() == before


def test_clients_that_stop_midway_hold_no_place_and_no_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A modality without power says nothing any more; one with a broken PDU says too much."""
    monkeypatch.setattr(receive, "_IDLE_S", 1.0)
    monkeypatch.setattr(receive, "_MOST_ASSOCIATIONS", 2)
    service = Service(tmp_path / "data", dicom_port=free_port())
    paths = head(tmp_path / "head", count=4)
    with _receiving(service) as port:
        entity = AE(ae_title="TEST")
        entity.add_requested_context(CTImageStorage)
        link = entity.associate("127.0.0.1", port)
        assert link.send_c_store(pydicom.dcmread(paths[0])).Status == 0
        sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        sockets[0].sendall(b"\x01\x00\xff\xff\xff\xff" + b"\0" * 1000)  # 4 GB announced
        sockets[1].sendall(b"\x04\x00")
        sockets[2].sendall(b"GET / HTTP/1.1\r\n\r\n")
        wait_for(lambda: service.rows(open_association) == [], 60)
        wait_for(lambda: c_store(port, paths) == paths, 60)
        for one in sockets:
            one.close()
    require_kept(service, paths)


def test_over_tls_only_clients_with_a_certificate_are_answered(tmp_path: Path) -> None:
    ours = str(make_authority(tmp_path / "ours.pem"))
    others = str(make_authority(tmp_path / "others.pem"))
    files = {"dicom_cert": ours, "dicom_key": ours, "dicom_ca": ours}
    service = Service(tmp_path / "data", dicom_port=free_port(), **files)
    with _receiving(service) as port:
        for certificate, is_taken in ((ours, True), (others, False), ("", False)):
            tls = ssl.create_default_context(cafile=ours)
            if certificate:
                tls.load_cert_chain(certificate)
            assert _associated(port, tls) is is_taken
        assert not _associated(port), "not in plain either"


def test_who_says_nothing_on_the_tls_port_keeps_no_other_waiting(tmp_path: Path) -> None:
    ours = str(make_authority(tmp_path / "ours.pem"))
    service = Service(tmp_path / "data", dicom_port=free_port(), dicom_cert=ours, dicom_key=ours)
    with _receiving(service) as port, socket.create_connection(("127.0.0.1", port)):
        assert _associated(port, ssl.create_default_context(cafile=ours))
