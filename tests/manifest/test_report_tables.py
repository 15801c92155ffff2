"""Tables of reports and label files that are not as they should be."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from monai_ich.cli import main
from monai_ich.learn.report_file import SCHEMA
from monai_ich.learn.reports import label_report


def label(folder: Path, table: str, *options: str) -> int:
    path = folder / "reports.csv"
    path.write_text(table)
    return main(["manifest", "reports", str(path), "-o", str(folder / "labels.json"), *options])


@pytest.mark.parametrize(
    ("table", "code", "told"),
    [
        ("id,report\na,No fracture, but acute SDH.\n", "CELL_COUNT", "Row 1"),
        (
            'id,report\nb,No bleed.\na,"No fracture" is seen, acute SDH\n',
            "UNREADABLE_FILE",
            "quote",
        ),
        ("id;report\na;No fracture; acute SDH\n", "CELL_COUNT", "Row 1"),
        ("id,report\na,No bleed.\nb\n", "CELL_COUNT", "Row 2"),
        ('id,report\na,"Acute SDH.\nb,No bleed.\nc,Acute IPH.\n', "UNREADABLE_FILE", "quote"),
        ("id,report,report\na,No bleed.,Acute SDH.\n", "DUPLICATE_COLUMN", "'report'"),
    ],
)
def test_no_part_of_a_report_is_lost_in_silence(
    tmp_path: Path, table: str, code: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(tmp_path, table) == 3
    said = capsys.readouterr().err
    assert code in said and told in said and "SDH" not in said
    assert not (tmp_path / "labels.json").exists()


def test_a_long_report_is_read_whole(tmp_path: Path) -> None:
    filler = "The ventricles are normal. " * 8000
    assert label(tmp_path, f'id,report\na,"{filler}Acute SDH."\n') == 0
    (row,) = json.loads((tmp_path / "labels.json").read_text())["reports"]
    assert row["exam_labels"]["SDH"] == 1


def test_what_has_no_end_of_a_sentence_takes_no_longer_by_the_square() -> None:
    begun = time.process_time()
    label_report("no SDH " * 3000)
    assert time.process_time() - begun < 30  # 180 s without an end


def test_names_do_not_make_a_report_spanish(tmp_path: Path) -> None:
    assert (
        label(tmp_path, "id,report\na,No ICH. Dr. Le Van El M.D. La Paz hospital. No SDH.\n") == 0
    )


def test_the_reports_themselves_are_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reports.csv"
    path.write_text("id,report\na,No bleed.\n")
    assert main(["manifest", "reports", str(path), "-o", str(path), "--overwrite"]) == 2
    assert path.read_text().startswith("id,report") and "-o" in capsys.readouterr().err


def join(folder: Path, rows: list[dict[str, Any]], labels: object) -> int:
    cases = [{"image": f"{row['id']}.nii.gz"} | row for row in rows]
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": {}, "training": cases}
    (folder / "dataset.json").write_text(json.dumps(record))
    (folder / "labels.json").write_text(json.dumps(labels))
    paths = [str(folder / name) for name in ("dataset.json", "labels.json")]
    return main(["manifest", "join", *paths, "-o", str(folder / "joined.json")])


def reports(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, "reports": list(rows)}


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"any": 0}, {"SDH": 1, "any": 1}),
        ({"EDH": 0, "IPH": 0, "IVH": 0, "SAH": 0, "SDH": 0}, {"any": 1}),
        ({"SDH": 1}, {"EDH": 0, "IPH": 0, "IVH": 0, "SAH": 0, "SDH": 0, "any": 0}),
    ],
)
def test_a_report_that_contradicts_the_labels_of_a_row_is_left_out_and_told(
    tmp_path: Path, own: dict[str, int], told: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    one = {"id": "b", "exam_labels": {"SDH": 1, "any": 1}}
    labels = reports({"id": "a", "exam_labels": told, "midline_shift_mm": 2.0}, one)
    assert join(tmp_path, [{"id": "a", "exam_labels": own}, {"id": "b"}], labels) == 3
    a, b = json.loads((tmp_path / "joined.json").read_text())["training"]
    assert a["exam_labels"] == own and b["exam_labels"] == one["exam_labels"]
    said = capsys.readouterr()
    assert "CONTRADICTORY_LABELS" in said.out + said.err and "1 of 2 scans" in said.out


def test_reports_without_a_scan_or_without_a_label_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": name, "exam_labels": {"any": 1}} for name in ("a", "c", "d")]
    labels = reports(*rows, {"id": "b", "exam_labels": {}, "not_known": ["any"]})
    assert join(tmp_path, [{"id": "a"}, {"id": "b"}], labels) == 0
    said = capsys.readouterr().out
    assert (
        "1 of 2 scans" in said
        and "2 reports have no scan" in said
        and "of 1 the report leaves all open" in said
    )


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ([], "NOT_JSON"),
        (None, "NOT_JSON"),
        ({"schema": SCHEMA}, "SCHEMA_VIOLATION"),
        ({"schema": "x/9", "reports": []}, "SCHEMA_VIOLATION"),
        (reports({"id": "a", "exam_labels": None}), "SCHEMA_VIOLATION"),
        (reports({"id": "a", "exam_labels": {"SDH": "yes"}}), "SCHEMA_VIOLATION"),
        (reports({"id": "a", "exam_labels": {"XDH": 1}}), "SCHEMA_VIOLATION"),
        (reports({"exam_labels": {}}), "SCHEMA_VIOLATION"),
        (reports({"id": "a", "exam_labels": {}}, {"id": "a", "exam_labels": {}}), "DUPLICATE_ID"),
    ],
)
def test_a_damaged_file_of_labels_is_refused(
    tmp_path: Path, labels: object, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert join(tmp_path, [{"id": "a"}], labels) == 3
    assert code in capsys.readouterr().err and not (tmp_path / "joined.json").exists()


def test_a_missing_file_of_labels_is_called_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    join(tmp_path, [{"id": "a"}], reports())
    out = tmp_path / "joined.json"
    paths = [str(tmp_path / "dataset.json"), str(tmp_path / "none.json"), "-o", str(out)]
    assert main(["manifest", "join", *paths]) == 3
    assert "MISSING_FILE" in capsys.readouterr().err and not out.exists()
