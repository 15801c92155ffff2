"""``monai-ich analyze`` end to end and stage by stage, beside stock MONAI and nnU-Net v2 on the
same scans.

    python -m benchmarks.analyze [--only thick thin] [--nnunet PYTHON] [--device cpu] [--out
    benchmarks/analyze.json]

Two synthetic studies are made first and not timed: 512 x 512 x 30 at 5 mm with gantry tilt, 512 x
512 x 320 at 0.6 mm. Cold is a whole process from its start, warm a process that has its networks
loaded and one scan behind it. Ours reads DICOM, runs the anatomy network twice (mirrored too),
measures, and writes every result. "Labels only" are the steps that all three can do: NIfTI in,
masks out; see `benchmarks.stock` and `benchmarks.nnunet`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.stock import agreement, ours_warm, stock_cold, stock_warm
from benchmarks.timing import Cost, apart, measured, timed

STUDIES = {  # slice distance in mm, gantry tilt in degrees, number of slices
    "thick": (5.0, 18.0, 32),  # 30 of them with the tilt
    "thin": (0.6, 0.0, 320),
}
CLI = str(Path(sys.executable).parent / "monai-ich")
NNUNET = Path(__file__).with_name("nnunet.py")


def make(folder: Path, slice_mm: float, tilt_deg: float, count: int) -> None:
    """The synthetic study, as DICOM."""
    from monai_ich.core.labels import Subtype
    from monai_ich.synth.dataset import design_case, write_case

    case = design_case(
        2026, hemorrhages={Subtype.SDH: 40.0, Subtype.IPH: 20.0}, pixels=512, tilt_deg=tilt_deg
    )
    top_mm = -64.0 + (count - 0.5) * slice_mm
    scanner = replace(
        case.scanner, slice_mm=slice_mm, thickness_mm=slice_mm, bottom_mm=-64.0, top_mm=top_mm
    )
    write_case(replace(case, scanner=scanner), folder, dicom=True)


def analyze_warm(
    study: Path, out: Path, device: str, runs: int
) -> list[tuple[Cost, dict[str, float]]]:
    """Cost and seconds of each stage in one process; the first run does not count."""
    from monai_ich.analysis import load_pipeline

    pipeline = load_pipeline(device=device).loaded()
    found = []
    for _ in range(runs + 1):
        with measured() as cost:
            done = pipeline(study, out, overwrite=True)
        found.append((cost, done.provenance.seconds))
    return found[1:]


def nnunet(python: str | None, ct: Path, device: str, runs: int) -> dict[str, Any] | None:
    """What `benchmarks.nnunet` found; None where it cannot run."""
    if python is None:
        print("nnU-Net is left out: pass --nnunet, a Python that has nnunetv2")
        return None
    command = [python, str(NNUNET), str(ct), "--device", device, "--runs", str(runs)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        print(f"nnU-Net is left out: {(ended.stderr.strip().splitlines() or ['it failed'])[-1]}")
        return None
    record: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return record


def middle(costs: list[Cost]) -> dict[str, float]:
    """Medians of the seconds, the largest peak."""
    wall_s, cpu_s = (
        statistics.median(getattr(c, name) for c in costs) for name in ("wall_s", "cpu_s")
    )
    return Cost(wall_s, cpu_s, max(c.peak_gb for c in costs)).rounded()


def measure(study: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """One study: every way, its stages, agreement and ratios."""
    device, runs = args.device, args.runs
    scan, ours, stock = folder / "scan", folder / "ours", folder / "stock"
    for out in (ours, stock):
        out.mkdir(parents=True)
    apart(make, scan, *STUDIES[study])
    command = [CLI, "analyze", str(scan / "dicom"), "--device", device, "--overwrite", "-o"]
    cold = [timed([*command, str(folder / "cold")]) for _ in range(runs)]
    warm = apart(analyze_warm, scan / "dicom", folder / "warm", device, runs)
    ct = folder / "ct.nii.gz"
    timed([CLI, "import", str(scan / "dicom"), "-o", str(ct)])
    rows = {
        "analyze, cold": middle(cold),
        "analyze, warm": middle([cost for cost, _ in warm]),
        "labels only, warm": middle(apart(ours_warm, ct, ours, device, runs)),
        "stock MONAI, labels only, cold": middle(
            [stock_cold(ct, stock, device) for _ in range(runs)]
        ),
        "stock MONAI, labels only, warm": middle(apart(stock_warm, ct, stock, device, runs)),
    }
    other = nnunet(args.nnunet, ct, device, runs)
    if other is not None:
        rows["nnU-Net v2, one network, labels only, warm"] = other["cost"]
    stages = [seconds for _, seconds in warm]
    base = rows["labels only, warm"]
    return {
        "slices": len(list((scan / "dicom").iterdir())),
        "runs": runs,
        "rows": rows,
        "stages_warm_s": {
            name: round(statistics.median(s[name] for s in stages), 2) for name in stages[0]
        },
        "dice": agreement(ours, stock, scan),
        "times_ours": {
            name: {of: round(row[of] / base[of], 1) for of in ("wall_s", "cpu_s", "peak_gb")}
            for name, row in rows.items()
            if name.endswith("labels only, warm") and row is not base
        },
        "nnunet": {name: value for name, value in (other or {}).items() if name != "cost"},
    }


def table(record: dict[str, Any]) -> str:
    """Markdown: every way on every study, then stages and ratios."""
    found = record["studies"]
    names = list(dict.fromkeys(name for study in found.values() for name in study["rows"]))
    lines = [
        f"| 2 networks, from start to last file | {' | '.join(found)} |",
        f"| --- |{' ---: |' * len(found)}",
    ]
    for name in names:
        rows = [study["rows"].get(name) for study in found.values()]
        cells = [
            "" if r is None else "{wall_s:.1f} s, {cpu_s:.1f} CPU-s, {peak_gb:.1f} GB".format(**r)
            for r in rows
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for title, study in found.items():
        stages = ", ".join(f"{name} {s:.1f} s" for name, s in study["stages_warm_s"].items())
        ratios = "; ".join(
            f"{name}: {r['wall_s']} times as long" for name, r in study["times_ours"].items()
        )
        lines += ["", f"{title}: {stages}. {ratios}. Dice: {study['dice']}"]
    return "\n".join(lines)


def main() -> None:
    """Print the table and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--runs", type=int, default=3, help="the median counts")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--nnunet", metavar="PYTHON", help="a Python that has nnunetv2, in a .venv of its own"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    record: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {args.device}",
        "help_s": round(statistics.median(timed([CLI, "--help"]).wall_s for _ in range(3)), 3),
        "studies": {},
    }
    for study in args.only:
        slice_mm, tilt_deg, _ = STUDIES[study]
        with tempfile.TemporaryDirectory() as scratch:
            found = measure(study, Path(scratch), args)
        title = f"512 x 512 x {found['slices']}, {slice_mm:g} mm" + (
            f", tilt {tilt_deg:g} degrees" if tilt_deg else ""
        )
        record["studies"][title] = found
        args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
