"""Evaluate the pipeline on the fixed synthetic test set: a table of targets, ``cases.csv``,
``summary.json``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.evaluate_synth import PICTURE_SEEDS, TEST_SEEDS
from lab.evaluate_synth.case import Job, Row, run_case
from lab.evaluate_synth.measures import summarize
from lab.evaluate_synth.store import append_row, read_rows, setup_digest, write_rows
from lab.evaluate_synth.table import as_text
from monai_ich.core.provenance import installed_versions
from monai_ich.io.output import write_whole
from monai_ich.synth.parallel import map_jobs

_LOG = logging.getLogger(__name__)


def evaluate(folder: Path, jobs: Sequence[Job], *, workers: int | None = None) -> dict[str, Any]:
    """Run the heads that have no row yet, then summarize all of them.

    Args:
        folder: for ``cases.csv``, ``summary.json`` and ``table.txt``; made if missing.
        jobs: the heads, all with the same weights.
        workers: processes; by default one a core.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, setup = folder / "cases.csv", setup_digest(jobs[0].anatomy_weights, jobs[0].ich_weights)
    done = read_rows(path, setup)
    write_rows(path, (done[seed] for seed in sorted(done)))
    missing = [job for job in jobs if job.seed not in done]
    if len(missing) < len(jobs):
        _LOG.info("%d of %d heads were done before", len(jobs) - len(missing), len(jobs))
    failed: dict[int, Row] = {}
    for row in _with_progress(map_jobs(run_case, missing, workers), len(missing)):
        row["setup"] = setup
        append_row(path, row)
        if row.get("error"):
            failed[int(row["seed"])] = row  # type: ignore[arg-type]
    done = read_rows(path, setup)
    write_rows(path, [(done | failed)[seed] for seed in sorted(done | failed)])
    rows = [(done | failed)[job.seed] for job in jobs if job.seed in done or job.seed in failed]
    summary = {
        "heads": len(rows),
        "of": len(jobs),
        "setup": setup,
        "versions": installed_versions(),
        **summarize(rows),
    }
    write_whole(folder / "summary.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_whole(folder / "table.txt", as_text(summary))
    return summary


def _with_progress(rows: Iterable[Row | None], total: int) -> Iterator[Row]:
    """The rows as they come, a line for each with the time left; without those for which the time
    was up.
    """
    start = time.monotonic()
    for number, row in enumerate(rows, start=1):
        if row is None:
            continue
        left_min = (time.monotonic() - start) / number * (total - number) / 60.0
        what = row.get("error") or f"{row['true_ml']:.1f} mL, found {row['found_ml']:.1f} mL"
        _LOG.info(
            "%d of %d: head %s, %s; %.1f min left", number, total, row["seed"], what, left_min
        )
        yield row


def main(argv: list[str] | None = None) -> int:
    """Evaluate and print the table; 0 when it ran, 1 with ``--strict`` and a target missed or a
    head not analyzed.
    """
    parser = argparse.ArgumentParser(prog="python -m lab.evaluate_synth", description=__doc__)
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("runs/evaluate"), help="default: runs/evaluate"
    )
    parser.add_argument(
        "--cases", type=int, default=len(TEST_SEEDS), help="the first so many heads of the set"
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=len(PICTURE_SEEDS),
        help="of the heads that came as pictures",
    )
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    parser.add_argument(
        "--device", help="where the networks run (default: cuda where there is one)"
    )
    parser.add_argument(
        "--anatomy-weights", help="instead of bundles/head_ct_anatomy/models/model.pt"
    )
    parser.add_argument("--ich-weights", help="instead of bundles/ich_segmentation/models/model.pt")
    parser.add_argument(
        "--minutes", type=float, help="begin no head after this time; run again to go on"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    args = parser.parse_args(argv)
    for option, number, least, seeds in (
        ("cases", args.cases, 1, TEST_SEEDS),
        ("pictures", args.pictures, 0, PICTURE_SEEDS),
    ):
        if not least <= number <= len(seeds):
            parser.error(f"--{option} must be {least} to {len(seeds)}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    until = None if args.minutes is None else time.time() + 60.0 * args.minutes
    seeds = (*TEST_SEEDS[: args.cases], *PICTURE_SEEDS[: args.pictures])
    jobs = [Job(seed, args.device, args.anatomy_weights, args.ich_weights, until) for seed in seeds]
    summary = evaluate(args.output, jobs, workers=args.workers)
    sys.stdout.write(as_text(summary))
    missed = [f["key"] for f in summary["figures"] if f["passed"] is False]
    return 1 if args.strict and (missed or summary["heads"] < summary["of"]) else 0


if __name__ == "__main__":
    sys.exit(main())
