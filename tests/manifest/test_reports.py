"""Labels of written reports: right answers, honest doubt, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from reports import Report, answer, read_reports, wrong

from monai_ich.cli import main
from monai_ich.learn.reports import label_report

KNOWN, HELD = read_reports("reports_known.txt"), read_reports("reports_held.txt")


@pytest.mark.parametrize("report", KNOWN, ids=lambda r: r.text[:60].replace("\n", " "))
def test_a_report_that_the_rules_were_written_for_is_read_right(report: Report) -> None:
    assert wrong(report) == {}


def test_of_reports_that_were_held_back_95_percent_of_the_labels_are_right() -> None:
    labels = sum(len(report.right) for report in HELD)
    assert len(KNOWN) + len(HELD) >= 150 and len(HELD) >= 50
    assert sum(len(wrong(report)) for report in HELD) <= 0.05 * labels


def test_no_finding_that_is_denied_is_taken_for_present() -> None:
    for report in (*KNOWN, *HELD):
        false = {k for k, (right, given) in wrong(report).items() if right == 0 and given == 1}
        assert not false, report.text


def test_hemorrhage_that_a_report_states_is_never_labeled_absent() -> None:
    for report in HELD:
        lost = {k for k, (right, given) in wrong(report).items() if right == 1 and given == 0}
        assert lost <= {"other"}, report.text


def test_of_sentences_written_to_break_the_rules_none_is_read_as_its_opposite() -> None:
    wrong_ones = []
    for line in (Path(__file__).parent / "reports_attacked.txt").read_text().splitlines()[1:]:
        text, _, asked = line.partition(" ||| ")
        given = answer(text.replace("\\n", "\n"))
        for name, is_not, value in re.findall(r"([A-Za-z]+)(!|=)(0|1|None)", asked):
            found = str(given[name])
            flipped = found == value if is_not == "!" else {found, value} == {"0", "1"}
            wrong_ones += [(text, name, found)] * (flipped or (value == "None" and found == "1"))
    assert not wrong_ones


@pytest.mark.parametrize(
    "text",
    [
        "CT head, indication for Jonathan ? SDH. No hemorrhage.",
        "SDH: no, as seen by Jonathan. SAH: Jonathan.",
        "Jonathan has SDH which has since resolved. No hemorrhage for Jonathan.",
    ],
)
def test_decisions_hold_no_words_but_those_of_the_rules(text: str) -> None:
    decisions = label_report(text).decisions
    assert decisions and all("jonathan" not in d.cue.lower() for d in decisions)
    assert all("Jonathan" not in text[d.start : d.end] for d in decisions)


def test_british_and_american_spelling_read_the_same() -> None:
    british = "Left thalamic haematoma with oedema. No subarachnoid haemorrhage. No tumour."
    american = "Left thalamic hematoma with edema. No subarachnoid hemorrhage. No tumor."
    assert answer(british) == answer(american)


def _write(folder: Path, text: str | bytes) -> Path:
    path = folder / "reports.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("id,text\na,No bleed.\n", "MISSING_COLUMN"),
        ("id,report\n", "NO_REPORTS"),
        ("id,report\na,Kein Nachweis einer frischen Blutung.\n", "REPORT_LANGUAGE"),
        ("id,report\na,\u8111\u5185\u51fa\u8840\n", "REPORT_LANGUAGE"),
        ("id,report\na b,No bleed.\n", "BAD_ID"),
        ("id,report\na,No bleed.\na,SDH.\n", "DUPLICATE_ID"),
        ("id,report\na,No bleed.\nb,caf\u00e9\n".encode() + b"c,caf\xe9\n", "MIXED_ENCODING"),
        ("id,report\na,Patientâ€™s SDH.\n", "MIXED_ENCODING"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_and_nothing_is_written(
    table: str | bytes, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.json"
    assert main(["manifest", "reports", str(_write(tmp_path, table)), "-o", str(out)]) == 3
    said = capsys.readouterr().err
    assert code in said and "SDH" not in said and "caf" not in said
    assert not out.exists()


def test_labels_join_a_manifest_by_id_and_leave_open_what_a_report_leaves_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = 'id;report\na;"SDH with 5 mm shift of the midline to the left, Smith"\nb;Possible SAH.\n'
    labels, joined = tmp_path / "labels.json", tmp_path / "joined.json"
    assert main(["manifest", "reports", str(_write(tmp_path, text)), "-o", str(labels)]) == 0
    said = capsys.readouterr().out
    assert "a 0-3 SDH affirmed" in said and "b 9-12 SAH doubted (possible)" in said
    assert "Smith" not in said + labels.read_text()
    rows = [{"id": name, "image": f"{name}.nii.gz"} for name in "abc"]
    rows[0]["exam_labels"] = {"IPH": 1}  # type: ignore[assignment]  # a reader's: it stays
    manifest = tmp_path / "dataset.json"
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": {}, "training": rows}
    manifest.write_text(json.dumps(record))
    assert main(["manifest", "join", str(manifest), str(labels), "-o", str(joined)]) == 0
    assert "2 of 3 scans" in capsys.readouterr().out
    a, b, c = json.loads(joined.read_text())["training"]
    assert a["exam_labels"] == {"EDH": 0, "IPH": 1, "IVH": 0, "SAH": 0, "SDH": 1, "any": 1}
    assert a["midline_shift_mm"] == -5.0
    assert b["exam_labels"] == {"EDH": 0, "IPH": 0, "IVH": 0, "SDH": 0}
    assert "exam_labels" not in c
