"""Figures of the documentation are those of the records in ``benchmarks/``, and versions stand
beside them.
"""

from __future__ import annotations

import re

import pytest

from benchmarks import tables
from tests.conftest import ROOT

SHOWN = [(page, name, write) for page, shown in tables.PAGES.items() for name, write in shown]


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("page", "name", "write"), SHOWN, ids=[f"{p}-{w.__name__}" for p, _, w in SHOWN]
)
def test_a_page_shows_what_the_record_holds(page: str, name: str, write: object) -> None:
    text = (ROOT / "docs" / page).read_text()
    shown = write(tables.record(name))  # type: ignore[operator]
    assert shown in text if shown.startswith("|") else _words(shown) in _words(text)


def test_the_versions_of_other_tools_are_those_of_the_records() -> None:
    cases, speed = (
        tables.record("import_cases")["versions"],
        tables.record("import_speed")["versions"],
    )
    page = _words((ROOT / "docs/benchmarks/import.md").read_text())
    named = [
        ("dcm2niix", "dcm2niix"),
        ("SimpleITK", "SimpleITK"),
        ("dicom2nifti", "dicom2nifti"),
        ("MONAI", "monai"),
    ]
    assert ", ".join(f"{words} {cases[name]}" for words, name in named) in page
    assert all(cases[name] == version for name, version in speed.items())
    nnunet = {study["nnunet"]["version"] for study in tables.record("analyze")["studies"].values()}
    assert (
        f"version {nnunet.pop()}" in (ROOT / "docs/benchmarks/speed.md").read_text() and not nnunet
    )


def test_the_time_of_help_and_the_number_of_heads_and_cases() -> None:
    help_s = tables.record("analyze")["help_s"]
    assert (
        f"`monai-ich --help` takes {help_s:.2f} s"
        in (ROOT / "docs/benchmarks/speed.md").read_text()
    )
    heads = tables.record("measurements")["heads"]
    assert f"{heads} heads, record" in (ROOT / "docs/benchmarks/measurements.md").read_text()
    cases = len(tables.record("import_cases")["cases"])
    for page in ("how-to/import.md", "explanation/import.md"):
        assert re.search(
            rf"\b{cases} (kinds of head CT|cases)", (ROOT / "docs" / page).read_text()
        ), page


def test_every_record_is_named_in_the_page_of_records() -> None:
    page = (ROOT / "docs/benchmarks/index.md").read_text()
    assert {path.name for path in (ROOT / "benchmarks").glob("*.json")} <= set(
        re.findall(r"\[(\w+\.json)\]", page)
    )


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (ROOT / link).exists(), link
