"""The command ``monai-ich followup``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import add_command, add_output


def add_followup(commands: Any) -> None:
    """Add ``followup`` to the command line."""
    sub = add_command(
        commands, "followup", _followup, "what changed between analyzed scans of one patient"
    )
    sub.add_argument("baseline", type=Path, help="output folder of the first scan")
    sub.add_argument(
        "followup", type=Path, nargs="+", help="output folders of later scans, in their order"
    )
    sub.add_argument(
        "--hours",
        type=float,
        nargs="+",
        metavar="H",
        help="when each scan was made, in hours, as in 0 6 24",
    )
    add_output(sub, "folder for followup.json, followup.csv and the pictures")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")


def _followup(args: argparse.Namespace) -> int:
    from monai_ich.followup import follow_up
    from monai_ich.report.wording import followup_lines

    folders = [args.baseline, *args.followup]
    done = follow_up(folders, args.output, hours=args.hours, overwrite=args.overwrite)
    print("\n".join(followup_lines(done)))
    return 0
