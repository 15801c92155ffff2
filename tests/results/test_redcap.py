"""Our REDCap dictionary keeps to REDCap's published rules; the check finds each kind of fault."""

from __future__ import annotations

import csv
import io

import pytest

from monai_ich.results.dictionary import as_redcap, columns
from tests.results.redcap import HEADER, find_faults

GOOD = as_redcap()


def _damaged(line: int, column: str, value: str) -> str:
    rows = list(csv.reader(io.StringIO(GOOD)))
    rows[line - 1][HEADER.index(column)] = value
    return _text(rows)


def _text(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def test_redcap_takes_our_dictionary() -> None:
    assert find_faults(GOOD) == []
    assert GOOD.count("\n") == 1 + sum(c.table == "measurements" for c in columns())


@pytest.mark.parametrize(
    ("line", "column", "value", "fault"),
    [
        (1, "Field Type", "Type", "header"),
        (3, HEADER[0], "Total_ml", "name"),
        (3, HEADER[0], "3_total", "name"),
        (3, HEADER[0], "total__ml", "name"),
        (3, HEADER[0], "total_", "name"),
        (3, HEADER[0], "_total", "name"),
        (3, HEADER[0], "total-ml", "name"),
        (3, HEADER[0], "", "name"),
        (3, HEADER[0], "a" * 27, "long name"),
        (3, HEADER[0], "redcap_event_name", "reserved name"),
        (3, HEADER[0], "case_id", "duplicate name"),
        (3, HEADER[0], "measurements_complete", "name of a form's own field"),
        (3, "Form Name", "My Form", "form name"),
        (3, "Form Name", "other", "form in two pieces"),
        (3, "Field Type", "float", "field type"),
        (2, "Field Type", "yesno", "record name is no text"),
        (3, "Field Label", "  ", "no label"),
        (3, HEADER[5], "1, yes", "choices without a list"),
        (3, HEADER[7], "decimal", "validation"),
        (3, "Text Validation Min", "0", "limits without validation"),
        (3, "Identifier?", "yes", "neither y nor empty"),
        (3, "Required Field?", "1", "neither y nor empty"),
        (3, "Custom Alignment", "left", "alignment"),
        (3, HEADER[11], "[nowhere] = 1", "branching"),
    ],
)
def test_a_faulty_dictionary_is_found_out(line: int, column: str, value: str, fault: str) -> None:
    found = find_faults(_damaged(line, column, value))
    assert fault in {text.split(": ")[1] for text in found}, found


def test_choices_and_limits_are_checked() -> None:
    rows = list(csv.reader(io.StringIO(GOOD)))
    rows[2][3], rows[2][5] = "radio", "1, left | 2, right"
    assert find_faults(_text(rows)) == []
    for bad in ("1 left | 2, right", "1, left | 1, right", ""):
        rows[2][5] = bad
        assert find_faults(_text(rows)) == ["3: choices"]
    rows[2][3], rows[2][5], rows[2][7], rows[2][8] = "text", "", "integer", "0.5"
    assert find_faults(_text(rows)) == ["3: limit"]


def test_a_row_that_is_too_short_is_found_out() -> None:
    rows = list(csv.reader(io.StringIO(GOOD)))
    assert find_faults(_text([*rows[:4], rows[4][:-1], *rows[5:]])) == ["5: columns"]
    assert find_faults("") == ["1: header"]
