"""The command ``monai-ich calibrate``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from monai_ich.cli.options import refuse_existing


def add_calibrate(commands: Any) -> None:
    """Add ``calibrate`` to the command line."""
    text = (
        "operating points, intervals of volumes and probabilities of subtypes, from scans with "
        "masks"
    )
    sub = commands.add_parser("calibrate", help=text, description=text)
    sub.add_argument(
        "--manifest", type=Path, required=True, help="scans with masks that training did not see"
    )
    sub.add_argument("--split", default="validation", help="training, validation (default) or test")
    sub.add_argument(
        "--study",
        type=Path,
        required=True,
        help="folder for the analyses; goes on where it stopped",
    )
    sub.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="configs/operating_points.json of the bundle",
    )
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    sub.add_argument(
        "--workers", type=int, help="processes (default: one for two cores, or one for each GPU)"
    )
    sub.add_argument("--device", help="cpu, cuda (default: cuda where there is one)")
    sub.set_defaults(run=_calibrate)


def _calibrate(args: argparse.Namespace) -> int:
    from functools import partial

    from monai_ich.analysis import load_pipeline
    from monai_ich.calibration.scans import calibrate_on
    from monai_ich.cli.study import show_progress
    from monai_ich.io.output import output_file, renamed
    from monai_ich.study.results import digest_settings

    refuse_existing(args)
    found, failed = calibrate_on(
        args.manifest,
        args.study,
        split=args.split,
        build=partial(load_pipeline, device=args.device, second_reading=False),
        settings=digest_settings({}, calibrated=False),
        workers=args.workers,
        progress=show_progress,
    )
    with output_file(args.output), renamed(args.output) as aside:
        aside.write_text(json.dumps(found.as_dict(), indent=1) + "\n")
    print(f"{'':5}{'present':>8}{'from, mL':>10}")
    for name, row in found.of.items():
        print(f"{name:5}{row.present:>4} of {row.scans:<4}{row.operating_point_ml:>7.2f}")
    print(f"wrote {args.output}: {found.data}")
    if failed:
        print(f"{failed} scans could not be analyzed and were left out", file=sys.stderr)
    return 4 if failed else 0
