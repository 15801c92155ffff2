"""The command ``monai-ich dictionary``."""

from __future__ import annotations

import argparse
from typing import Any

from monai_ich.cli.options import add_command


def add_dictionary(commands: Any) -> None:
    """Add ``dictionary`` to the command line."""
    sub = add_command(
        commands, "dictionary", _dictionary, "every column of every table, as CSV on the screen"
    )
    sub.add_argument(
        "--redcap", action="store_true", help="measurements.csv as a REDCap data dictionary"
    )


def _dictionary(args: argparse.Namespace) -> int:
    from monai_ich.results.dictionary import as_csv, as_redcap

    print(as_redcap() if args.redcap else as_csv(), end="")
    return 0
