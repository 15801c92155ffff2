"""Time and memory of ``monai-ich analyze`` on a 512 x 512 x 32 study at 5 mm, and of ``monai-ich --help``.

    python -m benchmarks.analyze [--out benchmarks/analyze.json]

A synthetic study is made first and is not timed. Each figure is a whole process, started cold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.timing import apart, timed

RUNS = 3


def make(folder: Path) -> None:
    """The synthetic study."""
    from monai_ich.core.labels import Subtype
    from monai_ich.synth.dataset import design_case, write_case

    case = design_case(2026, hemorrhages={Subtype.SDH: 40.0, Subtype.IPH: 20.0}, pixels=512, tilt_deg=18)
    scanner = replace(case.scanner, slice_mm=5.0, thickness_mm=5.0, bottom_mm=-64.0, top_mm=104.2)
    write_case(replace(case, scanner=scanner), folder, dicom=True)


def main() -> None:
    """Print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    cli = str(Path(sys.executable).parent / "monai-ich")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        apart(make, folder)
        count = len(list((folder / "dicom").iterdir()))
        runs, stages = [], []
        for n in range(RUNS):
            out = folder / f"out{n}"
            runs.append(timed([cli, "analyze", str(folder / "dicom"), "-o", str(out)]))
            stages.append(json.loads((out / "provenance.json").read_text())["seconds"])
    helps = [timed([cli, "--help"])[0] for _ in range(RUNS)]
    bare = [timed([sys.executable, "-c", "import argparse"])[0] for _ in range(RUNS)]
    wall_s = statistics.median(seconds for seconds, _ in runs)
    stage_s = {name: round(statistics.median(s[name] for s in stages), 2) for name in stages[0]}
    record = {
        "study": f"512 x 512 x {count}, 5 mm, tilt 18 degrees",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "wall_s": round(wall_s, 2),
        "peak_gb": round(max(gb for _, gb in runs), 2),
        "stages_s": stage_s | {"start, imports, writing": round(wall_s - sum(stage_s.values()), 2)},
        "help_s": round(statistics.median(helps), 3),
        "import_argparse_s": round(statistics.median(bare), 3),
    }
    args.out.write_text(json.dumps(record, indent=2) + "\n")
    for name, value in record.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
