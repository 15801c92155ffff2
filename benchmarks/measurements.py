"""Every number beside exact truth on synthetic heads that training never saw: from true masks, and
from predicted ones.

    python -m benchmarks.measurements [--heads 100] [--out benchmarks/measurements.json]

Slices of 0.6 to 5 mm, tilt 0 to 25 degrees, heads turned by up to 20 degrees about each axis. Heads
that were done before are taken from ``runs/measurements``; delete that folder after a change of a
measurement or of the weights.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lab.evaluate_synth.case import figures_of
from lab.evaluate_synth.measures import summarize as summarize_figures
from lab.evaluate_synth.table import as_text
from monai_ich.agreement.overlap import shift_error_mm
from monai_ich.analysis import Pipeline, load_pipeline
from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import installed_versions
from monai_ich.io.read import Scan
from monai_ich.measure.summary import measure_exam
from monai_ich.synth.case import HeadCase
from monai_ich.synth.dataset import design_case
from monai_ich.synth.generate import SyntheticScan, synthesize
from monai_ich.synth.parallel import map_jobs

SEEDS = range(950_000, 960_000)
SMALL_ML, LEAST_ML = 2.0, 0.1
Row = dict[str, Any]


def draw(seed: int) -> HeadCase:
    """A head of the set: its anatomy and bleeds at random, its scan within the bounds above."""
    rng = np.random.default_rng([seed, 5])
    thickness_mm = math.exp(rng.uniform(math.log(0.6), math.log(5.0)))
    tilt_deg = rng.uniform(-25.0, 25.0) if rng.random() < 0.6 else 0.0
    return design_case(
        seed,
        pixels=256 if thickness_mm > 1.2 else 192,
        thickness_mm=thickness_mm,
        tilt_deg=tilt_deg,
        rotation_deg=tuple(rng.uniform(-20.0, 20.0, 3).tolist()),
        bottom_mm=-70.0,
        top_mm=100.0,
    )


def row_of(seed: int) -> Row:
    """One head: what is true, and what is measured on true masks and on those of the shipped
    bundles.
    """
    scan = synthesize(draw(seed))
    measured = measure_exam(
        scan.labels, ct=scan.ct, anatomy=scan.anatomy, midline=fit_midline(scan.anatomy)
    )
    found = _pipeline().run(Scan(scan.ct), case_id=str(seed))
    figures = {
        name: v if v is None or isinstance(v, str) else float(v)
        for name, v in figures_of(scan, found).items()
    }
    compared = {
        "true masks": _compare(scan, measured),
        "predicted masks": _compare(scan, found.exam),
    }
    return {"seed": seed, **compared, "figures": figures}


@cache
def _pipeline() -> Pipeline:
    return load_pipeline().loaded()


def _compare(scan: SyntheticScan, exam: ExamMeasurements) -> Row:
    truth, shift = scan.truth, exam.midline_shift
    mm, interval = shift.measurement.value, shift.measurement.interval
    found = {f.subtype.name: float(f.volume.value or 0.0) for f in exam.subtypes}
    total = exam.total_interval_ml
    reasons = {x.subtype.name: x.thickness.reason for x in exam.lesions if x.thickness is not None}
    return {
        "slice_mm": round(scan.case.scanner.slice_mm, 2),
        "tilt_deg": round(scan.case.scanner.tilt_deg, 1),
        "true_ml": truth.volume_ml,
        "found_ml": {name: round(ml, 4) for name, ml in found.items()},
        "total_covered": None if total is None else total[0] <= truth.total_ml <= total[1],
        "true_shift_mm": truth.midline_shift_mm,
        "shift_mm": None if mm is None else round(mm, 3),
        "shift_reason": shift.measurement.reason,
        "shift_error_mm": None
        if mm is None
        else round(shift_error_mm(mm, shift.toward, truth.midline_shift_mm), 3),
        "shift_covered": None
        if interval is None
        else interval[0] <= abs(truth.midline_shift_mm) <= interval[1],
        "true_thickness_mm": truth.thickness_mm,
        "thickness_mm": {s.name: round(v, 2) for s, v in exam.max_thickness_mm.items()},
        "thickness_reason": reasons,
        "evans_index": exam.ventricles.evans_index.value,
    }


def summarize(rows: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    """Lines of the table: what, of how many, seen, target."""
    lines = [
        _volume(
            "all blood", [(sum(r["true_ml"].values()), sum(r["found_ml"].values())) for r in rows]
        )
    ]
    lines += [
        _volume(s.name, [(r["true_ml"][s.name], r["found_ml"][s.name]) for r in rows])
        for s in Subtype
    ]
    held = [r["total_covered"] for r in rows if r["total_covered"] is not None and _any_ml(r)]
    if held:
        lines.append(
            (
                "volume of all blood inside its 95 % interval",
                str(len(held)),
                f"{np.mean(held):.0%}",
                "90 to 98 %",
            )
        )
    errors = np.array([r["shift_error_mm"] for r in rows if r["shift_error_mm"] is not None])
    covered = [r["shift_covered"] for r in rows if r["shift_covered"] is not None]
    if len(errors):
        n = f"{len(errors)} of {len(rows)}"
        lines.append(("midline shift, mean absolute error", n, f"{errors.mean():.2f} mm", "0.5 mm"))
        lines.append(("midline shift within 1 mm", n, f"{(errors <= 1.0).mean():.0%}", "95 %"))
        lines.append(("midline shift, largest error", n, f"{errors.max():.2f} mm", ""))
        lines.append(
            ("midline shift inside its 95 % interval", n, f"{np.mean(covered):.0%}", "95 %")
        )
    for name in ("EDH", "SDH"):
        pairs = [(r["true_thickness_mm"].get(name), r["thickness_mm"].get(name)) for r in rows]
        true = [t for t, _ in pairs if t is not None]
        off = np.array([f - t for t, f in pairs if t is not None and f is not None])
        if len(off):
            n = f"{len(off)} of {len(true)}"
            lines.append((f"thickness of {name}, mean error", n, f"{off.mean():+.2f} mm", ""))
            lines.append(
                (
                    f"thickness of {name} within 1 mm",
                    n,
                    f"{(np.abs(off) <= 1.0).mean():.0%}",
                    "100 %",
                )
            )
            lines.append(
                (f"thickness of {name}, largest error", n, f"{np.abs(off).max():.2f} mm", "1 mm")
            )
    return lines


def _any_ml(row: Row) -> float:
    return sum(row["true_ml"].values()) + sum(row["found_ml"].values())


def _volume(what: str, pairs: Sequence[tuple[float, float]]) -> tuple[str, str, str, str]:
    share = np.array([abs(found / true - 1.0) for true, found in pairs if true >= LEAST_ML])
    limit = np.array([0.05 if true < SMALL_ML else 0.02 for true, _ in pairs if true >= LEAST_ML])
    if not len(share):
        return f"volume of {what}", "0", "", ""
    whole = sum(found for _, found in pairs) / sum(true for true, _ in pairs) - 1.0
    seen = (
        f"{(share <= limit).mean():.0%} in bounds, median {np.median(share):.1%}, all together "
        f"{whole:+.1%}"
    )
    return f"volume of {what}", str(len(share)), seen, "2 % (5 % below 2 mL)"


def main() -> None:
    """Print the table and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=100)
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    kept = Path("runs/measurements/rows.jsonl")
    kept.parent.mkdir(parents=True, exist_ok=True)
    done = (
        {r["seed"]: r for r in map(json.loads, kept.read_text().splitlines())}
        if kept.exists()
        else {}
    )
    seeds = SEEDS[: args.heads]
    with kept.open("a") as stream:
        for row in map_jobs(row_of, [seed for seed in seeds if seed not in done], args.workers):
            done[row["seed"]] = row
            stream.write(json.dumps(row) + "\n")
            stream.flush()
    rows = [done[seed] for seed in seeds]
    tables = {
        masks: summarize([row[masks] for row in rows])
        for masks in ("true masks", "predicted masks")
    }
    for masks, table in tables.items():
        print(f"{masks}\n\n| what | n | seen | target |\n| --- | ---: | --- | --- |")
        print("".join(f"| {' | '.join(line)} |\n" for line in table))
    figures = {
        "heads": len(rows),
        "of": len(rows),
        **summarize_figures([row.pop("figures") for row in rows]),
    }
    print(as_text(figures))
    record = {
        "heads": len(rows),
        "versions": installed_versions(),
        "tables": tables,
        "figures": figures,
        "rows": rows,
    }
    args.out.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
