"""Which scans a training sees, and how often."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_ich.core.errors import TrainingError
from monai_ich.parts.data_list import read_data_list, share_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six heads: two bleed, one of them shifted; three do not; of one it is not known."""
    labels = [{"any": 1}, {"any": 0}, {"any": 0}, {"any": 0}, {"any": 1}, None]
    rows = []
    for n, exam in enumerate(labels):
        (tmp_path / f"{n}.nii.gz").touch()
        row = {"image": f"{n}.nii.gz", "midline_shift_mm": -3.0 if n == 4 else 0.0}
        rows.append(row | ({"exam_labels": exam} if exam else {}))
    (tmp_path / "dataset.json").write_text(json.dumps({"training": rows}))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "012345"),
        ({"bloodless_every": 2}, "01345"),
        ({"bloodless_every": 3}, "0145"),
        ({"repeat_shifted": 3}, "01234445"),
        ({"repeat_shifted": 2, "bloodless_every": 3}, "01445"),
    ],
)
def test_heads_are_left_out_and_repeated(
    folder: Path, options: dict[str, int], expected: str
) -> None:
    found = read_data_list(folder, "training", {"image": "image"}, **options)
    assert "".join(Path(row["image"]).name[0] for row in found) == expected


def test_each_list_gets_its_share_of_the_draws_whatever_its_length() -> None:
    weights = share_weights("12345", ("123", 0.15), ("1", 0.3))
    assert sum(weights[:5]) == pytest.approx(0.55)
    assert weights[5:] == pytest.approx([0.05, 0.05, 0.05, 0.3])
    assert share_weights("12", ("1", 0.7), ("1", 0.3))[:2] == [0.0, 0.0]  # nothing is left


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.6, 0.5)])
def test_shares_that_cannot_be_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(TrainingError) as raised:
        share_weights("12", ("1", shares[0]), ("1", shares[1]))
    assert raised.value.code == "BAD_SHARE"
