"""The whole service with the real networks, its processes and its supervisor killed meanwhile."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pydicom
import pytest

from monai_ich.service.settings import ROLES
from monai_ich.synth.dataset import design_case, write_case
from tests.service.service import (
    c_store,
    is_open,
    require_ended,
    require_kept,
    require_sent_once,
    wait_for,
)
from tests.service.site import REAL, Site, renew, site

_ROUNDS = int(os.environ.get("REAL_KILLS", "2"))  # `make bench-kills` has 10


def _study(like: list[Path], folder: Path) -> list[Path]:
    """The same head as another study."""
    folder.mkdir()
    for path, image in zip(like, renew(map(pydicom.dcmread, like)), strict=True):
        image.save_as(folder / path.name)
    return sorted(folder.iterdir())


def _kill(running: Site, role: str) -> None:
    """One role, or with an empty name the supervisor, which takes all with it."""
    if not role:
        running.kill_supervisor()
        running.restart()
        return
    for child in running.children():
        if any(word.startswith(role) for word in child.cmdline()):
            child.kill()


@pytest.mark.interop
def test_real_analyses_survive_kills(tmp_path: Path) -> None:
    case = design_case(710_001, pixels=96, thickness_mm=8.0, tilt_deg=0)
    write_case(case, tmp_path / "head", dicom=True)
    like = sorted((tmp_path / "head").rglob("*.dcm"))
    random_, taken = random.Random(20261129), list[Path]()
    settings = "settle_s = 0.5\nrestart_most_s = 0.5\nsend_wait_s = 0.2\n"
    with site(tmp_path, settings, REAL) as running:
        for number in range(_ROUNDS):
            wait_for(lambda: is_open(running.port))
            paths = _study(like, tmp_path / f"study_{number}")
            while rest := [path for path in paths if path not in taken]:
                taken += c_store(running.port, rest)
            time.sleep(random_.uniform(0.0, 15.0))
            _kill(running, ("work", "", *ROLES)[number % 2 if number < 2 else random_.randrange(6)])
        after = running.service()
        wait_for(lambda: {s.split()[0] for s in after.states()} <= {"sent", "failed"}, 900)
    require_kept(after, taken)
    require_ended(after)
    require_sent_once(after, running.archive)
    assert len(after.states()) == _ROUNDS
    assert {state for state in after.states() if state != "sent"} <= {"failed WORKER_DIED"}
    assert "sent" in after.states()
    assert "Traceback" not in (running.data / "test.log").read_text()
