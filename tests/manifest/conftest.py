"""A small sound data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.manifest_files import write_json, write_mask, write_scan


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    """A sound manifest of three scans of two patients, its files in `tmp_path`."""
    rows = []
    for number, values in enumerate([(7,), (2, 9), ()]):
        write_scan(tmp_path / f"ct{number}.nii.gz", number)
        write_mask(tmp_path / f"mask{number}.nii.gz", *values)
        row = {"id": f"c{number}", "image": f"ct{number}.nii.gz", "label": f"mask{number}.nii.gz"}
        rows.append(
            row | {"patient": "p1" if number < 2 else "p2", "slice_labels": [None, [], ["SDH"], []]}
        )
    return {
        "schema": "monai-ich/manifest/1",
        "name": "blocks",
        "label_mapping": {"7": "SDH", "2": "IPH", "9": "ignore"},
        "training": rows[:2],
        "validation": rows[2:],
    }


@pytest.fixture
def written(tmp_path: Path, record: dict[str, Any]) -> Path:
    """`record` as a file."""
    return write_json(tmp_path / "dataset.json", record)
