"""``make synth-audit``: what the synthetic heads hold, in numbers, before anything is trained on
them.

Writes ``audit.html`` and ``audit.json``; fails where labels of EDH or SDH lie in bone.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.audit_case import CLASSES, HIGHEST_HU, LOWEST_HU, CaseAudit, audit_case
from lab.audit_page import page_of
from lab.audit_plots import draw_plots
from lab.audit_summary import summarize
from monai_ich.io.output import write_whole
from monai_ich.synth.parallel import map_jobs

_LOG = logging.getLogger(__name__)


def write_audit(
    folder: Path, measured: Iterable[tuple[CaseAudit, NDArray[np.int64]]]
) -> dict[str, Any]:
    """Write the page and the numbers of cases that come one by one; only their records and sums are
    kept.

    Returns:
        What stands in ``audit.json``, see `summarize`.
    """
    records: list[CaseAudit] = []
    histograms = np.zeros((len(CLASSES), HIGHEST_HU - LOWEST_HU + 1), np.int64)
    for record, counts in measured:
        records.append(record)
        histograms += counts
    summary = summarize(records, histograms)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "audit.json", json.dumps(summary, indent=1) + "\n")
    write_whole(folder / "audit.html", page_of(summary, draw_plots(records, histograms)))
    return summary


def main(argv: list[str] | None = None) -> int:
    """Audit cases of consecutive seeds; 1 where a label of EDH or SDH lies in bone, else 0."""
    parser = argparse.ArgumentParser(prog="python -m lab.audit", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/audit"))
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from tqdm import tqdm

    seeds = range(args.seed, args.seed + args.cases)
    measured = tqdm(
        map_jobs(audit_case, seeds, args.workers),
        total=len(seeds),
        unit="head",
        disable=not sys.stderr.isatty(),
    )
    summary = write_audit(args.output, measured)
    for name, row in summary["bone_overlap"].items():
        _LOG.info("%s: %d of %d voxels in bone", name, row["bone_voxels"], row["voxels"])
    _LOG.info("%s: %s", "PASS" if summary["passed"] else "FAIL", args.output / "audit.html")
    return 0 if summary["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
