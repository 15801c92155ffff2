"""Where an IPH lies, beside where the generator put it: synthetic heads, from true masks or from
those of the shipped weights.

    python -m benchmarks.location [--predicted] [--heads 200] [--out benchmarks/location.json]

Each head holds one IPH of 2 to 40 mL on 5 mm slices, tilted and turned as scans are. The truth is
the region of the blood's center in the generator's own atlas, before warp, pose and mass effect,
and the generator's own tentorium. Regions are lobar, deep (basal ganglia, thalamus and between),
brainstem and cerebellum. Where the weights find no IPH, no region is right.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_ich.agreement.detection import wilson_interval
from monai_ich.analysis import Pipeline, load_pipeline
from monai_ich.anatomy.atlas_pose import find_atlas_pose
from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.errors import IchError
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Category
from monai_ich.core.provenance import installed_versions
from monai_ich.io.read import Scan
from monai_ich.measure.location import region_at
from monai_ich.measure.summary import measure_exam
from monai_ich.synth.atlas import in_posterior_fossa
from monai_ich.synth.dataset import design_case
from monai_ich.synth.generate import SyntheticScan, synthesize
from monai_ich.synth.head import Head
from monai_ich.synth.parallel import map_jobs

SEEDS = range(980_000, 990_000)
DEEP = ("basal_ganglia", "thalamus", "deep")
Row = dict[str, Any]


def row_of(seed: int, *, predicted: bool = False) -> Row:
    """One head: the true region of its IPH and the one that is found, from true or predicted
    masks.
    """
    rng = np.random.default_rng([seed, 21])
    ml = float(np.exp(rng.uniform(np.log(2.0), np.log(40.0))))
    case = design_case(seed, hemorrhages={Subtype.IPH: ml}, pixels=96, thickness_mm=5.0)
    scan = synthesize(case, thickness=False)
    try:
        found = (_from_weights if predicted else _from_truth)(scan).iph_location
    except IchError as refused:
        found = Category(None, refused.code)
    true = _true_region(scan)
    return {"seed": seed, "ml": round(ml, 1), "true": true, "found": found.value} | (
        {} if found.reason is None else {"reason": found.reason}
    )


def _from_truth(scan: SyntheticScan) -> ExamMeasurements:
    midline = fit_midline(scan.anatomy)
    pose = find_atlas_pose(scan.anatomy, midline)
    return measure_exam(scan.labels, anatomy=scan.anatomy, midline=midline, pose=pose)


def _from_weights(scan: SyntheticScan) -> ExamMeasurements:
    return _pipeline().run(Scan(scan.ct), case_id="head").exam


@cache
def _pipeline() -> Pipeline:
    return load_pipeline(device="cpu").loaded()


def _true_region(scan: SyntheticScan) -> str:
    """Of the center of all IPH voxels, each brought back to the atlas."""
    voxels = np.argwhere(scan.labels.voxels == int(Subtype.IPH))
    points = torch.tensor(scan.labels.geometry.to_world(voxels), dtype=torch.float32)
    with torch.inference_mode():
        fields = Head(scan.case).fields(*points.T)
        center = torch.stack([fields.bx, fields.by, fields.bz]).mean(1)
        below = bool(in_posterior_fossa(*center))
    return region_at(center.double().numpy(), infratentorial=below)


def summarize(rows: Sequence[Row]) -> Row:
    """How many are right, with Wilson's 95 % interval, and which are taken for which."""
    right = sum(_coarse(row["found"]) == _coarse(row["true"]) for row in rows)
    exact = sum(row["found"] == row["true"] for row in rows)
    low, high = wilson_interval(right, len(rows))
    confused = Counter(f"{row['true']} as {row['found']}" for row in rows)
    return {
        "heads": len(rows),
        "right": right,
        "share": round(right / len(rows), 4),
        "share_low": round(low, 4),
        "share_high": round(high, 4),
        "with_basal_ganglia_and_thalamus_apart": exact,
        "found": dict(sorted(confused.items())),
    }


def _coarse(region: str | None) -> str | None:
    return "deep" if region in DEEP else region


def main() -> None:
    """Print the figures and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--predicted", action="store_true", help="masks of the shipped weights")
    parser.add_argument("--heads", type=int, default=200)
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    parser.add_argument("--out", type=Path, help="(default: beside this file)")
    args = parser.parse_args()
    job = partial(row_of, predicted=args.predicted)
    rows = list(map_jobs(job, SEEDS[: args.heads], args.workers))
    figures = summarize(rows)
    print(json.dumps(figures, indent=1))
    record = {"versions": installed_versions(), "figures": figures, "rows": rows}
    name = "location_predicted.json" if args.predicted else "location.json"
    out = args.out or Path(__file__).with_name(name)
    out.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
