"""``monai-ich study`` on synthetic scans of which two are broken, killed twice and resumed: is each
scan there once?

    python -m benchmarks.study [--scans 40] [--workers 1] [--out benchmarks/study.json]

A worker is killed (kill -9) when an eighth of the scans is done, the whole study when half is; then
it is run again. Exit code 1 where a row is missing or doubled, or a failure has another code than
expected.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil

from monai_ich.synth.dataset import design_case, write_dataset

CLI = [sys.executable, "-m", "monai_ich.cli"]


def make(folder: Path, scans: int) -> set[str]:
    """Synthetic heads with their manifest; the second is text, the last is cut short. Returns the
    names of both.

    None is the export of a window or comes from pictures, which a study refuses too.
    """
    cases = [design_case(seed) for seed in range(700_000, 700_000 + scans)]
    whole = [
        replace(case, scanner=replace(case.scanner, window_hu=None, pictures=None))
        for case in cases
    ]
    for _ in write_dataset(whole, folder):
        pass
    images = sorted(folder.glob("case_*/ct.nii.gz"))
    images[1].write_text("no image")
    images[-1].write_bytes(images[-1].read_bytes()[:20_000])
    return {images[1].parent.name, images[-1].parent.name}


def kill_when(driver: psutil.Process, done: int, folder: Path, *, worker: bool) -> None:
    """Wait until so many scans are done, then kill a worker that is busy, or the driver."""
    while driver.is_running() and len(list(folder.glob("cases/case_*"))) < done:
        time.sleep(0.2)
    while worker and driver.is_running():
        busy = [
            p for p in driver.children(recursive=True) if "Worker.analyze" in " ".join(p.cmdline())
        ]
        if busy:
            busy[0].kill()
            return
        time.sleep(0.02)
    driver.kill()


def main() -> int:
    """Print the figures and write the record; 1 where the study is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        heads, out = Path(scratch) / "heads", Path(scratch) / "out"
        broken = make(heads, args.scans)
        study = [
            *CLI,
            "study",
            str(heads / "dataset.json"),
            "-o",
            str(out),
            "--workers",
            str(args.workers),
        ]
        start = time.monotonic()
        first = subprocess.Popen(study)
        driver = psutil.Process(first.pid)
        kill_when(driver, max(1, args.scans // 8), out, worker=True)
        kill_when(driver, args.scans // 2, out, worker=False)
        first.wait()
        killed_s, before = time.monotonic() - start, len(list(out.glob("cases/case_*")))
        start = time.monotonic()
        code = subprocess.run(study).returncode
        resumed_s = time.monotonic() - start
        rows = [row["case_id"] for row in csv.DictReader((out / "study.csv").open())]
        failures = {
            row["case_id"]: row["code"] for row in csv.DictReader((out / "failures.csv").open())
        }
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "scans": args.scans,
        "workers": args.workers,
        "done_when_killed": before,
        "seconds_until_killed": round(killed_s, 1),
        "seconds_resumed": round(resumed_s, 1),
        "exit_code": code,
        "rows": len(rows),
        "doubled": len(rows) - len(set(rows)),
        "failures": failures,
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    for name, value in record.items():
        print(f"{name:22} {value}")
    sound = (
        len(rows) == len(set(rows)) == args.scans - len(broken)
        and set(failures) == broken
        and code == 4
    )
    return 0 if sound and set(failures.values()) == {"NOT_NIFTI"} else 1


if __name__ == "__main__":
    sys.exit(main())
