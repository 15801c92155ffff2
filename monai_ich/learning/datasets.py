"""Lists of scans for the bundles: ``dataset.json`` as the Medical Segmentation Decathlon writes it, with anatomy beside.

``{"name": ..., "training": [{"image": "a/ct.nii.gz", "label": "a/ich.nii.gz", "anatomy": "a/anatomy.nii.gz"}, ...],
"validation": [...]}``; paths are relative to the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from monai_ich.core.errors import ManifestError

LIST_NAME = "dataset.json"


def read_split(
    dataset_dir: Path | str, split: str, keys: Mapping[str, str], limit: int | None = None
) -> list[dict[str, str]]:
    """The scans of one split with absolute paths.

    Args:
        dataset_dir: folder that holds ``dataset.json``.
        split: ``"training"``, ``"validation"`` or ``"test"``.
        keys: name that transforms use to the list's own, for example ``{"image": "image", "label": "anatomy"}``.
            ``image`` and ``label`` must be there; any other may be missing in a row.
        limit: at most this many scans, evenly spread over the list; None for all.

    Raises:
        ManifestError: ``NO_DATASET`` without a readable list, ``BAD_DATASET`` where a row lacks an entry.
    """
    path = Path(dataset_dir) / LIST_NAME
    try:
        rows = json.loads(path.read_text())[split]
    except (OSError, ValueError, KeyError) as error:
        message = f"A {LIST_NAME} with a list named '{split}' is required in dataset_dir; {type(error).__name__} there."
        raise ManifestError("NO_DATASET", message) from error
    scans = []
    for number, row in enumerate(rows):
        lacking = [given for name, given in keys.items() if name in ("image", "label") and given not in row]
        if lacking:
            message = f"Row {number} of '{split}' in {LIST_NAME} needs {lacking[0]!r}, but has {sorted(row)}."
            raise ManifestError("BAD_DATASET", message)
        scans.append({name: str((path.parent / row[given]).resolve()) for name, given in keys.items() if given in row})
    if limit is not None and limit < len(scans):
        scans = [scans[(i * len(scans)) // limit] for i in range(limit)]
    return scans
