"""A disk that is really full: nothing is acknowledged that is not kept; it goes on when freed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from monai_ich.service.receive import Receiver
from monai_ich.service.tables import instance
from tests.service.service import Service, c_store, free_port, head, require_ended, require_kept

pytestmark = pytest.mark.interop
_BLOCK = 1 << 16


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """8 MB of their own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(path: Path, *, leave: int) -> None:
    """Until `leave` bytes are free."""
    with path.open("wb") as stream:
        try:
            while stream.write(b"\0" * _BLOCK):
                stream.flush()
        except OSError:
            pass
    with path.open("r+b") as stream:
        stream.truncate(max(0, path.stat().st_size - leave))


@pytest.mark.parametrize("leave", [0, 60_000])
def test_what_a_full_disk_does_not_take_is_sent_again(
    small_disk: Path, tmp_path: Path, leave: int
) -> None:
    service = Service(small_disk / "data", dicom_port=free_port())
    paths = head(tmp_path / "head", count=12)
    receiver = Receiver(service.db, service.settings, "here/receive")
    receiver.start()
    try:
        _fill(small_disk / "filler", leave=leave)
        taken = []
        for path in paths:  # an association each: one of them may be aborted
            entity = AE(ae_title="TEST")
            entity.add_requested_context(CTImageStorage)
            link = entity.associate("127.0.0.1", service.settings.dicom_port)
            if not link.is_established:
                continue
            status = link.send_c_store(pydicom.dcmread(path)).get("Status")
            assert status in (0, 0xA700, None), status
            taken += [path] if status == 0 else []
            link.release()
        assert len(taken) < len(paths)
        require_kept(service, taken)
        (small_disk / "filler").unlink()
        assert c_store(service.settings.dicom_port, paths) == paths
    finally:
        receiver.stop()
    assert len(service.rows(instance)) == len(paths)
    require_kept(service, paths)
    service.work()
    require_ended(service)
    assert service.states() == ["analyzed"]
