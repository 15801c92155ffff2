"""`monai-ich send` over real sockets of this machine: plain and TLS, C-STORE and STOW, and what
must never be sent.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.presentation import AllStoragePresentationContexts

from monai_ich.cli.app import main
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from tests.certificates import make_authority, server_side
from tests.phantom import series
from tests.seg_contract import true_labels

TOKEN = "ZQ-secret-token"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SEG and a SR of a patient."""
    folder = tmp_path_factory.mktemp("results")
    scan = read_ct(series(folder / "ct", PatientName="DOE^JANE", PatientID="ZQ4711"))
    write_nifti(folder / "ich.nii.gz", true_labels(scan.volume.geometry))
    words = (
        "export",
        folder / "ich.nii.gz",
        "--ct",
        folder / "ct",
        "-o",
        folder / "out",
        "--to",
        "dicom-sr",
    )
    assert main([str(word) for word in words]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_authority(tmp_path_factory.mktemp("ours") / "ours.pem")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_authority(tmp_path_factory.mktemp("others") / "others.pem")


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONAI_ICH_TOKEN", TOKEN)


def _naming(body: bytes) -> dict[str, object]:
    """What an archive answers that took the object of a request."""
    if b"DICM" not in body:
        return {}
    whole = BytesIO(body[body.index(b"DICM") - 128 : body.rindex(b"\r\n--")])
    uid = str(pydicom.dcmread(whole, stop_before_pixels=True).SOPInstanceUID)
    return {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}}]}}


@contextmanager
def archive(tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[pydicom.Dataset]]]:
    """A storage provider: its port and what it took."""
    taken: list[pydicom.Dataset] = []

    def store(event: evt.Event) -> int:
        taken.append(event.dataset)
        return 0

    entity = AE(ae_title="ARCHIVE")
    entity.supported_contexts = AllStoragePresentationContexts
    entity.add_supported_context("1.2.840.10008.5.1.4.1.1.66.4")
    handlers = [(evt.EVT_C_STORE, store)]
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=tls
    )
    assert server is not None
    try:
        yield server.server_address[1], taken
    finally:
        server.shutdown()


@dataclass
class Web:
    """A DICOMweb server: what it was asked, and what it answers (each status once, then 200)."""

    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and Authorization
    bodies: list[bytes] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)  # status and Location


@contextmanager
def web(tls: ssl.SSLContext | None = None, *answers: tuple[int, str]) -> Iterator[Web]:
    served = Web(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            served.asked.append((self.path, self.headers.get("Authorization", "")))
            served.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            status, location = served.answers.pop(0) if served.answers else (200, "")
            body = json.dumps(_naming(served.bodies[-1])).encode()
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *words: None  # type: ignore[method-assign]  # a client that goes away is expected
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def send(results: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Exit code and all that was said; neither patient nor credentials are ever among it."""

    def run(*words: object) -> tuple[int, str]:
        status = main([str(word) for word in ("send", results, *words)])
        said = "".join(capsys.readouterr())
        assert "ZQ" not in said and "DOE" not in said and "Traceback" not in said
        return status, said

    return run


def _dimse(port: int, *more: object) -> tuple[object, ...]:
    return ("--to", "dimse", "--host", "127.0.0.1", "--port", port, "--called", "ARCHIVE", *more)


def _dicomweb(port: int, *more: object, scheme: str = "https") -> tuple[object, ...]:
    return ("--to", "dicomweb", "--url", f"{scheme}://127.0.0.1:{port}/dicom-web", *more)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
def test_c_store_hands_over_every_object(
    send: Callable, results: Path, ours: Path, encrypted: bool
) -> None:
    how = ("--tls", "--ca", ours) if encrypted else ()
    with archive(server_side(ours) if encrypted else None) as (port, taken):
        status, said = send(*_dimse(port, *how))
    assert status == 0 and said.splitlines() == ["seg.dcm: accepted", "sr.dcm: accepted"]
    for got, name in zip(taken, ("seg.dcm", "sr.dcm"), strict=True):
        assert got == pydicom.dcmread(results / name)


def test_an_archive_of_another_authority_gets_nothing(
    send: Callable, ours: Path, others: Path
) -> None:
    with archive(server_side(ours)) as (port, taken), web(server_side(ours)) as served:
        for words in (_dimse(port, "--tls"), _dicomweb(served.port)):
            for trust in (("--ca", others), ()):
                start = time.monotonic()
                status, said = send(*words, *trust)
                assert status == 3 and "NOT_TRUSTED" in said and "--ca" in said
                assert time.monotonic() - start < 30  # not tried again
    assert taken == [] and served.asked == []


def test_a_certificate_for_another_address_is_not_trusted(send: Callable, tmp_path: Path) -> None:
    elsewhere = make_authority(tmp_path / "elsewhere.pem", address="192.0.2.1")
    with archive(server_side(elsewhere)) as (port, taken), web(server_side(elsewhere)) as served:
        for words in (_dimse(port, "--tls"), _dicomweb(served.port)):
            status, said = send(*words, "--ca", elsewhere)
            assert status == 3 and "NOT_TRUSTED" in said
    assert taken == [] and served.asked == []


def test_an_archive_that_asks_who_is_there_is_told(
    send: Callable, ours: Path, others: Path
) -> None:
    with archive(server_side(ours, clients=others)) as (port, taken):
        status, said = send(*_dimse(port, "--tls", "--ca", ours, "--tries", 1))
        assert status == 3 and "NO_CONNECTION" in said and "--cert" in said and taken == []
        status, _ = send(*_dimse(port, "--tls", "--ca", ours, "--cert", others))
        assert status == 0 and len(taken) == 2


def test_a_port_without_tls_is_told(send: Callable, ours: Path) -> None:
    with web() as served:
        for words in (_dimse(served.port, "--tls"), _dicomweb(served.port)):
            status, said = send(*words, "--ca", ours, "--tries", 1)
            assert status == 3 and "NO_TLS" in said
    assert served.asked == []


@pytest.mark.parametrize("to", ["dimse", "dicomweb"])
def test_a_file_that_is_no_certificate_is_refused(send: Callable, results: Path, to: str) -> None:
    words = _dimse(1, "--tls") if to == "dimse" else _dicomweb(1)
    for ca in (results / "seg.dcm", results / "missing.pem"):
        status, said = send(*words, "--ca", ca)
        assert status == 3 and "BAD_CERTIFICATE" in said


@pytest.mark.slow
def test_stow_over_https_sends_objects_and_token(send: Callable, results: Path, ours: Path) -> None:
    with web(server_side(ours), (503, "")) as served:
        status, said = send(*_dicomweb(served.port, "--ca", ours, "--tries", 2))
    assert status == 0 and said.splitlines() == ["seg.dcm: accepted", "sr.dcm: accepted"]
    assert served.asked == [("/dicom-web/studies", f"Bearer {TOKEN}")] * 3  # once more after "busy"
    for name in ("seg.dcm", "sr.dcm"):
        assert any(
            pydicom.dcmread(results / name).SOPInstanceUID.encode() in body
            for body in served.bodies
        )


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("where", ["another server", "without encryption"])
def test_a_redirect_gets_neither_credentials_nor_patient(
    send: Callable, ours: Path, others: Path, status: int, where: str
) -> None:
    with web(server_side(others) if where == "another server" else None) as thief:
        scheme = "https" if where == "another server" else "http"
        location = f"{scheme}://127.0.0.1:{thief.port}/dicom-web/studies"
        with web(server_side(ours), (status, location)) as served:
            code, said = send(*_dicomweb(served.port, "--ca", ours))
    assert code == 3 and "REDIRECTED" in said and thief.asked == [] and len(served.asked) == 1


def test_a_server_that_refuses_the_token_is_not_asked_again(send: Callable, ours: Path) -> None:
    with web(server_side(ours), (401, "")) as served:
        status, said = send(*_dicomweb(served.port, "--ca", ours))
    assert status == 3 and "NOT_AUTHORIZED" in said and len(served.asked) == 1
