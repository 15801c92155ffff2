"""A short slice of ``make fuzz``: a few damaged inputs of every kind; and it goes on where it
stopped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.__main__ import GOOD, fuzz, met_before, table
from tests.fuzz.kinds import KINDS

pytestmark = pytest.mark.slow

OF_EACH = 3


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def test_damaged_inputs_of_every_kind_are_read_or_refused(out: Path) -> None:
    rows = list(fuzz(out, list(KINDS), seconds=0.0, seed=20, least=OF_EACH))
    assert {row["kind"] for row in rows} == set(KINDS) and len(rows) == OF_EACH * len(KINDS)
    assert not [row for row in rows if row["outcome"] not in GOOD]
    assert {row["outcome"] for row in rows} == set(GOOD), (
        "damage so small that some is read, so large that some is not"
    )


def test_a_next_run_goes_on_where_the_last_one_stopped(out: Path) -> None:
    with (out / "outcomes.jsonl").open("a") as log:
        log.write('{"kind": "calibra')  # a run that was killed
    before = [row["number"] for row in met_before(out) if row["kind"] == "calibration"]
    (row,) = fuzz(out, ["calibration"], seconds=0.0, seed=20, least=1)
    assert row["number"] == max(before, default=-1) + 1
    assert f"{'calibration':12}" in table(met_before(out))
