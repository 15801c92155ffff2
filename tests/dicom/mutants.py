"""Damaged DICOM files, and a process that imports them: ``python -m tests.dicom.mutants FOLDER
OUT``.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np

LONGEST_S = 10


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """What a broken disk, a cut transfer or a faulty writer makes of a file; headers are hit as
    often as pixels.
    """
    found = bytearray(data)
    at = int(rng.integers(len(data) if rng.random() < 0.5 else min(len(data), 2500)))
    kind = rng.choice(["flip", "cut", "length", "zero", "twice", "lost"])
    if kind == "flip":
        for place in at + rng.integers(0, 64, rng.integers(1, 20)):
            if place < len(found):
                found[place] ^= int(rng.integers(1, 256))
    elif kind == "cut":
        del found[at:]
    elif (
        kind == "length"
    ):  # where a length stands, for every element is a multiple of two bytes from the start
        wrong = rng.choice(
            [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xfe\xff", b"\x01\0", b"\0\0"]
        )
        found[at & ~1 : (at & ~1) + len(wrong)] = wrong
    elif kind == "zero":
        found[at : at + 512] = bytes(len(found[at : at + 512]))
    elif kind == "twice":
        found[at:at] = found[at : at + 256]
    else:
        del found[at : at + int(rng.integers(1, 64))]
    return bytes(found)


def _late(*_: object) -> None:
    raise TimeoutError(f"more than {LONGEST_S} s")


def _peak_gb() -> float:
    """Of this program alone: what ``getrusage`` says starts with the peak of the process that
    started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1e6


def main(folder: Path, out: Path) -> None:
    """One line of JSON for each sub-folder: exit status (null for a traceback), what was said,
    time; memory last.
    """
    from monai_ich.cli.app import main as command

    signal.signal(signal.SIGALRM, _late)
    for case in sorted(folder.iterdir()):
        said, status, start = io.StringIO(), None, time.monotonic()
        signal.alarm(LONGEST_S)
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                status = command(
                    ["--json-errors", "import", str(case), "-o", str(out / f"{case.name}.nii")]
                )
        except BaseException:
            said.write(traceback.format_exc())
        signal.alarm(0)
        row = {
            "case": case.name,
            "status": status,
            "said": said.getvalue(),
            "seconds": time.monotonic() - start,
        }
        sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.write(json.dumps({"peak_gb": _peak_gb()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
