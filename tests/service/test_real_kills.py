"""The whole service with the real networks, its processes and its supervisor killed meanwhile."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import psutil
import pydicom
import pytest
from pydicom.uid import generate_uid

from monai_ich.service.settings import ROLES
from monai_ich.synth.dataset import design_case, write_case
from tests.service.fake import keep
from tests.service.service import (
    Service,
    c_store,
    free_port,
    is_open,
    require_ended,
    require_kept,
    require_sent_once,
    start,
    wait_for,
)

_ROUNDS = int(os.environ.get("REAL_KILLS", "2"))  # `make bench-kills` has 10
_REAL = ("--pipeline", "monai_ich.service.analyzer:load")


def _study(like: list[Path], folder: Path) -> list[Path]:
    """The same head as another study: it is analyzed anew."""
    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    for path in like:
        image = pydicom.dcmread(path)
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.save_as(folder / path.name)
    return sorted(folder.iterdir())


def _kill(service: subprocess.Popen[bytes], role: str) -> None:
    """One role, or with an empty name the supervisor, which takes all with it."""
    if not role:
        service.kill()
        service.wait()
        return
    for child in psutil.Process(service.pid).children():
        if any(word.startswith(role) for word in child.cmdline()):
            child.kill()


@pytest.mark.interop
def test_real_analyses_survive_kills(tmp_path: Path) -> None:
    data, archive, port, to = tmp_path / "data", tmp_path / "archive", free_port(), free_port()
    archive.mkdir()
    data.mkdir()
    (data / "service.toml").write_text(
        f"dicom_port = {port}\nweb_port = {free_port()}\nsettle_s = 0.5\nreserve_bytes = 0\n"
        "restart_most_s = 0.5\nsend_wait_s = 0.2\n"
        f'[[destination]]\nname = "archive"\nhost = "127.0.0.1"\nport = {to}\n'
    )
    case = design_case(710_001, pixels=96, thickness_mm=8.0, tilt_deg=0)
    write_case(case, tmp_path / "head", dicom=True)
    like = sorted((tmp_path / "head").rglob("*.dcm"))
    server, random_ = keep(to, archive), random.Random(20261129)
    service, taken = start("", data, *_REAL), list[Path]()
    try:
        for number in range(_ROUNDS):
            wait_for(lambda: is_open(port))
            paths = _study(like, tmp_path / f"study_{number}")
            while rest := [path for path in paths if path not in taken]:
                taken += c_store(port, rest)
            time.sleep(random_.uniform(0.0, 15.0))
            role = ("work", "", *ROLES)[number % 2 if number < 2 else random_.randrange(6)]
            _kill(service, role)
            if not role:
                wait_for(lambda: not is_open(port))
                service = start("", data, *_REAL)
        after = Service(data)
        wait_for(lambda: {s.split()[0] for s in after.states()} <= {"sent", "failed"}, 900)
    finally:
        service.terminate()
        service.wait(60)
        server.shutdown()  # type: ignore[attr-defined]
    require_kept(after, taken)
    require_ended(after)
    require_sent_once(after, archive)
    assert len(after.states()) == _ROUNDS
    assert {state for state in after.states() if state != "sent"} <= {"failed WORKER_DIED"}
    assert "sent" in after.states()
    assert "Traceback" not in (data / "test.log").read_text()
