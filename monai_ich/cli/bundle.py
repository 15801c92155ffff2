"""The commands of ``monai-ich bundle``."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from monai_ich.cli.learning import add_gate
from monai_ich.cli.options import usage_error

if TYPE_CHECKING:
    from monai_ich.core.errors import IchError

WORDS = {"null": None, "true": True, "false": False}  # of YAML, beside Python's


def add_bundle(commands: Any) -> None:
    """Add ``bundle run`` and ``bundle check`` to the command line."""
    text = "MONAI's bundle commands with mistakes caught first: run, check; gate"
    parts = commands.add_parser("bundle", help=text, description=text).add_subparsers(
        metavar="WHAT", required=True
    )
    for name, run, text in (
        ("run", _run, "check configs and overrides, then run them with MONAI"),
        (
            "check",
            _check,
            "every fault of configs and overrides, or of a whole bundle; exit code 3 where there "
            "is one",
        ),
    ):
        sub = parts.add_parser(name, help=text, description=text)
        sub.add_argument("bundle", help="name of a bundle of the toolkit, or a bundle's folder")
        sub.add_argument(
            "rest",
            nargs=argparse.REMAINDER,
            metavar="CONFIG[,CONFIG...] [--ID VALUE ...]",
            help="configs, each laid over those before it: of the bundle (train), of the toolkit "
            "(model/segresnet) or "
            "any file; then new values (--max_epochs 5, --train#dataset#cache_rate 0.5)",
        )
        sub.set_defaults(run=run)
        if name == "check":
            sub.add_argument(
                "--trust",
                action="store_true",
                help="the bundle is trusted: look at its own code, too",
            )
    add_gate(parts)


def _run(args: argparse.Namespace) -> int:
    from monai_ich.bundle import find_bundle
    from monai_ich.bundle_check.check import check_config
    from monai_ich.bundle_check.config import compose
    from monai_ich.bundle_check.run import run_config

    names, overrides = split_words(args.rest)
    if not names:
        raise usage_error("bundle run needs at least one config, for example train.")
    config = compose(find_bundle(args.bundle), names, overrides)
    if _tell(check_config(config, trust=True), args):  # a run runs its code anyway
        return 3
    run_config(config, overrides)
    return 0


def _check(args: argparse.Namespace) -> int:
    from monai_ich.bundle import find_bundle
    from monai_ich.bundle_check.check import check_bundle, check_config
    from monai_ich.bundle_check.config import compose

    names, overrides = split_words(args.rest)
    trust = args.trust or overrides.pop("trust", False) is True
    root = find_bundle(args.bundle)
    if names:
        count = _tell(check_config(compose(root, names, overrides), trust=trust), args)
    else:
        count = _tell(check_bundle(root, overrides, trust=trust), args)
    if not args.json_errors:
        print(f"{count or 'no'} fault{'' if count == 1 else 's'} found")
    return 3 if count else 0


def _tell(faults: Iterable[IchError], args: argparse.Namespace) -> int:
    """A line each on stderr; returns how many there are."""
    count = 0
    for fault in faults:
        count += 1
        line = (
            json.dumps({"code": fault.code, "message": fault.message})
            if args.json_errors
            else str(fault)
        )
        print(line, file=sys.stderr)
    return count


def split_words(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Configs and overrides.

    >>> split_words(["train,model/unet", "--max_epochs", "5", "--roi_size=[64,64,32]", "--resume"])
    (['train', 'model/unet'], {'max_epochs': 5, 'roi_size': [64, 64, 32], 'resume': True})

    Raises:
        InputError: ``USAGE``.
    """
    options = [n for n, word in enumerate(words) if word.startswith("--")] + [len(words)]
    names = [name for word in words[: options[0]] for name in word.split(",") if name]
    overrides = dict[str, Any]()
    for start, end in itertools.pairwise(options):
        key, equals, value = words[start][2:].partition("=")
        values = [value] * bool(equals) + list(words[start + 1 : end])
        if len(values) > 1 or not key:
            raise usage_error(f"--{key} takes one value, found {' '.join(values) or 'none'}.")
        overrides[key] = _value(values[0]) if values else True
    return names, overrides


def _value(text: str) -> Any:
    """As MONAI's command line reads it, with YAML's words too."""
    from fire.parser import DefaultParseValue

    return WORDS[text] if text in WORDS else DefaultParseValue(text)
