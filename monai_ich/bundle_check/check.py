"""Every fault of a bundle's configs and overrides, before anything is made of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monai_ich.bundle_check.components import check_components
from monai_ich.bundle_check.config import SUFFIXES, Config, compose
from monai_ich.bundle_check.expressions import check_expressions, replace_macros
from monai_ich.bundle_check.files import check_files
from monai_ich.bundle_check.shipped import check_metadata, check_weights
from monai_ich.bundle_check.trust import check_trust
from monai_ich.bundle_check.usage import check_additions, check_stages
from monai_ich.bundle_check.values import check_values
from monai_ich.core.errors import BundleError, IchError

LAID_OVER: Mapping[str, tuple[str, ...]] = {  # a bundle's configs, to what each is laid over
    "train": (),
    "evaluate": ("train",),
    "multi_gpu_train": ("train",),
    "multi_gpu_evaluate": ("train", "evaluate", "multi_gpu_train"),
    "inference": (),
    "inference_trt": ("inference",),
    "pipeline": (),
}


def check_config(config: Config, *, files: bool = True, trust: bool = False) -> list[IchError]:
    """Every fault of configs laid over each other.

    Args:
        config: from `monai_ich.bundle_check.config.compose`; its macros are replaced.
        files: whether the files are looked for that a run would read.
        trust: whether code that is neither of MONAI, PyTorch, Ignite, NumPy nor ours may be
            imported to look at it.
    """
    if trust and str(config.root) not in sys.path:
        sys.path.insert(1, str(config.root))  # as MONAI does, for a bundle's own scripts/
    names = [file.stem for file in config.files]
    for name, below in LAID_OVER.items():
        if name in names and not {*below[:1]} <= {*names}:
            whole = ",".join((*below, name))
            return [
                BundleError(
                    "INCOMPLETE_CONFIG", f"{name} is laid over other configs: name {whole}."
                )
            ]
    faults: list[IchError] = [*config.faults, *replace_macros(config)]
    faults += [] if trust else check_trust(config)
    faults += [*check_additions(config), *check_expressions(config, trust=trust)]
    faults += [*check_components(config, trust=trust), *check_stages(config)]
    if files and not any(fault.code == "BAD_EXPRESSION" for fault in faults):
        faults += [*check_values(config), *check_files(config)]
    return faults


def check_bundle(
    root: Path, overrides: Mapping[str, Any], *, trust: bool = False
) -> Iterator[IchError]:
    """Every fault of a bundle: each of its configs over what it is laid over, metadata, weights.

    Args:
        root: the bundle's folder.
        overrides: as for `compose`.
        trust: as for `check_config`.
    """
    seen: set[str] = set()
    for name, below in LAID_OVER.items():
        if not any((root / "configs" / f"{name}{suffix}").is_file() for suffix in SUFFIXES):
            continue
        for fault in check_config(
            compose(root, (*below, name), overrides), files=False, trust=trust
        ):
            if str(fault) not in seen:
                seen.add(str(fault))
                yield fault
    yield from check_metadata(root)
    yield from check_weights(root, trust=trust)
