"""The command line: thin, with heavy imports inside the commands so that ``--help`` answers at
once.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence

from monai_ich import __version__
from monai_ich.cli.analyze import add_analyze
from monai_ich.cli.bundle import add_bundle
from monai_ich.cli.calibrate import add_calibrate
from monai_ich.cli.dictionary import add_dictionary
from monai_ich.cli.evaluate import add_evaluate
from monai_ich.cli.export import add_export
from monai_ich.cli.followup import add_followup
from monai_ich.cli.importing import add_import
from monai_ich.cli.manifest import add_manifest
from monai_ich.cli.measure import add_measure
from monai_ich.cli.options import Stopped, stopped_cleanly, usage_error
from monai_ich.cli.register import add_register
from monai_ich.cli.resample import add_resample
from monai_ich.cli.send import add_send
from monai_ich.cli.serve import add_serve
from monai_ich.cli.study import add_study
from monai_ich.cli.synth import add_synth
from monai_ich.core.errors import IchError, fault_of_ours, is_failure
from monai_ich.core.memory import keep_memory
from monai_ich.core.shipped import commit

_COMMANDS = (
    add_analyze,
    add_import,
    add_resample,
    add_measure,
    add_dictionary,
    add_followup,
    add_synth,
    add_evaluate,
    add_export,
    add_send,
    add_serve,
    add_manifest,
    add_register,
    add_study,
    add_calibrate,
    add_bundle,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 wrong usage, 3 input refused,
    4 done for some cases, 1 a fault of ours."""
    _print_anything()
    parser = _parser()
    args = parser.parse_args(argv)
    if "" in (sys.argv[1:] if argv is None else argv):
        return _refuse(
            usage_error("An argument is empty, an unset variable perhaps: name a file or folder."),
            args,
        )
    keep_memory()
    try:
        with stopped_cleanly():
            code = int(args.run(args))
            sys.stdout.flush()
            return code
    except IchError as error:
        return _refuse(error, args)
    except Stopped as stop:
        print("monai-ich: stopped", file=sys.stderr)
        return 128 + stop.signal
    except BrokenPipeError:  # whoever reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:  # the last net: a traceback may show what stands in a header
        if args.traceback or not is_failure(error):
            raise
        return _refuse(fault_of_ours(error), args)


def _print_anything() -> None:
    """A console in ASCII or cp1252 shows a question mark for what it lacks; it ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _refuse(error: IchError, args: argparse.Namespace) -> int:
    if args.json_errors:
        print(json.dumps({"code": error.code, "message": error.message}), file=sys.stderr)
    else:
        print(f"monai-ich: {error}", file=sys.stderr)
    return error.exit_code


class _Version(argparse.Action):
    """The commit is looked up only where it is asked for."""

    def __call__(self, *_: object) -> None:
        print(f"monai-ich {__version__} ({commit()})")
        sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="monai-ich",
        description="Segment and measure intracranial hemorrhage on head CT. For research use.",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show version and commit, and exit"
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show a fault of ours whole; it may show headers"
    )
    parser.add_argument("--json-errors", action="store_true", help="refusals as JSON on stderr")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser
