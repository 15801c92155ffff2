"""Time and memory of importing 512 x 512 x 32 and 512 x 512 x 300 head CT: ours, dcm2niix and
SimpleITK side by side.

    python -m benchmarks.import_speed [--out benchmarks/import_speed.json]

Each figure is a whole process that reads a DICOM folder and writes ``ct.nii`` or ``ct.nii.gz``; the
tools take turns, the median counts. Python's start and the loading of the packages that ours needs
is a column of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks.timing import apart, timed

RUNS = 3
STUDIES = {32: 5.0, 300: 0.5}
SIMPLEITK = """
import sys, SimpleITK as sitk
folder, path = sys.argv[1:]
names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(folder)
sitk.WriteImage(sitk.ReadImage(names), path, path.endswith("gz"))
"""


def make(folder: Path, count: int, slice_mm: float) -> Path:
    """A synthetic study of so many slices."""
    from monai_ich.synth.dataset import design_case, write_case

    case = design_case(2026, pixels=512)
    top_mm = -64.0 + (count - 1) * slice_mm + 0.4 * slice_mm
    scanner = replace(
        case.scanner, slice_mm=slice_mm, thickness_mm=slice_mm, bottom_mm=-64.0, top_mm=top_mm
    )
    write_case(replace(case, scanner=scanner), folder, dicom=True)
    return folder / "dicom"


def commands(study: Path, out: Path, suffix: str) -> dict[str, list[str]]:
    """Tool to command line; each writes into a folder of its own."""
    bin_ = Path(sys.executable).parent
    pack = "y" if suffix == ".nii.gz" else "n"
    niix = [str(bin_ / "dcm2niix"), "-z", pack, "-b", "n", "-f", "ct", "-o", str(out), str(study)]
    return {
        "ours": [str(bin_ / "monai-ich"), "import", str(study), "-o", str(out / f"ct{suffix}")],
        "dcm2niix": niix,
        "SimpleITK": [sys.executable, "-c", SIMPLEITK, str(study), str(out / f"ct{suffix}")],
        "Python, its packages loaded": [sys.executable, "-c", "import numpy, pydicom, nibabel"],
    }


def measure(study: Path, suffix: str) -> dict[str, dict[str, float]]:
    """Tool to median seconds and peak GB; the first round warms the disk's cache and does not
    count.
    """
    seconds: dict[str, list[float]] = {}
    peak: dict[str, float] = {}
    for turn in range(RUNS + 1):
        with tempfile.TemporaryDirectory() as scratch:
            for n, tool in enumerate(commands(study, Path(scratch), suffix)):
                out = Path(scratch) / str(n)
                out.mkdir()
                cost = timed(commands(study, out, suffix)[tool])
                shutil.rmtree(out)
                if turn:
                    seconds.setdefault(tool, []).append(cost.wall_s)
                    peak[tool] = max(cost.peak_gb, peak.get(tool, 0.0))
    return {
        tool: {"s": round(statistics.median(s), 2), "gb": round(peak[tool], 3)}
        for tool, s in seconds.items()
    }


def main() -> None:
    """Print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for count, slice_mm in STUDIES.items():
            study = apart(make, Path(scratch) / str(count), count, slice_mm)
            found = len(list(study.iterdir()))
            for suffix in (".nii", ".nii.gz"):
                rows[f"512 x 512 x {found} to {suffix}"] = measure(study, suffix)
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": {name: version(name) for name in ("dcm2niix", "SimpleITK")},
        "runs": RUNS,
        "rows": rows,
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    tools = list(next(iter(rows.values())))
    print(f"| from DICOM | {' | '.join(tools)} |\n| --- |{' ---: |' * len(tools)}")
    for name, row in rows.items():
        print(
            f"| {name} | "
            f"{' | '.join('{s:.2f} s, {gb:.2f} GB'.format(**row[tool]) for tool in tools)} |"
        )


if __name__ == "__main__":
    main()
