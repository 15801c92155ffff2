"""Where an IPH lies, beside where the generator put it."""

from __future__ import annotations

import pytest

from benchmarks.location import SEEDS, row_of, summarize
from benchmarks.tables import record
from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["location", "location_predicted"])
def test_the_page_says_what_the_record_holds(name: str) -> None:
    found = record(name)
    figures = found["figures"]
    assert summarize(found["rows"]) == figures and figures["share"] >= 0.9
    page = " ".join((ROOT / "docs/benchmarks/measurements.md").read_text().split())
    right, heads = figures["right"], figures["heads"]
    assert f"right in {right} of {heads}, {100 * right / heads:.0f} %" in page
    low, high = 100 * figures["share_low"], 100 * figures["share_high"]
    assert f"(95 % interval {low:.0f} to {high:.0f} %)" in page


@pytest.mark.slow
def test_a_sample_of_the_record_comes_out_again() -> None:
    rows = {row["seed"]: row for row in record("location")["rows"]}
    sample = SEEDS[:200:100]
    assert [row_of(seed) for seed in sample] == [rows[seed] for seed in sample]


def test_regions_count_as_right_where_deep_ones_are_confused_and_no_place_counts_as_wrong() -> None:
    pairs = [("thalamus", "deep"), ("lobar", "lobar"), ("lobar", "thalamus"), ("brainstem", None)]
    found = summarize([{"true": true, "found": name} for true, name in pairs])
    assert (found["right"], found["share"]) == (2, 0.5)
    assert found["with_basal_ganglia_and_thalamus_apart"] == 1
    assert found["found"]["brainstem as None"] == 1
