"""No cell of a table is a formula."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from monai_ich.core.cells import plain_cell
from monai_ich.evaluate.run import write_rows
from monai_ich.study.results import write_tables
from monai_ich.study.summary import write_summary
from monai_ich.study.worker import Outcome

BAD = ("=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "-2+3", "\t=1")


@pytest.mark.parametrize("text", BAD)
def test_text_that_begins_like_a_formula_becomes_text(tmp_path: Path, text: str) -> None:
    assert plain_cell(text) == f"'{text}"
    write_rows(tmp_path / "cases.csv", [{"case_id": text, "dice": -0.5}])
    write_tables(
        tmp_path,
        [{"case_id": "c1", "site": text, "total_volume_ml": 1.0}],
        [Outcome("c2", "NO_HEAD", text)],
    )
    for name, column in (
        ("cases.csv", "case_id"),
        ("study.csv", "site"),
        ("failures.csv", "message"),
    ):
        (row,) = csv.DictReader((tmp_path / name).open(newline=""))
        assert row[column] == f"'{text}"
    assert plain_cell("-0.5") == "-0.5" and plain_cell(None) is None


def test_a_page_links_to_ids_with_signs_and_repeats_no_markup(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.html", [], [Outcome("a#b", "<b>", "<i>")], total=1)
    assert (
        "<b>" not in (tmp_path / "summary.html").read_text()
        and "&lt;i&gt;" in (tmp_path / "summary.html").read_text()
    )
