"""Archives that are down, refuse, drop or stay silent: an object is sent when they said so."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (
    Comprehensive3DSRStorage,
    SecondaryCaptureImageStorage,
    StorageCommitmentPushModel,
)

from monai_ich.service.send import run_send, send_again
from monai_ich.service.settings import Destination
from monai_ich.service.states import Sending
from monai_ich.service.tables import audit, outbox
from tests.certificates import make_authority, server_side
from tests.service.fake import keep
from tests.service.service import (
    Service,
    archive_at,
    free_port,
    head,
    require_sent_once,
    wait_for,
)

pytestmark = pytest.mark.slow


def _analyzed(tmp_path: Path, place: Destination, **values: object) -> Service:
    service = Service(tmp_path / "data", destinations=(place,), **values)
    service.admit(head(tmp_path / "head"))
    service.work()
    return service


def _try_now(service: Service) -> None:
    with service.db.write() as link:
        link.execute(outbox.update().values(next_try_at=0.0))
    service.send()


@contextmanager
def _serving(
    handlers: list[object], known: Sequence[str] | None = None, **values: object
) -> Iterator[int]:
    """An archive that knows all storage classes, or these."""
    entity, port = AE(ae_title="ARCHIVE"), free_port()
    for name in known or [str(c.abstract_syntax) for c in AllStoragePresentationContexts]:
        entity.add_supported_context(name, ALL_TRANSFER_SYNTAXES)
    entity.add_supported_context(StorageCommitmentPushModel)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, **values)
    yield port
    server.shutdown()


def test_an_archive_that_is_down_gets_all_once_it_is_back(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "archive"
    folder.mkdir()
    service = _analyzed(tmp_path, archive_at(port), send_wait_s=1e6, send_tries=1)
    service.send()
    assert service.states() == ["sending"]
    first = service.rows(outbox)[0]
    assert (first.state, first.reason, first.tries) == (Sending.PENDING, "NO_CONNECTION", 1)
    server = keep(port, folder)
    _try_now(service)
    assert service.states() == ["sent"]
    require_sent_once(service, folder)
    server.shutdown()  # type: ignore[attr-defined]


def test_what_an_archive_refuses_ends_after_its_tries_and_can_be_sent_again(
    tmp_path: Path,
) -> None:
    port, folder = free_port(), tmp_path / "archive"
    folder.mkdir()
    (folder / "refuse").touch()
    server = keep(port, folder)
    service = _analyzed(tmp_path, archive_at(port), send_tries=3)
    service.send()
    assert {(r.state, r.reason, r.tries) for r in service.rows(outbox)} == {
        (Sending.FAILED, "status A700", 3)
    }
    assert service.states() == ["sending"], "what was not accepted is never called sent"
    (folder / "refuse").unlink()
    with service.db.write() as link:
        assert send_again(link, 1)
    service.send()
    assert service.states() == ["sent"]
    require_sent_once(service, folder)
    server.shutdown()  # type: ignore[attr-defined]


def test_an_archive_that_takes_and_drops_is_asked_again(tmp_path: Path) -> None:
    dropped = []

    def store(event: evt.Event) -> int:
        if len(dropped) < 2:
            dropped.append(1)
            event.assoc.abort()
        return 0

    with _serving([(evt.EVT_C_STORE, store)]) as port:
        service = _analyzed(tmp_path, archive_at(port), send_wait_s=1e6)
        service.send()
        assert service.rows(outbox)[0].state == Sending.PENDING
        assert service.rows(outbox)[0].reason == "NO_CONNECTION"
        _try_now(service)
        _try_now(service)
        assert service.states() == ["sent"]


def test_what_an_archive_keeps_with_a_warning_is_sent_and_the_warning_told(
    tmp_path: Path,
) -> None:
    with _serving([(evt.EVT_C_STORE, lambda event: 0xB000)]) as port:
        service = _analyzed(tmp_path, archive_at(port))
        service.send()
    rows = service.rows(outbox)
    assert {(r.state, r.reason, r.tries) for r in rows} == {(Sending.SENT, "warning B000", 1)}
    assert service.states() == ["sent"]
    noted = [(r.actor, r.action, r.detail) for r in service.rows(audit)]
    assert noted[-1] == ("send", "sr.dcm stored by archive", "warning B000")


def test_an_archive_that_never_answers_delays_no_other(tmp_path: Path) -> None:
    answer, stop = threading.Event(), threading.Event()

    def silent(event: evt.Event) -> int:
        answer.wait(60)
        return 0

    quick = _serving([(evt.EVT_C_STORE, lambda event: 0)])
    with _serving([(evt.EVT_C_STORE, silent)]) as slow_port, quick as port:
        places = (archive_at(slow_port, name="slow"), archive_at(port, name="quick"))
        service = Service(tmp_path / "data", destinations=places)
        service.admit(head(tmp_path / "head"))
        service.work()
        sending = threading.Thread(target=run_send, args=(service.db, service.settings, "a", stop))
        sending.start()
        wait_for(lambda: _sent(service) == {"quick": 4}, 60)
        answer.set()
        wait_for(lambda: _sent(service) == {"quick": 4, "slow": 4}, 60)
        assert service.states() == ["sent"]
        stop.set()
        sending.join(60)


def _sent(service: Service) -> dict[str, int]:
    rows = service.rows(outbox)
    return dict(Counter(r.destination for r in rows if r.state == Sending.SENT))


def test_what_waits_is_sent_though_the_clock_was_set_back(tmp_path: Path) -> None:
    with _serving([(evt.EVT_C_STORE, lambda event: 0)]) as port:
        service = _analyzed(tmp_path, archive_at(port))
        with service.db.write() as link:
            ahead = time.time() + 86_400.0
            link.execute(outbox.update().values(next_try_at=ahead, lease_until=ahead))
        service.send()
        assert service.states() == ["sent"]


def test_the_report_goes_last(tmp_path: Path) -> None:
    order = []

    def store(event: evt.Event) -> int:
        order.append(str(event.request.AffectedSOPClassUID.name))
        return 0

    with _serving([(evt.EVT_C_STORE, store)]) as port:
        service = _analyzed(tmp_path, archive_at(port))
        service.send()
    assert len(order) == 4 and order[-1] == "Comprehensive 3D SR Storage"


def test_a_kind_of_object_that_an_archive_does_not_know_holds_nothing_back(
    tmp_path: Path,
) -> None:
    """It refuses the association of each segmentation; what comes after it is sent all the same."""
    taken = []

    def store(event: evt.Event) -> int:
        taken.append(str(event.request.AffectedSOPClassUID.name))
        return 0

    known = [SecondaryCaptureImageStorage, Comprehensive3DSRStorage]
    with _serving([(evt.EVT_C_STORE, store)], known) as port:
        service = _analyzed(tmp_path, archive_at(port), send_tries=1)
        for _ in range(4):
            _try_now(service)
    assert taken == ["Secondary Capture Image Storage", "Comprehensive 3D SR Storage"]
    refused = [row for row in service.rows(outbox) if row.state != "sent"]
    assert len(refused) == 2
    assert all("does not take this kind" in row.reason for row in refused)


def test_a_certificate_that_is_not_trusted_gets_nothing(tmp_path: Path) -> None:
    ours = make_authority(tmp_path / "ours.pem")
    others = make_authority(tmp_path / "others.pem")
    taken: list[int] = []

    def store(event: evt.Event) -> int:
        taken.append(1)
        return 0

    with _serving([(evt.EVT_C_STORE, store)], ssl_context=server_side(others)) as port:
        place = archive_at(port, tls=True, ca=str(ours))
        service = _analyzed(tmp_path, place, send_wait_s=1e6)
        service.send()
        assert not taken and service.rows(outbox)[0].reason == "NOT_TRUSTED"


def test_storage_commitment_is_waited_for(tmp_path: Path) -> None:
    commits = [False]

    def store(event: evt.Event) -> int:
        return 0

    def action(event: evt.Event) -> tuple[int, None]:
        asked = event.action_information

        def answer() -> None:
            said = pydicom.Dataset()
            said.TransactionUID = asked.TransactionUID
            event.assoc.send_n_event_report(
                said,
                1 if commits[0] else 2,
                StorageCommitmentPushModel,
                "1.2.840.10008.1.20.1.1",
            )

        threading.Timer(0.2, answer).start()
        return 0, None

    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_N_ACTION, action)]
    with _serving(handlers) as port:
        place = archive_at(port, commitment=True)
        service = _analyzed(tmp_path, place, send_tries=1)
        service.send()
        assert {r.reason for r in service.rows(outbox)} == {"the archive does not commit itself"}
        commits[0] = True
        with service.db.write() as link:
            send_again(link, 1)
        service.send()
        assert service.states() == ["sent"]


@pytest.mark.parametrize(
    ("status", "names_it", "state", "reason"),
    [
        (200, True, Sending.SENT, ""),
        (200, False, Sending.FAILED, "the answer names no object"),
        (503, False, Sending.PENDING, "SERVER_ERROR"),
        (409, False, Sending.FAILED, "HTTP 409"),
    ],
)
def test_stow_counts_only_what_the_answer_names(
    tmp_path: Path, status: int, names_it: bool, state: Sending, reason: str
) -> None:
    class Archive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            start = body.index(b"DICM") - 128
            path = tmp_path / "taken.dcm"
            path.write_bytes(body[start : body.rindex(b"\r\n--")])
            uid = str(pydicom.dcmread(path).SOPInstanceUID)
            item = {"00081155": {"vr": "UI", "Value": [uid]}}
            answer = {"00081199": {"vr": "SQ", "Value": [item]}} if names_it else {}
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = Destination("web", kind="dicomweb", url=f"http://127.0.0.1:{server.server_port}/dw")
    service = _analyzed(tmp_path, place, send_tries=1, send_wait_s=1e6)
    service.send()
    first = service.rows(outbox)[0]
    assert (first.state, first.reason) == (state, reason)
    server.shutdown()
