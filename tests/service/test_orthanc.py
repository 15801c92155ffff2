"""Orthanc sends images and takes results, by C-STORE and STOW-RS; killed and down in between.

It listens on every address whatever it is told, so everything here has a network of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monai_ich.service.states import Sending
from monai_ich.service.tables import heartbeat, outbox
from tests.service.service import NAME, PATIENT, Service, head, require_kept, start, wait_for

pytestmark = pytest.mark.interop
_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_LOOPBACK = (
    "import fcntl, socket, struct, time; fcntl.ioctl(socket.socket(), 0x8914, "
    "struct.pack('16sh14x', b'lo', 1)); print('up', flush=True); time.sleep(3600)"
)
_ASK = """
import sys, urllib.request
method, path = sys.argv[1:]
body = sys.stdin.buffer.read()
request = urllib.request.Request("http://127.0.0.1:8042" + path, data=body or None, method=method)
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""
_SETTINGS = """
settle_s = 1.0
reserve_bytes = 0
send_wait_s = 0.2
send_wait_most_s = 1.0
web_port = 8043
[[destination]]
name = "dimse"
host = "127.0.0.1"
port = 4242
called = "ORTHANC"
[[destination]]
name = "stow"
kind = "dicomweb"
url = "http://127.0.0.1:8042/dicom-web"
"""


class Orthanc:
    """An archive in `folder`, on the network of `inside`."""

    def __init__(self, folder: Path, inside: list[str]) -> None:
        self.folder, self.inside = folder, inside
        settings = {
            "DicomPort": 4242,
            "HttpPort": 8042,
            "AuthenticationEnabled": False,
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "Plugins": [str(_DICOMWEB)],
            "DicomModalities": {"ich": ["MONAI-ICH", "127.0.0.1", 11112]},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))

    @contextmanager
    def up(self) -> Iterator[None]:
        """It runs."""
        with (self.folder / "log").open("w") as log:
            server = subprocess.Popen(
                [*self.inside, "Orthanc", str(self.folder / "orthanc.json")], stdout=log, stderr=log
            )
        try:
            wait_for(lambda: "Orthanc has started" in (self.folder / "log").read_text(), 120)
            yield
        finally:
            server.terminate()
            server.wait(60)

    def ask(self, method: str, path: str, body: bytes = b"") -> Any:
        """What its REST interface answers."""
        done = subprocess.run(
            [*self.inside, sys.executable, "-c", _ASK, method, path],
            input=body,
            capture_output=True,
            check=True,
            timeout=120,
        )
        return json.loads(done.stdout)

    def send(self, study: str) -> None:
        """C-STORE all of a study to the service."""
        self.ask("POST", "/modalities/ich/store", study.encode())


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """Not yet up."""
    if not _DICOMWEB.exists() or shutil.which("Orthanc") is None:
        pytest.skip("orthanc-dicomweb is not installed")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("this machine forbids network namespaces")
    (tmp_path / "orthanc").mkdir()
    network = subprocess.Popen(
        ["unshare", "-n", sys.executable, "-c", _LOOPBACK], stdout=subprocess.PIPE
    )
    assert network.stdout is not None and network.stdout.readline() == b"up\n"
    yield Orthanc(tmp_path / "orthanc", ["nsenter", "-t", str(network.pid), "-n"])
    network.kill()
    network.wait()


def test_orthanc_sends_images_and_holds_each_result_once(orthanc: Orthanc, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "service.toml").write_text(_SETTINGS)
    service = Service(data)
    one, two = head(tmp_path / "one", count=8), head(tmp_path / "two", count=8)
    roles = [start(role, data, inside=orthanc.inside) for role in ("receive", "work")]
    try:
        with orthanc.up():
            for path in (*one, *two):
                orthanc.ask("POST", "/instances", path.read_bytes())
            first, second = orthanc.ask("GET", "/studies")
            wait_for(lambda: "receive" in _alive(service))
            orthanc.send(first)
            wait_for(lambda: service.states() == ["sending"])
            for _ in range(3):  # the archive has it, and nobody noted that
                sender = start("send", data, crash_at="archive_accepted", inside=orthanc.inside)
                assert sender.wait(120) < 0
            roles.append(start("send", data, inside=orthanc.inside))
            wait_for(lambda: service.states() == ["sent"])
            orthanc.send(second)
            wait_for(lambda: len(service.states()) == 2)
        wait_for(lambda: any(r.reason for r in service.rows(outbox)))
        assert "sending" in service.states(), "the archive is down"
        with orthanc.up():
            wait_for(lambda: service.states() == ["sent", "sent"])
            events = orthanc.ask("GET", "/changes?limit=1000")["Changes"]
            new = Counter(e["ID"] for e in events if e["ChangeType"] == "NewInstance")
            assert len(new) == len(one) + len(two) + 2 * 4 and set(new.values()) == {1}
            orthanc.send(first)  # our own results come back with the images
            wait_for(lambda: "not_head_ct OWN_RESULT" in service.states())
            assert service.states()[:2] == ["sent", "sent"]
    finally:
        for role in roles:
            role.terminate()
            role.wait(60)
    require_kept(service, [*one, *two])
    rows = service.rows(outbox)
    assert {(r.state, r.destination) for r in rows} == {
        (Sending.SENT, "dimse"),
        (Sending.SENT, "stow"),
    }
    log = (data / "test.log").read_text()
    assert NAME not in log and PATIENT not in log and "Traceback" not in log


def _alive(service: Service) -> set[str]:
    return {row.role for row in service.rows(heartbeat)}
