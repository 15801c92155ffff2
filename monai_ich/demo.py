"""``make demo``: a synthetic study as DICOM goes through the real pipeline; truth beside result."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from monai_ich.core.labels import Subtype

# a whole head without surgery, metal or motion, not among those that the weights were trained on
SEED = 2042


def main(argv: list[str] | None = None) -> int:
    """Make the study, analyze it, print the table."""
    parser = argparse.ArgumentParser(prog="python -m monai_ich.demo", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"))
    args = parser.parse_args(argv)
    from monai_ich.analysis import analyze
    from monai_ich.synth.dataset import design_case, write_case

    study, results = args.output / "study", args.output / "results"
    shutil.rmtree(study, ignore_errors=True)
    print(
        "making a synthetic study: 512 x 512 DICOM, gantry tilt 18 degrees, 5 mm slices, SDH + "
        "IPH, midline shift"
    )
    case = design_case(
        SEED,
        hemorrhages={Subtype.SDH: 60.0, Subtype.IPH: 30.0},
        shift_mm=8.0,
        pixels=512,
        tilt_deg=18,
        thickness_mm=5,
    )
    write_case(case, study, dicom=True)
    print("analyzing it: monai-ich analyze", study / "dicom", "-o", results)
    done = analyze(
        study / "dicom", results, case_id="demo", overwrite=True, **{"write#scene": True}
    )
    truth = json.loads((study / "truth.json").read_text())["truth"]
    found = {f.subtype.name: f.volume_ml for f in done.exam.subtypes}
    shift = done.exam.midline_shift
    mm = shift.measurement.value
    signed = None if mm is None else mm if shift.toward != "left" else -mm
    rows: list[tuple[str, float, float | None]]
    rows = [(f"{name} volume, mL", truth["volume_ml"][name], found[name]) for name in found]
    rows.append(("total volume, mL", truth["total_ml"], done.exam.total_volume_ml))
    rows.append(("midline shift to the right, mm", truth["midline_shift_mm"], signed))
    rows.append(("intracranial cavity, mL", truth["cavity_ml"], done.exam.cavity_ml.value))
    print(f"\n{'':32}{'truth':>10}{'result':>10}")
    for name, expected, measured in rows:
        print(
            f"{name:32}{expected:10.1f}{'-' if measured is None else format(measured, '.1f'):>10}"
        )
    print(f"\n{done.provenance.status}\n")
    print(f"look:         {results}/montage.png, {results}/report.html (any browser)")
    print(f"in 3D Slicer: drag {results}/scene.mrb into its window")
    print(f"numbers:      {results}/measurements.json, measurements.csv, lesions.csv, slices.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
