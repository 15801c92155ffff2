"""A folder of synthetic heads that goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_ich.core.labels import Subtype
from monai_ich.synth.dataset import design_case, missed_ml, write_dataset

pytestmark = pytest.mark.slow

CASES = [design_case(seed, pixels=48, thickness_mm=12.0) for seed in (3, 4)]


@pytest.mark.parametrize("damage", ["cut", "flipped", "truth"])
def test_a_damaged_head_is_named_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    assert len(list(write_dataset(CASES, tmp_path, workers=1, thickness=False))) == 2
    path = tmp_path / "case_000004" / ("truth.json" if damage == "truth" else "ich.nii.gz")
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :]
    path.write_bytes(flipped if damage == "flipped" else whole[:middle])
    assert list(write_dataset(CASES, tmp_path, workers=1, thickness=False)) == ["case_000004"]
    assert "case_000004 is damaged" in caplog.text and path.read_bytes() == whole, (
        "the same seed, the same head"
    )
    assert list(write_dataset(CASES, tmp_path, workers=1, thickness=False)) == []


def test_the_volume_asked_for_is_there_within_two_percent(tmp_path: Path) -> None:
    wanted = {Subtype.EDH: 20.0}
    case = design_case(0, hemorrhages=wanted, pixels=64, thickness_mm=8.0)
    list(write_dataset([case], tmp_path, workers=1, thickness=False, wanted=wanted))
    made = json.loads((tmp_path / "case_000000" / "truth.json").read_text())["truth"]["volume_ml"]
    assert made["EDH"] == pytest.approx(20.0, rel=0.02)
    assert missed_ml(tmp_path / "case_000000", wanted) == {}
    assert missed_ml(tmp_path / "case_000000", {Subtype.SDH: 5.0}) == {Subtype.SDH: 0.0}
