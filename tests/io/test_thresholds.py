"""The thresholds of a second reading: those of its weights, or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_ich.core.errors import BundleError
from monai_ich.core.second_reading import Thresholds
from monai_ich.io.thresholds import read_thresholds

PAIR = {"absent_below": 0.25, "present_from": 0.75}


def _file(folder: Path, **thresholds: object) -> Path:
    path = folder / "exam_thresholds.json"
    path.write_text(
        json.dumps({"weights_sha256": "ab", "pooling": "lse", "thresholds": thresholds})
    )
    return path


def test_thresholds_are_those_of_the_weights(tmp_path: Path) -> None:
    assert read_thresholds(tmp_path / "none.json", "ab") == {}
    path = _file(tmp_path, SDH=PAIR)
    assert read_thresholds(path, "ab") == {"SDH": Thresholds(0.25, 0.75)}
    assert read_thresholds(path, "cd") == {}
    path.write_text(path.read_text().replace("lse", "noisy_or"))
    assert read_thresholds(path, "ab") == {}, "probabilities of another scale"


@pytest.mark.parametrize(
    "pair",
    [
        {"absent_below": 0.8, "present_from": 0.2},
        {"absent_below": 0.2},
        {"absent_below": "low", "present_from": 0.9},
        {"absent_below": -1, "present_from": 0.9},
        None,
        7,
    ],
)
def test_damaged_thresholds_are_refused(pair: object, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"exam_thresholds\.json") as refused:
        read_thresholds(_file(tmp_path, SDH=pair), "ab")
    assert refused.value.code == "BAD_CALIBRATION"
