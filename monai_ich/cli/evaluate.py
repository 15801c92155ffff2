"""The command ``monai-ich evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import add_labels_are, meaning_of


def add_evaluate(commands: Any) -> None:
    """Add ``evaluate`` to the command line."""
    text = "how well predictions agree with the references of a manifest"
    sub = commands.add_parser("evaluate", help=text, description=text)
    sub.add_argument(
        "--manifest", type=Path, required=True, help="which cases, with masks or exam labels"
    )
    sub.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="DIR",
        help="output of a study, folders ID of analyze, or label maps ID.nii.gz, ID.seg.nrrd, "
        "ID.dcm",
    )
    sub.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for tables, plots and report"
    )
    add_labels_are(sub)
    sub.add_argument("--split", choices=("training", "validation", "test", "all"), default="test")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")
    sub.add_argument("--mlflow", metavar="URI", help="log the evaluation to this MLflow store")
    sub.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from monai_ich.evaluate.page import summary_lines
    from monai_ich.evaluate.run import RESULTS, evaluate, write_evaluation
    from monai_ich.io.output import refuse_earlier

    meaning = meaning_of(args)
    refuse_earlier(args.output, RESULTS, overwrite=args.overwrite)
    if args.mlflow:
        from monai_ich.evaluate.track import EXPERIMENT, log_evaluation
        from monai_ich.tracking.runs import log_in_time, require_store

        require_store(args.mlflow, EXPERIMENT)
    done = evaluate(
        args.manifest,
        args.predictions,
        split=args.split,
        meaning=meaning,
        progress=lambda cases: tqdm(cases, unit="case", disable=None),
    )
    write_evaluation(done, args.output, overwrite=args.overwrite)
    for failure in done.failures:
        print(f"{failure.case_id}: {failure.code}: {failure.message}")
    print("\n".join(summary_lines(done.summary)))
    print("\nwrote report.html, summary.json, cases.csv and the plots")
    if args.mlflow:
        log_in_time(
            lambda: log_evaluation(done, args.output, tracking_uri=args.mlflow), args.mlflow
        )
    return 4 if done.failures else 0
