"""Packages whose code a check may import to look at it; all other code may do anything as soon as
it is imported.
"""

from __future__ import annotations

PACKAGES = ("monai", "torch", "ignite", "numpy", "monai_ich")
STANDARD = (
    *("collections", "copy", "datetime", "functools", "glob", "itertools", "json", "logging"),
    *("math", "os", "os.path", "pathlib", "random", "re", "sys", "time", "typing"),
)


def is_trusted(module: str) -> bool:
    """Whether a module may be imported to look at what it holds."""
    return module.split(".")[0] in PACKAGES or module in STANDARD


def is_trusted_target(target: str) -> bool:
    """Whether a ``_target_`` may be imported; a name without a dot is one of MONAI's own."""
    return "." not in target or target.split(".")[0] in PACKAGES
