"""What a bundle ships beside its configs: metadata and weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from monai_ich.bundle import load_bundle
from monai_ich.bundle_check.config import compose
from monai_ich.bundle_check.expressions import replace_macros
from monai_ich.bundle_check.nearest import typed
from monai_ich.bundle_check.trust import not_made
from monai_ich.core.errors import BundleError
from monai_ich.core.json_text import read_json


def check_metadata(root: Path) -> Iterator[BundleError]:
    """``BAD_METADATA``: what MONAI's schema of 2024-07-25 requires, and what consumers of bundles
    read besides.
    """
    from jsonschema import Draft202012Validator

    path = root / "configs" / "metadata.json"
    try:
        metadata = read_json(path)
    except (OSError, ValueError):
        yield BundleError(
            "BAD_METADATA", f"{root.name}: configs/metadata.json is missing or is not JSON."
        )
        return
    schema = json.loads(
        Path(__file__).with_name("metadata.schema.json").read_text(encoding="utf-8")
    )
    wrong = list(Draft202012Validator(schema).iter_errors(metadata))
    for error in wrong:
        where = "#".join(map(str, error.absolute_path)) or "its top"
        yield BundleError(
            "BAD_METADATA", f"{root.name}: metadata.json, at {where}: {error.message[:200]}."
        )
    if not wrong and metadata["version"] not in metadata["changelog"]:
        version = metadata["version"]
        yield BundleError(
            "BAD_METADATA", f"{root.name}: the changelog of metadata.json lacks version {version}."
        )


def check_weights(root: Path, *, trust: bool) -> Iterator[BundleError]:
    """``NO_WEIGHTS``, ``BUNDLE_BROKEN``: they must load with ``weights_only`` and fit
    ``inference.yaml``'s network.

    ``UNTRUSTED_CODE`` where that network cannot be made without running code of others.
    """
    try:
        if not trust:
            _require_plain_parts(root)
        load_bundle(root, device="cpu")
    except BundleError as error:
        yield error


def _require_plain_parts(root: Path) -> None:
    config = compose(root, ("inference",), {})
    if list(replace_macros(config)):
        raise BundleError(
            "BUNDLE_BROKEN",
            f"The inference config of {root.name} is broken: weights were not tried.",
        )
    at = not_made(config, ("network_def", "preprocessing", "inferer"))
    if at is not None:
        why = f"{typed(at)} would run more than a check may: read it, then pass --trust"
        raise BundleError("UNTRUSTED_CODE", f"The weights of {root.name} were not tried: {why}.")
