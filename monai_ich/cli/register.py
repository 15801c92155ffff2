"""The command ``monai-ich register``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_register(commands: Any) -> None:
    """Add ``register`` to the command line."""
    text = "put the pipeline with its weights into an MLflow model registry"
    sub = commands.add_parser("register", help=text, description=text)
    sub.add_argument(
        "--mlflow", metavar="URI", required=True, help="the store, for example sqlite:///models.db"
    )
    sub.add_argument(
        "--name", default="monai-ich", help="of the registered model (default monai-ich)"
    )
    sub.add_argument(
        "--bundles",
        type=Path,
        help="folder that holds both bundles (default: those of the toolkit)",
    )
    sub.set_defaults(run=_register)


def _register(args: argparse.Namespace) -> int:
    from monai_ich.tracking.register import register_model

    number = register_model(args.mlflow, name=args.name, bundles=args.bundles)
    print(
        "registered: "
        f"mlflow.pyfunc.load_model('models:/{args.name}/{number}').predict(['/path/to/scan'])"
    )
    return 0
