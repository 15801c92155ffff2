"""Every table is read by SAS, Stata and SPSS as it was written: names, values, what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from monai_ich.cli import main
from monai_ich.results.dictionary import ColumnType, columns
from monai_ich.study.inputs import StudyCase
from monai_ich.study.results import read_row, write_tables
from tests.bundles.tiny import measure_tiny_head

TABLES = ("measurements", "lesions", "slices", "study", "followup")
_Write = Callable[[pd.DataFrame, str], None]
_Read = Callable[[str], tuple[pd.DataFrame, Any]]
FORMATS: dict[str, tuple[_Write, _Read]] = {
    "sas8.xpt": (
        lambda table, path: pyreadstat.write_xport(table, path, file_format_version=8),
        pyreadstat.read_xport,
    ),
    "stata.dta": (pyreadstat.write_dta, pyreadstat.read_dta),
    "spss.sav": (pyreadstat.write_sav, pyreadstat.read_sav),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Of a small head, measured twice: numbers as numbers, text as text, None for empty cells."""
    root = tmp_path_factory.mktemp("tables")
    first = measure_tiny_head(root)
    shutil.copytree(first, root / "b")
    assert main(["followup", str(first), str(root / "b"), "-o", str(root / "later")]) == 0
    row = read_row(StudyCase("a", (), "p1"), first)
    write_tables(root, [row, row | {"patient": "p2", "sdh_volume_ml": 3.25}], [])
    homes = {"study": root, "followup": root / "later"}
    return {name: _typed(name, homes.get(name, first) / f"{name}.csv") for name in TABLES}


def _typed(name: str, path: Path) -> pd.DataFrame:
    kinds = {c.name: c.type for c in columns() if c.table in (name, "measurements")}
    kinds |= {c.name: c.type for c in columns() if c.table == name}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in table:
        if kinds[column] is ColumnType.TEXT:
            table[column] = table[column].astype(object).where(table[column] != "", None)
        else:
            table[column] = pd.to_numeric(table[column])
    return table


def _same(written: Any, read: Any) -> bool:
    """An empty cell stays one; a number loses no digit that we write."""
    missing = [value is None or value == "" or value != value for value in (written, read)]
    if any(missing):
        return all(missing)
    if isinstance(written, str):
        return bool(written.rstrip() == str(read).rstrip())
    return bool(abs(float(read) - float(written)) <= 1e-12 * abs(float(written)))


def _differences(table: pd.DataFrame, again: pd.DataFrame) -> list[str]:
    assert list(again.columns) == list(table.columns), "no column was renamed"
    assert len(again) == len(table)
    return [
        f"{column}: {a!r} {b!r}"
        for column in table
        for a, b in zip(table[column], again[column], strict=True)
        if not _same(a, b)
    ]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_statistics_program_reads_what_was_written(
    tables: dict[str, pd.DataFrame], tmp_path: Path, kind: str, name: str
) -> None:
    write, read = FORMATS[kind]
    path = str(tmp_path / kind)
    write(tables[name], path)
    assert len(tables[name]) > 0 and _differences(tables[name], read(path)[0]) == []


@pytest.mark.parametrize("name", TABLES)
def test_sas_5_reads_the_columns_whose_names_have_eight_characters(
    tables: dict[str, pd.DataFrame], tmp_path: Path, name: str
) -> None:
    table = tables[name][[column for column in tables[name] if len(column) <= 8]]
    assert table.shape[1] >= 2, "longer names need version 8"
    table = table.dropna(axis=1, how="all")
    path = str(tmp_path / "sas5.xpt")
    pyreadstat.write_xport(table, path, file_format_version=5, table_name="ICH")
    again, _ = pyreadstat.read_xport(path)
    again.columns = again.columns.str.lower()  # version 5 has no small letters
    assert _differences(table, again) == []


def test_a_value_that_changed_or_went_missing_is_found() -> None:
    table = pd.DataFrame({"a": [1.5, None], "b": ["x", None]})
    assert _differences(table, table.copy()) == []
    assert len(_differences(table, table.assign(a=[1.5, 0.0]))) == 1
    assert len(_differences(table, table.assign(b=["x", "y"], a=[1.25, None]))) == 2
    with pytest.raises(AssertionError):
        _differences(table, table.rename(columns={"a": "A"}))
