"""The command ``monai-ich followup``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import add_command, add_output


def add_followup(commands: Any) -> None:
    """Add ``followup`` to the command line."""
    sub = add_command(
        commands, "followup", _followup, "what changed between two analyzed scans of one patient"
    )
    sub.add_argument("baseline", type=Path, help="output folder of the earlier scan")
    sub.add_argument("followup", type=Path, help="output folder of the later scan")
    add_output(sub, "folder for followup.json and followup.png")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")


def _followup(args: argparse.Namespace) -> int:
    from monai_ich.followup import follow_up
    from monai_ich.report.wording import followup_lines

    done = follow_up(args.baseline, args.followup, args.output, overwrite=args.overwrite)
    print("\n".join(followup_lines(done.volumes, done.shift, done.warnings)))
    return 0
