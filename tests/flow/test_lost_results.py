"""Nothing is lost, mixed, left behind or open to others, whichever command is stopped or refused,
and however.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.scratch import CONTENT, EARLIER, Scratch
from monai_ich.core.volume import LabelMap
from monai_ich.evaluate.prediction import read_prediction
from monai_ich.io.followup import read_time_point
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_labels
from monai_ich.manifest.manifest import Case
from tests.conftest import ROOT, stop_twice
from tests.phantom import grid, phantom, series

ANALYZE = """
import sys, time
import monai_ich.analysis
from tests.study.stub import build
from monai_ich.cli import main
def load(**how):
    pipeline = build(0.0)
    whole = pipeline.write
    def write(analysis, folder):
        whole(analysis, folder)
        print("written", flush=True)
        time.sleep(60)
    return __import__("dataclasses").replace(pipeline, write=write)
monai_ich.analysis.load_pipeline = load
sys.exit(main(sys.argv[1:]))
"""


def _run(*args: object) -> int:
    return main([str(arg) for arg in args])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head as zipped DICOM."""
    root = tmp_path_factory.mktemp("in")
    folder = series(root / "dicom", grid(pixels=48, pixel_mm=4.3, slice_mm=8.0, count=20))
    return Path(shutil.make_archive(str(root / "study"), "zip", folder))


def _start(study: Path, out: Path, temporary: Path, *before: str) -> subprocess.Popen[str]:
    """An analysis that has written all its files and waits before they take their place."""
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    command = [
        *before,
        sys.executable,
        "-c",
        ANALYZE,
        "analyze",
        str(study),
        "-o",
        str(out),
        "--overwrite",
    ]
    run = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True)
    assert run.stdout is not None and run.stdout.readline() == "written\n"
    return run


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_analysis_leaves_no_ct_and_one_line(
    study: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = _start(study, tmp_path / "out", tmp_path / "tmp")
    assert list((tmp_path / "tmp").glob("monai-ich-*/content/*")), "the study was unpacked"
    stop_twice(run, number, seconds=60.0)
    assert not (tmp_path / "out").exists() and not list((tmp_path / "tmp").iterdir())


@pytest.mark.slow
def test_what_a_killed_analysis_left_is_swept_by_the_next_command(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    run = _start(study, out, temporary)
    run.kill()
    run.communicate()
    assert list(out.glob(".partial-*/content/ct.nii.gz")) and list(temporary.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert _run("import", study, "-o", out / "other.nii.gz") == 0
    assert [path.name for path in out.iterdir() if path.name != ".monai-ich.lock"] == [
        "other.nii.gz"
    ]
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_nohup_outlives_the_terminal(study: Path, tmp_path: Path) -> None:
    run = _start(study, tmp_path / "out", tmp_path / "tmp", "env", "--ignore-signal=HUP")
    run.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(1.0)
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM


@pytest.mark.slow
def test_a_second_analysis_into_one_folder_is_refused(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _start(study, tmp_path / "out", tmp_path / "tmp")
    write_nifti(tmp_path / "ct.nii.gz", phantom(grid()))
    assert _run("analyze", tmp_path / "ct.nii.gz", "-o", tmp_path / "out", "--overwrite") == 3
    assert (
        f"OUTPUT_BUSY: Another run writes into the output folder (process {run.pid} on "
        in capsys.readouterr().err
    )
    run.terminate()
    run.communicate()


def _measured(folder: Path, side: int, *, case_id: str) -> Path:
    """A cube of SDH, measured."""
    voxels = np.zeros((40, 40, 40), np.uint8)
    voxels[:side, :side, :side] = Subtype.SDH
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -20.0
    write_nifti(
        folder / f"{case_id}.nii.gz", LabelMap(voxels, Geometry(voxels.shape, affine), Subtype)
    )
    words = (
        "measure",
        folder / f"{case_id}.nii.gz",
        "-o",
        folder / "out",
        "--overwrite",
        "--case-id",
        case_id,
    )
    assert _run(*words) == 0
    return folder / "out"


def _interrupt(out: Path) -> None:
    """As a run leaves it that is killed while it moves old results out: half of them are gone."""
    if os.fork() == 0:
        scratch = Scratch(out)
        (scratch.base / EARLIER).mkdir()
        for name in ("measurements.json", "measurements.csv", "ich.nii.gz"):
            if (out / name).exists():
                (out / name).rename(scratch.base / EARLIER / name)
        assert (scratch.base / CONTENT).is_dir()
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()


def test_whoever_reads_results_makes_them_whole_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = _measured(tmp_path, 10, case_id="old")
    shutil.copy(tmp_path / "old.nii.gz", out / "ich.nii.gz")
    readers = (
        lambda: read_time_point(out).case_id == "old",
        lambda: read_labels(out / "ich.nii.gz", Subtype).volume_ml(Subtype.SDH) == 1.0,
        lambda: read_prediction(tmp_path, Case("out", "test", ())).record["case_id"] == "old",
        lambda: _run("measure", out / "ich.nii.gz", "-o", tmp_path / "more", "--overwrite") == 0,
        lambda: _run("measure", tmp_path / "old.nii.gz", "-o", out) == 3,
    )
    for read in readers:
        _interrupt(out)
        assert not (out / "measurements.json").exists()
        assert read()
        assert json.loads((out / "measurements.json").read_text())["case_id"] == "old"
        assert not list(out.glob(".*"))
    assert "OUTPUT_EXISTS" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_leaves_no_ct_and_no_folder(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "r.json").mkdir()
    for report in (tmp_path / "file" / "r.json", tmp_path / "r.json"):
        assert _run("import", study, "-o", tmp_path / "new" / "ct.nii.gz", "--report", report) == 3
        assert "OUTPUT_NOT_WRITABLE" in capsys.readouterr().err
        assert not (tmp_path / "new").exists()
    assert _run("import", study, "-o", tmp_path / "a.nii", "--report", tmp_path / "a.nii") == 2
    assert not (tmp_path / "a.nii").exists()


def test_a_ct_that_cannot_be_written_leaves_the_earlier_report(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ct.nii").mkdir()
    (tmp_path / "r.json").write_text("earlier")
    words = (
        "import",
        study,
        "-o",
        tmp_path / "ct.nii",
        "--report",
        tmp_path / "r.json",
        "--overwrite",
    )
    assert _run(*words) == 3 and "OUTPUT_NOT_WRITABLE" in capsys.readouterr().err
    assert (tmp_path / "r.json").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.nii", "r.json"]


@pytest.mark.slow
@pytest.mark.parametrize(("mask", "taken"), [(0o077, 0o077), (0o027, 0o027)])
def test_every_file_and_folder_has_the_rights_that_the_umask_leaves(
    study: Path, tmp_path: Path, mask: int, taken: int
) -> None:
    before = os.umask(mask)
    try:
        root = tmp_path / "all"
        root.mkdir()
        assert (
            _run(
                "synth", "-o", root / "synth", "--pixels", 64, "--thickness-mm", 10, "--workers", 1
            )
            == 0
        )
        assert (
            _run(
                "import",
                study,
                "-o",
                root / "import" / "ct.nii.gz",
                "--report",
                root / "import" / "r.json",
            )
            == 0
        )
        assert (
            _run("analyze", study, "-o", root / "a", "--dicom", "--scene", "--device", "cpu") == 0
        )
        words = (
            "export",
            root / "a" / "ich.nii.gz",
            "--ct",
            study,
            "--to",
            "seg.nrrd,mrb,dicom-seg,dicom-sr,dicom-sc",
        )
        assert _run(*words, "-o", root / "export") == 0
        assert (
            _run("resample", root / "a" / "ich.nii.gz", "--like", study, "-o", root / "back.nii.gz")
            == 0
        )
        assert _run("measure", root / "a" / "ich.seg.nrrd", "-o", root / "m") == 0
        assert _run("followup", root / "a", root / "m", "-o", root / "f") == 0
    finally:
        os.umask(before)
    paths = [root, *root.rglob("*")]
    modes = {path.relative_to(root): stat.S_IMODE(path.stat().st_mode) for path in paths}
    full = {path.relative_to(root): 0o777 if path.is_dir() else 0o666 for path in paths}
    assert len(modes) > 40 and modes == {path: mode & ~taken for path, mode in full.items()}
