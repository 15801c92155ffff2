"""A study on embedded Ray outlives what kills its processes, and is heard on loopback only."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from monai_ich.cli.app import main
from monai_ich.study.inputs import list_cases
from monai_ich.study.run import run_study
from monai_ich.study.worker import Outcome
from monai_ich.synth.dataset import design_case, write_dataset
from tests.conftest import ROOT, stop_twice
from tests.phantom import grid, series
from tests.study.stub import AIR, SIX, TEXT, build, write_head, write_six

pytestmark = pytest.mark.slow

GOOD = set(SIX) - {TEXT, AIR}


def _start(source: Path, out: Path, pace_s: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.study.stub", str(source), str(out), str(pace_s)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _wait_for(what: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def _busy(driver: psutil.Process) -> list[psutil.Process]:
    """Workers that analyze a case just now."""
    found = []
    for process in driver.children(recursive=True):
        try:
            found += [process] if "Worker.analyze" in " ".join(process.cmdline()) else []
        except psutil.NoSuchProcess:
            continue
    return found


def _rows(out: Path, name: str) -> list[dict[str, str]]:
    with (out / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_killed_workers_and_a_killed_driver_lose_and_double_no_case(tmp_path: Path) -> None:
    source, out = write_six(tmp_path / "in"), tmp_path / "out"
    first = _start(source, out, pace_s=1.5)
    driver = psutil.Process(first.pid)
    _wait_for(lambda: _busy(driver))
    _busy(driver)[0].kill()
    _wait_for(lambda: [p for p in out.glob("cases/*") if not p.name.startswith(".")])
    below = [
        p for p in driver.children(recursive=True) if "Agent" not in p.name()
    ]  # agents need a minute to notice
    driver.kill()
    said, _ = first.communicate(timeout=60)
    assert said == b"", "Ray is quiet"
    _, alive = psutil.wait_procs(below, timeout=60)
    assert not alive, "nothing is left running"
    before = {p.name: p.stat().st_mtime_ns for p in out.glob("cases/case_*")}
    assert before and set(before) < GOOD and not (out / "study.csv").exists()

    second = _start(source, out, pace_s=0.0)
    said, _ = second.communicate(timeout=300)
    assert (second.returncode, said) == (4, b"")
    assert sorted(row["case_id"] for row in _rows(out, "study.csv")) == sorted(GOOD)
    failures = {row["case_id"]: row["code"] for row in _rows(out, "failures.csv")}
    assert failures == {TEXT: "NOT_NIFTI", AIR: "NOT_HU"}
    assert {p.name for p in (out / "cases").iterdir()} == GOOD, "failures and kills leave no folder"
    assert {name: (out / "cases" / name).stat().st_mtime_ns for name in before} == before, (
        "done once"
    )
    for name in GOOD:
        assert (
            json.loads((out / "cases" / name / "measurements.json").read_text())["case_id"] == name
        )
    assert "4 of 6 scans done, 2 failed, 0 left to do." in (out / "summary.html").read_text()


def test_a_case_that_kills_its_worker_twice_fails_and_the_others_do_not(tmp_path: Path) -> None:
    for name in ("case_1", "case_2"):
        write_head(tmp_path / "in" / f"{name}.nii.gz")
    (tmp_path / "in" / "deadly.nii.gz").touch()
    heard: set[str] = set()

    def listen(outcomes: Iterable[Outcome], *, total: int) -> Iterator[Outcome]:
        assert total == 3
        for outcome in outcomes:
            here = psutil.Process()
            for process in (here, *here.children(recursive=True)):
                connections = process.net_connections(kind="inet") if process.is_running() else []
                heard.update(c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN)
            yield outcome

    cases = list_cases(tmp_path / "in", keep_names=True)
    done = run_study(cases, tmp_path / "out", build=build, settings="s", workers=1, progress=listen)
    assert [row["case_id"] for row in done.rows] == ["case_1", "case_2"]
    assert [(f.case_id, f.code) for f in done.failures] == [("deadly", "WORKER_DIED")]
    assert heard and heard <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}

    (tmp_path / "in" / "deadly.nii.gz").unlink()
    again = run_study(cases[:2], tmp_path / "out", build=build, settings="s", workers=1)
    assert again.skipped == 2 and again.rows == done.rows and not again.failures


def test_the_command_does_a_manifest_and_then_nothing_more(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    heads, out = tmp_path / "heads", tmp_path / "out"
    list(
        write_dataset(
            [design_case(seed, pixels=64, thickness_mm=8.0) for seed in (77, 78)], heads, workers=1
        )
    )
    (heads / "case_000078" / "ct.nii.gz").write_text("nothing")
    study = [
        "study",
        str(heads / "dataset.json"),
        "-o",
        str(out),
        "--device",
        "cpu",
        "--workers",
        "1",
    ]
    assert main(study) == 4
    said = capfd.readouterr()
    assert said.out.splitlines()[0] == "1 scans done, 1 failed"
    assert "2 of 2: " in said.err and "case_000078: NOT_NIFTI: " in said.err
    (row,) = _rows(out, "study.csv")
    assert row["case_id"] == row["patient"] == "case_000077" and float(row["seconds"]) > 0
    listed = json.loads((heads / "dataset.json").read_text())
    (heads / "dataset.json").write_text(json.dumps(listed | {"validation": []}))
    assert (
        main(study) == 0 and len(_rows(out, "study.csv")) == 1 and _rows(out, "failures.csv") == []
    )
    said = capfd.readouterr()
    assert said.out.splitlines()[0] == "1 scans done (1 before), 0 failed" and said.err == "", (
        "nothing was left to do"
    )


STUB = """
import sys
import monai_ich.analysis
from tests.phantom import grid, series
from tests.study.stub import build
monai_ich.analysis.load_pipeline = lambda **how: build(60.0)
from monai_ich.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


def _of(pid: int) -> list[Path]:
    """Temporary folders of a process."""
    return [
        p.parent
        for p in Path("/tmp").glob("monai-ich-*/owner")
        if f'"pid": {pid},' in p.read_text()
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_study_leaves_no_ct_behind(tmp_path: Path, number: signal.Signals) -> None:
    source, out, temporary = tmp_path / "in", tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    write_head(source / "case_1.nii.gz")
    folder = series(tmp_path / "case_2", grid(pixels=48, pixel_mm=4.3, slice_mm=8.0, count=20))
    shutil.make_archive(str(source / "case_2"), "zip", folder)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", STUB, "study", str(source), "-o", str(out), "--workers", "2"]
    study = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    _wait_for(
        lambda: len(list(out.glob("cases/.partial-*/content/.partial-*"))) == 2, seconds=400.0
    )
    (ray,) = _of(study.pid)
    assert stat.S_IMODE(ray.stat().st_mode) == 0o700, "nobody else looks into Ray's files"
    stop_twice(study, number, seconds=400.0)
    assert not out.exists() and not list(temporary.iterdir()) and not _of(study.pid)


def test_ray_that_does_not_start_in_time_is_a_code_and_leaves_nothing(tmp_path: Path) -> None:
    write_head(tmp_path / "in" / "case_1.nii.gz")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_gcs_server_port_wait_time_s": "0"}
    command = [
        sys.executable,
        "-m",
        "monai_ich.cli",
        "study",
        str(tmp_path / "in"),
        "-o",
        str(tmp_path / "out"),
    ]
    study = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    _, said = study.communicate(timeout=300)
    assert (
        study.returncode == 3
        and said.startswith("monai-ich: RAY_NOT_STARTED: ")
        and said.count("\n") == 1
    ), said
    assert not (tmp_path / "out").exists() and not _of(study.pid)


def test_results_that_are_damaged_are_made_again_and_said(tmp_path: Path) -> None:
    for name in ("case_1", "case_2"):
        write_head(tmp_path / "in" / f"{name}.nii.gz")
    cases, out = list_cases(tmp_path / "in"), tmp_path / "out"
    first = run_study(cases, out, build=build, settings="s", workers=1)
    table = out / "cases" / "case_2" / "measurements.csv"
    whole = table.read_text()
    table.write_text(whole[:-30])
    kept = (out / "cases" / "case_1").stat().st_mtime_ns
    again = run_study(cases, out, build=build, settings="s", workers=1)
    assert (
        again.damaged == ("case_2",)
        and again.skipped == 1
        and not again.failures
        and table.read_text() == whole
    )
    assert [row["total_volume_ml"] for row in again.rows] == [
        row["total_volume_ml"] for row in first.rows
    ]
    assert (out / "cases" / "case_1").stat().st_mtime_ns == kept
