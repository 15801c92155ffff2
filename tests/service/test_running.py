"""The whole service as processes: DCMTK sends, any process is killed, logs hold no identity."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from monai_ich.cli.app import main
from monai_ich.service.database import Database
from monai_ich.service.settings import read_settings
from monai_ich.service.states import State
from monai_ich.service.tables import series
from tests.service.service import (
    NAME,
    PATIENT,
    Service,
    c_store,
    free_port,
    head,
    is_open,
    require_ended,
    require_kept,
    require_sent_once,
    wait_for,
)
from tests.service.site import Site, site


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A service of two workers and its archive."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    settings = "workers = 2\nsettle_s = 1.0\nrestart_most_s = 0.5\nsend_wait_s = 0.2\n"
    with site(tmp_path, settings) as made:
        yield made


def _states(data: Path) -> list[str]:
    db = Database(read_settings(data).database_url)
    with db.read() as link:
        found = [row.state for row in link.execute(series.select())]
    db.engine.dispose()
    return found


@pytest.mark.slow
def test_the_service_lives_through_kills_of_each_process_and_of_its_supervisor(
    running: Site, tmp_path: Path
) -> None:
    data, port, web = running.data, running.port, running.web
    wait_for(lambda: is_open(port) and is_open(web), 300)
    one = head(tmp_path / "one")
    assert c_store(port, one) == one
    children = running.children()
    threads = [child.environ()["OMP_NUM_THREADS"] for child in children]
    assert threads == [str(max(1, (os.cpu_count() or 1) // 2))] * 5, "workers share the cores"
    for child in children:
        child.kill()
    wait_for(lambda: not is_open(port) or len(running.children()) == 5)
    wait_for(lambda: is_open(port), 300)
    running.kill_supervisor()
    wait_for(lambda: not any(c.is_running() for c in children))
    running.restart()
    wait_for(lambda: is_open(port) and is_open(web), 300)
    two = head(tmp_path / "two")
    assert c_store(port, two) == two
    wait_for(lambda: _states(data) == [State.SENT] * 2, 300)
    with urllib.request.urlopen(f"http://127.0.0.1:{web}/readyz") as answer:
        assert answer.read() == b"ok\n"
    running.process.terminate()
    running.process.wait(60)
    after = Service(data)
    require_kept(after, [*one, *two])
    require_ended(after)
    require_sent_once(after, running.archive)
    for name in ("service.sqlite", "token", "originals"):
        assert (data / name).stat().st_mode & 0o077 == 0, f"others may read {name}"
    log = (data / "test.log").read_text()
    assert NAME not in log and PATIENT not in log and "Traceback" not in log
    assert not re.search(r"\d\.\d+\.\d+\.\d+\.\d{6,}", log), "a UID"


@pytest.mark.interop
def test_dcmtk_sends_and_a_killed_storescu_leaves_whole_images(
    running: Site, tmp_path: Path
) -> None:
    storescu, echoscu = shutil.which("storescu"), shutil.which("echoscu")
    if storescu is None or echoscu is None:
        pytest.skip("DCMTK is not installed")
    data, port = running.data, running.port
    wait_for(lambda: is_open(port), 300)
    subprocess.run([echoscu, "127.0.0.1", str(port)], check=True, timeout=60)
    paths = head(tmp_path / "head", count=40)
    sender = subprocess.Popen([storescu, "127.0.0.1", str(port), *map(str, paths)])
    wait_for(lambda: len(list(data.glob("originals/*/*.dcm"))) > 3)
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    subprocess.run([storescu, "127.0.0.1", str(port), *map(str, paths)], check=True, timeout=300)
    wait_for(lambda: _states(data) == [State.SENT], 300)
    require_kept(Service(data), paths)


def test_a_second_service_on_the_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from monai_ich.service.supervise import only_one

    words = ["serve", "--data", str(tmp_path)]
    with only_one(tmp_path):
        code = main([*words, "--dicom-port", str(free_port())])
    assert code == 3 and "SERVICE_RUNNING" in capsys.readouterr().err
    with only_one(tmp_path, f"{socket.gethostname()}_work-2"):
        assert main([*words, "--role", "work-2"]) == 3, "two processes of one name"
    assert "SERVICE_RUNNING" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nothing = 1", "there is no setting nothing"),
        ("workers = -1", "workers must be 0 or more"),
        ('settle_s = "soon"', "the value of settle_s has another type"),
        ('zone = "Mars/Base"', "zone must be a name"),
        ('[[destination]]\nname = "a"', "needs a host"),
        ('dicom_cert = "a.pem"', "go together"),
        ("not toml", "cannot be read"),
    ],
)
def test_wrong_settings_are_one_sentence(
    text: str, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "service.toml").write_text(text)
    assert main(["serve", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "BAD_SETTINGS" in said and what in said and said.count("\n") == 1


def test_without_the_extra_serve_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monai_ich.cli.serve.find_spec", lambda name: None)
    assert main(["serve", "--data", str(tmp_path)]) == 2
    assert "NO_SERVICE" in capsys.readouterr().err


def test_an_unknown_role_and_an_unknown_pipeline_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--data", str(tmp_path), "--role", "sing"]) == 2
    assert "USAGE" in capsys.readouterr().err
    from monai_ich.core.errors import ServiceError
    from monai_ich.service.analyzer import load_analyzer

    with pytest.raises(ServiceError, match="NO_PIPELINE"):
        load_analyzer(read_settings(tmp_path, pipeline="no.such:thing"))


def test_a_runtime_that_no_worker_could_use_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "service.toml").write_text('runtime = "abacus"\n')
    assert main(["serve", "--data", str(tmp_path)]) == 2
    assert "BAD_RUNTIME" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["service.toml"]
