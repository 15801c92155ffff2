"""Label files as the bundles train on them, where a data set's own are different."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import ManifestError
from monai_ich.core.labels import Subtype

_SAME = {s.name: int(s) for s in Subtype}


def subtype_labels(path: Path, mapping: Mapping[str, str], folder: Path) -> Path:
    """A label file with 1 EDH, 2 IPH, 3 IVH, 4 SAH, 5 SDH: `path` itself, or a copy in `folder` that is made once.

    Args:
        path: label map with the data set's numbers.
        mapping: number to meaning, as a manifest has it; ``"ignore"`` becomes background.
        folder: for copies.

    Raises:
        ManifestError: ``NO_SUBTYPE`` where the mapping says that there is hemorrhage, but not which.
    """
    require_subtypes(mapping.values())
    numbers = {int(value): _SAME.get(name, 0) for value, name in mapping.items()}
    if all(value == number for value, number in numbers.items()):
        return path
    table = np.zeros(256, np.uint8)
    table[list(numbers)] = list(numbers.values())
    return _made(path, table, folder)


def require_subtypes(meanings: Iterable[str]) -> None:
    """Refuse masks that say that there is hemorrhage, but not which.

    Raises:
        ManifestError: ``NO_SUBTYPE``.
    """
    if "any" in meanings:
        raise ManifestError("NO_SUBTYPE", "The masks of this data set name no subtype: nothing can be learned of them.")


def no_labels(path: Path, folder: Path) -> Path:
    """A label file on the grid of `path` that is all background."""
    return _made(path, np.zeros(256, np.uint8), folder)


def _made(path: Path, table: NDArray[np.uint8], folder: Path) -> Path:
    """The labels of `path` looked up in `table`; named after both, so that a change of either makes a new file."""
    state = path.stat()
    digest = hashlib.sha256(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}".encode() + table.tobytes())
    made = folder / f"{digest.hexdigest()[:24]}.nii.gz"
    if not made.is_file():
        image: Any = nib.load(path)
        voxels = np.zeros(image.shape, np.uint8)
        if table.any():
            voxels = table[np.asanyarray(image.dataobj).astype(np.uint8)]
        folder.mkdir(exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=".partial-", suffix=".nii.gz", dir=folder)
        os.close(handle)
        nib.save(nib.Nifti1Image(voxels, image.affine), aside)  # type: ignore[no-untyped-call]
        Path(aside).replace(made)
    return made
