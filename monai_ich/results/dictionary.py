"""The data dictionary: every column of every table, for people and for statistics programs."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

_REDCAP = (
    *("Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label"),
    *("Choices, Calculations, OR Slider Labels", "Field Note"),
    *("Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max"),
    *("Identifier?", "Branching Logic (Show field only if...)", "Required Field?"),
    *("Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?"),
    "Field Annotation",
)


class ColumnType(StrEnum):
    """What the cells of a column hold."""

    NUMBER = "number"
    WHOLE = "whole"
    FLAG = "flag"  # 0 no, 1 yes
    TEXT = "text"


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        table: name of the file, without ``.csv``. A study's rows hold those of ``measurements``
            too.
        name: lower_snake_case, at most 26 characters, which R, SAS XPORT v8, Stata, SPSS and REDCap
            read unchanged.
        type: of its cells.
        unit: empty where there is none.
        meaning: in words.
        missing: an empty cell is a missing value, in all columns. The name of the column that holds
            the reason, or when that is, in words; ``"never"`` where no cell is empty.
    """

    table: str
    name: str
    type: ColumnType
    unit: str
    meaning: str
    missing: str


@cache
def columns() -> tuple[Column, ...]:
    """Every column, table by table, in the order of the files' description."""
    return tuple(
        Column(table, name, ColumnType(kind), unit, meaning, _missing(table, name))
        for table, name, kind, unit, meaning in _rows_of("columns.csv")
    )


@cache
def _rows_of(file: str) -> list[list[str]]:
    text = files("monai_ich.results").joinpath(file).read_text(encoding="utf-8")
    return list(csv.reader(io.StringIO(text)))[1:]


def _missing(table: str, name: str) -> str:
    """The first line of ``missing.csv`` that fits, with the words that stand for parts of the
    name.
    """
    for of, pattern, words in _rows_of("missing.csv"):
        if of in ("*", table) and fnmatchcase(name, pattern):
            scan = name.split("_")[0] + "_" if name.startswith(("base_", "later_")) else ""
            volume = re.sub("_(baseline|followup|change)_(ml|pct)$", "", name)
            return (scan if of == "*" and words.endswith("_reason") else "") + words.format(
                column=name, volume=volume
            )
    return "never"


def as_csv() -> str:
    """The dictionary as CSV: table, column, type, unit, meaning, missing."""
    header = ["column" if f.name == "name" else f.name for f in fields(Column)]
    return _csv([header, *([str(cell) for cell in astuple(column)] for column in columns())])


def as_redcap() -> str:
    """The columns of ``measurements.csv`` as a REDCap data dictionary: one form, ``case_id`` first.

    >>> as_redcap().splitlines()[1]
    'case_id,measurements,,text,name of the case,,,,,,,,y,,,,,'
    """
    rows = [list(_REDCAP)]
    for column in columns():
        if column.table != "measurements":
            continue
        check = {ColumnType.NUMBER: "number", ColumnType.WHOLE: "integer"}.get(column.type, "")
        row = dict.fromkeys(_REDCAP, "") | {
            _REDCAP[0]: column.name,
            _REDCAP[1]: column.table,
            _REDCAP[3]: "yesno" if column.type is ColumnType.FLAG else "text",
            _REDCAP[4]: column.meaning + (f" ({column.unit})" if column.unit else ""),
            _REDCAP[6]: "" if column.missing == "never" else f"missing: {column.missing}",
            _REDCAP[7]: check,
            _REDCAP[12]: "y" if column.name == "case_id" else "",
        }
        rows.append(list(row.values()))
    return _csv(rows)


def _csv(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
