"""No command ends in a traceback, and one that is stopped leaves nothing half-written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monai_ich.cli import importing
from monai_ich.cli.app import main
from monai_ich.io.nifti import write_nifti
from tests.phantom import grid, phantom

STOP = """
import sys, time
from monai_ich.cli.app import main
from monai_ich.io import nifti
whole = nifti._as_nifti
def slow(image):
    print("writing", flush=True)
    time.sleep(60)
    return whole(image)
nifti._as_nifti = slow
sys.exit(main(sys.argv[1:]))
"""


def test_what_nobody_foresaw_is_a_code_and_shows_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: object, **how: object) -> None:
        raise ZeroDivisionError("DOE^JANE")

    monkeypatch.setattr(importing, "read_scan", fail)
    words = ["import", str(tmp_path), "-o", str(tmp_path / "ct.nii.gz")]
    assert main(["--json-errors", *words]) == 1
    said = json.loads(capsys.readouterr().err)
    assert (
        said["code"] == "INTERNAL_ERROR"
        and "ZeroDivisionError in test_last_net.py" in said["message"]
    )
    assert "DOE" not in said["message"]
    with pytest.raises(ZeroDivisionError):
        main(["--traceback", *words])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_import_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    write_nifti(tmp_path / "in.nii.gz", phantom(grid()))
    out = tmp_path / "out"
    words = ["import", str(tmp_path / "in.nii.gz"), "-o", str(out / "ct.nii.gz")]
    process = subprocess.Popen(
        [sys.executable, "-c", STOP, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    time.sleep(0.2)
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert not list(tmp_path.rglob(".partial-*")) and not (out / "ct.nii.gz").exists()


def test_output_that_nobody_reads_to_its_end_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]")
    check = f"{sys.executable} -m monai_ich.cli manifest check {tmp_path / 'none.json'}"
    done = subprocess.run(
        ["bash", "-c", f"{check} | true; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True
    )
    assert (
        done.returncode in (0, 3)
        and "Traceback" not in done.stderr
        and "BrokenPipe" not in done.stderr
    )
