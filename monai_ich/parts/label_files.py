"""Label files as the bundles train on them, where a data set's own are different."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import ManifestError
from monai_ich.core.labels import EDEMA, Subtype, unlabeled
from monai_ich.core.scratch import Scratch, sweep

SAME = {str(int(s)): s.name for s in Subtype}
CLASSES = {s.name: int(s) for s in Subtype} | {"EDEMA": EDEMA}  # of the network


def training_labels(
    path: Path, mapping: Mapping[str, str], folder: Path, edema: Path | None = None
) -> Path:
    """A label file with 1 EDH, 2 IPH, 3 IVH, 4 SAH, 5 SDH, 6 edema: `path` itself, or a copy that
    is made once.

    Background is 0 only where the masks hold all six classes; else it may be one of the others
    (`monai_ich.core.labels.unlabeled`).

    Args:
        path: label map with the data set's numbers.
        mapping: number to meaning, as a manifest has it: the classes that the masks hold;
            ``"ignore"`` is background. Empty: the five subtypes with our numbers.
        folder: for copies.
        edema: mask of the edema around clots, where it is a file of its own.

    Raises:
        ManifestError: ``NO_SUBTYPE`` where the mapping says that there is hemorrhage, but not
            which.
    """
    require_subtypes(mapping.values())
    numbers = {int(value): CLASSES.get(name, 0) for value, name in (mapping or SAME).items()}
    table = np.zeros(256, np.uint8)
    table[list(numbers)] = list(numbers.values())
    held = set(numbers.values()) | ({EDEMA} if edema else set())
    table[table == 0] = unlabeled(set(CLASSES.values()) - held)
    if edema is None and all(table[value] == value for value in (0, *numbers)):
        return path
    return _made(path, table, folder, edema)


def require_subtypes(meanings: Iterable[str]) -> None:
    """Refuse masks that say that there is hemorrhage, but not which.

    Raises:
        ManifestError: ``NO_SUBTYPE``.
    """
    if "any" in meanings:
        raise ManifestError(
            "NO_SUBTYPE",
            "The masks of this data set name no subtype: nothing can be learned of them.",
        )


def no_labels(path: Path, folder: Path) -> Path:
    """A label file on the grid of `path` that is all background."""
    return _made(path, np.zeros(256, np.uint8), folder)


def _made(path: Path, table: NDArray[np.uint8], folder: Path, edema: Path | None = None) -> Path:
    """The labels of `path` looked up in `table`, background with edema as that; named after all of
    these, so that a change of any makes a new file."""
    digest = hashlib.sha256(table.tobytes())
    for file in (path, edema) if edema else (path,):
        state = file.stat()
        digest.update(f"{file.resolve()} {state.st_size} {state.st_mtime_ns}".encode())
    made = folder / f"{digest.hexdigest()[:24]}.nii.gz"
    if not made.is_file():
        image: Any = nib.load(path)
        voxels = np.full(image.shape, table[0], np.uint8)
        if table.any():
            voxels = table[np.asanyarray(image.dataobj).astype(np.uint8)]
        if edema:
            wet: Any = nib.load(edema)
            voxels[(voxels == table[0]) & (np.asanyarray(wet.dataobj) > 0)] = EDEMA
        folder.mkdir(exist_ok=True)
        sweep(folder)
        with Scratch(folder) as scratch:
            nib.save(nib.Nifti1Image(voxels, image.affine), scratch / made.name)
            (scratch / made.name).replace(made)
    return made
