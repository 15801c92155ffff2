"""MONAI without the packages that an analysis never touches: they take longer to load than all the
rest.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_EXTRAS = frozenset(
    {"ignite", "itk", "matplotlib", "mlflow", "pandas", "requests"}
    | {"scipy.signal", "sklearn", "tensorboard"}
)


def import_monai_alone() -> None:
    """Import MONAI as it is where its optional packages for training and plots are not installed.

    For a process of our own only: its MONAI handlers of MLflow and Ignite then refuse to work. The
    packages themselves can be imported afterwards. Does nothing where MONAI is imported already.
    """
    if "monai" in sys.modules:
        return
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        import monai.bundle  # noqa: F401
    finally:
        sys.meta_path.remove(absent)


class _Absent(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in _EXTRAS:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)
        return None
