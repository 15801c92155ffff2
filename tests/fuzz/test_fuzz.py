"""A short slice of ``make fuzz``: damaged inputs of every kind are read or refused, and it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.__main__ import GOOD, fuzz, met_before, table
from tests.fuzz.kinds import KINDS

SLICE_S = 8.0


def test_damaged_inputs_of_every_kind_are_read_or_refused(tmp_path: Path) -> None:
    rows = list(fuzz(tmp_path, list(KINDS), seconds=SLICE_S, seed=20))
    assert {row["kind"] for row in rows} == set(KINDS)
    assert not [row for row in rows if row["outcome"] not in GOOD]
    assert {row["outcome"] for row in rows} == set(GOOD), "damage so small that some is read, so large that some is not"


def test_a_next_run_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    first = list(fuzz(tmp_path, ["calibration"], seconds=1.0, seed=20))
    with (tmp_path / "outcomes.jsonl").open("a") as log:
        log.write('{"kind": "calibra')  # a run that was killed
    again = list(fuzz(tmp_path, ["calibration"], seconds=1.0, seed=20))
    assert first and again[0]["number"] == first[-1]["number"] + 1
    assert f"{'calibration':12}" in table(met_before(tmp_path))
