"""Files that a run would read: data set, lists, weights."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai.bundle.config_item import ConfigComponent

from monai_ich.bundle_check.config import Config
from monai_ich.bundle_check.expressions import parse, references
from monai_ich.bundle_check.nearest import typed
from monai_ich.bundle_check.usage import run_through
from monai_ich.bundle_check.values import value_of
from monai_ich.core.errors import BundleError, ManifestError
from monai_ich.parts.data_list import list_rows

_READERS = ("read_data_list", "read_rows", "read_rows_without_masks", "read_scans")


def check_files(config: Config) -> Iterator[BundleError | ManifestError]:
    """``MISSING_FILE`` and, for data lists, ``NO_DATA_LIST``."""
    used = run_through(config)
    folder = _value(config, "dataset_dir") if "dataset_dir" in used else None
    is_missing = isinstance(folder, str) and not Path(folder).is_dir()
    if is_missing:
        yield BundleError("MISSING_FILE", f"dataset_dir: there is no folder {folder}.")
    elif "images" in used and _value(config, "images") == []:
        yield BundleError("MISSING_FILE", f"images: {folder} holds no .nii and no .nii.gz.")
    for at in {i: None for value in used.values() for i in _loaded(value)}:
        found = _value(config, at)
        for path in found if isinstance(found, list) else [found]:
            if isinstance(path, str) and not Path(path).is_file():
                yield BundleError("MISSING_FILE", f"{typed(at)}: there is no file {path}.")
    for at, text in used.items():
        if (
            isinstance(text, str)
            and any(f"{name}(" in text for name in _READERS)
            and not is_missing
        ):
            yield from _check_list(config, at, text)


def _value(config: Config, at: str) -> Any:
    """What an id comes to, None where that is not known; why it is not, other checks say."""
    try:
        return value_of(config, at)
    except Exception:
        return None


def _loaded(value: Any) -> set[str]:
    """The ids whose files a value loads weights from."""
    if isinstance(value, str) and "torch.load(" in value:
        return references(value)
    is_loader = ConfigComponent.is_instantiable(value) and value["_target_"] == "CheckpointLoader"
    return references(value.get("load_path")) if is_loader else set()


def _check_list(config: Config, at: str, text: str) -> Iterator[BundleError | ManifestError]:
    for call in ast.walk(parse(text)):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in _READERS
        ):
            folder, section = (_argument(config, node) for node in call.args[:2])
            if folder is None:
                for empty in sorted(
                    typed(i) for i in references(text) if config.parser.get(i, 0) is None
                ):
                    yield BundleError(
                        "MISSING_VALUE", f"{typed(at)}: {empty} has no value, give --{empty}."
                    )
            elif isinstance(section, str):
                try:
                    list_rows(folder, section)
                except ManifestError as error:
                    yield ManifestError(error.code, f"{typed(at)}: {error.message}")


def _argument(config: Config, node: ast.expr) -> Any:
    """A text, or the value of the id that is referred to."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return _value(config, str(node.slice.value))
    return None
