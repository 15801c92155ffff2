"""The command ``monai-ich serve``."""

from __future__ import annotations

import argparse
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai_ich.cli.options import add_command
from monai_ich.core.errors import ServiceError

_NEEDED = ("starlette", "uvicorn", "jinja2", "python_multipart", "alembic", "prometheus_client")
_GIVEN = ("database", "pipeline", "dicom_port", "web_port", "ae_title")


def add_serve(commands: Any) -> None:
    """Add ``serve`` to the command line."""
    text = "receive studies, analyze them, send results back, show a worklist"
    sub = add_command(commands, "serve", _serve, text)
    sub.add_argument(
        "--data", type=Path, required=True, help="folder of the service; made if missing"
    )
    sub.add_argument("--config", type=Path, help="settings (default: service.toml in --data)")
    sub.add_argument(
        "--role",
        help="one of receive, work, send, web (work-2 for a second one on this machine) instead of "
        "all under a supervisor",
    )
    sub.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    sub.add_argument("--demo", action="store_true", help="send itself three synthetic studies")
    sub.add_argument("--database", metavar="URL", help="PostgreSQL instead of SQLite in --data")
    sub.add_argument("--pipeline", metavar="MODULE:FUNCTION", help="another analysis than ours")
    sub.add_argument("--dicom-port", type=int, help="for C-STORE and C-ECHO (default 11112)")
    sub.add_argument("--web-port", type=int, help="for pages and STOW-RS (default 8042)")
    sub.add_argument("--ae-title", help="our application entity title (default MONAI-ICH)")


def _serve(args: argparse.Namespace) -> int:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ServiceError(
            "NO_SERVICE",
            f"The service needs more packages ({missing[0]}): pip install 'monai-ich[service]'.",
            exit_code=2,
        )
    from monai_ich.service.run import run_all, run_role
    from monai_ich.service.settings import read_settings

    line = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.ERROR, format=line)  # libraries would log UIDs
    logging.getLogger("monai_ich.service").setLevel(logging.INFO)
    given = {name: getattr(args, name) for name in _GIVEN}
    settings = read_settings(args.data, args.config, **given)
    if args.role:
        run_role(settings, args.role, supervised=args.supervised)
    else:
        run_all(settings, _again(args), lambda line: print(line, flush=True), demo=args.demo)
    return 0


def _again(args: argparse.Namespace) -> list[str]:
    """The same command for a child."""
    words = ["serve", "--data", str(args.data)]
    for name in ("config", *_GIVEN):
        value = getattr(args, name)
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return words
