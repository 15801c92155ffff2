"""The page of files and columns names every column that is written, and no other."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli import main
from monai_ich.io.nifti import write_nifti
from monai_ich.results.dictionary import ColumnType, as_redcap, columns
from tests.bundles.tiny import measure_tiny_head
from tests.conftest import ROOT
from tests.heads import anatomy
from tests.phantom import grid, phantom

TABLES = ("measurements", "lesions", "slices")
SUBTYPES = ("EDH", "IPH", "IVH", "SAH", "SDH")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return measure_tiny_head(tmp_path_factory.mktemp("head"))


def _in_page(heading: str) -> list[str]:
    """Names in the first column of the table below a heading; subtype stands for each."""
    text = (ROOT / "docs/reference/outputs.md").read_text()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    names = [
        n
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for n in re.findall(r"`([^`]+)`", row)
    ]
    stands_for = {"subtype": [s.lower() for s in SUBTYPES]}
    stands_for["SCAN"] = ["base", "later"]
    stands_for["VOLUME"] = ["all", "iph_ivh", *stands_for["subtype"]]
    return [
        n.replace(word, each)
        for n in names
        for word in [next((w for w in stands_for if n.startswith(f"{w}_")), "")]
        for each in stands_for.get(word, [""])
    ]


@pytest.mark.parametrize("name", ["measurements.csv", "lesions.csv", "slices.csv"])
def test_every_column_is_explained(numbers: Path, name: str) -> None:
    with (numbers / name).open() as stream:
        columns = next(csv.reader(stream))
    assert sorted(_in_page(name)) == sorted(columns)


def test_every_key_is_explained(numbers: Path) -> None:
    keys = set(json.loads((numbers / "measurements.json").read_text()))
    assert keys <= set(_in_page("measurements.json"))
    assert set(json.loads((numbers / "measurements.json").read_text())["provenance"]) == set(
        _in_page("provenance.json")
    )


def test_every_column_of_a_followup_is_explained(numbers: Path, tmp_path: Path) -> None:
    shutil.copytree(numbers, tmp_path / "later")
    folders = [str(numbers), str(tmp_path / "later")]
    assert main(["followup", *folders, "-o", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "followup.csv").open() as stream:
        columns = next(csv.reader(stream))
    assert sorted(_in_page("followup.csv")) == sorted(columns)


@pytest.mark.parametrize("name", ["measurements", "lesions", "slices", "followup"])
def test_the_dictionary_and_the_page_name_the_same_columns(name: str) -> None:
    names = [column.name for column in columns() if column.table == name]
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(_in_page(f"{name}.csv"))


def test_every_name_can_be_read_by_every_statistics_program() -> None:
    for column in columns():
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,25}", column.name), column.name
        assert len(column.meaning) > 3, column.name


def test_each_cell_is_of_the_type_that_the_dictionary_says(numbers: Path) -> None:
    of = {(c.table, c.name): c.type for c in columns()}
    for table in ("measurements", "lesions", "slices"):
        for row in csv.DictReader((numbers / f"{table}.csv").open()):
            for name, text in row.items():
                kind = of[table, name]
                if text and kind is ColumnType.NUMBER:
                    float(text)
                if text and kind in (ColumnType.FLAG, ColumnType.WHOLE):
                    assert int(text) in (0, 1) or kind is ColumnType.WHOLE, name


def test_redcap_gets_one_form_whose_first_field_is_the_case() -> None:
    rows = list(csv.DictReader(as_redcap().splitlines()))
    assert rows[0]["Variable / Field Name"] == "case_id" and len(rows[0]) == 18
    assert {row["Form Name"] for row in rows} == {"measurements"}
    assert {row["Field Type"] for row in rows} == {"text", "yesno"}
    assert {row["Text Validation Type OR Show Slider Number"] for row in rows} == {
        *("", "number", "integer")
    }
    assert len(rows) == len(_in_page("measurements.csv"))


def test_the_command_prints_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dictionary"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == len(columns()) and rows[0]["column"] == "case_id"


def _missing_in(table: str, path: Path) -> list[str]:
    """Empty cells of a table that the dictionary, or the column that it names, does not explain."""
    said = {c.name: c.missing for c in columns() if c.table in (table, "measurements")}
    said |= {c.name: c.missing for c in columns() if c.table == table}
    return [
        f"{table}.{name}: {said[name]}"
        for row in csv.DictReader(path.open())
        for name, text in row.items()
        if text == "" and (said[name] == "never" or row.get(said[name]) == "")
    ]


@pytest.mark.parametrize("given", ["all", "no CT", "no blood", "any"])
def test_no_cell_is_empty_without_its_reason(numbers: Path, tmp_path: Path, given: str) -> None:
    voxels, ct = np.zeros(grid().shape, np.uint8), tmp_path / "ct.nii.gz"
    if given != "no blood":
        voxels[20:30, 20:40, 10:15], voxels[35:40, 20:40, 10:15] = 5, 2
        voxels[45:50, 20:40, 10:15], voxels[52:54, 20:22, 12] = 4, 1
    write_nifti(ct, phantom(grid()))
    write_nifti(tmp_path / "anatomy.nii.gz", anatomy(grid(), shift_mm=6))
    nib.save(nib.Nifti1Image(voxels, grid().affine), tmp_path / "mask.nii.gz")
    known = [] if given == "no CT" else ["--ct", ct, "--anatomy", tmp_path / "anatomy.nii.gz"]
    said = "1=any,2=any,4=any,5=any" if given == "any" else "monai-ich"
    words = ["measure", tmp_path / "mask.nii.gz", *known, "--labels-are", said]
    assert main([str(word) for word in [*words, "-o", tmp_path / "m"]]) == 0
    assert main(["followup", str(numbers), str(tmp_path / "m"), "-o", str(tmp_path / "f")]) == 0
    tables = [("followup", tmp_path / "f"), *((t, tmp_path / "m") for t in TABLES)]
    found = [_missing_in(table, home / f"{table}.csv") for table, home in tables]
    found += [_missing_in(table, numbers / f"{table}.csv") for table in TABLES]
    assert [text for texts in found for text in texts] == []


def test_each_reason_column_is_there() -> None:
    names = {(c.table, c.name) for c in columns()}
    for column in columns():
        if column.missing.endswith("_reason"):
            assert (column.table, column.missing) in names, column
        else:
            assert column.missing in ("never", "where nobody said") or " " in column.missing
    assert next(c.missing for c in columns() if c.name == "base_weights") == "base_weights_reason"
