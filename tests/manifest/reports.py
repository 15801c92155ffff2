"""Written reports with the right answer, as ``reports_*.txt`` hold them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from monai_ich.learn.report_shift import find_shift
from monai_ich.learn.reports import SUBTYPES, label_report

FINDINGS = (*SUBTYPES, "any", "other")


class Report(NamedTuple):
    """A report and what is right: finding, "size" or "shift" to its value, None for not known."""

    text: str
    right: dict[str, float | None]


def read_reports(name: str) -> list[Report]:
    found = []
    text = (Path(__file__).parent / name).read_text()
    for block in f"\n{text}".split("\n=")[1:]:
        expected, _, report = block.partition("\n")
        words = expected.replace(";", " ").split()
        right: dict[str, float | None] = dict.fromkeys(FINDINGS, None if "rest?" in words else 0)
        if "rest?" in words:
            del right["other"]
        right |= {w.rstrip("?-"): {"?": None, "-": 0}.get(w[-1], 1) for w in words if "=" not in w}
        right.pop("rest", None)
        sizes = dict(w.split("=") for w in words if "=" in w)
        right |= {key: float(sizes[key]) if key in sizes else None for key in ("size", "shift")}
        found.append(Report(report.strip(), right))
    return found


def answer(text: str) -> dict[str, float | None]:
    labels = label_report(text)
    shift = find_shift(text, labels)
    return {
        **labels.findings,
        "size": shift and shift.size_mm,
        "shift": shift and shift.toward_right_mm,
    }


def wrong(report: Report) -> dict[str, tuple[float | None, float | None]]:
    """Finding to right and given value, where they differ."""
    given = answer(report.text)
    return {k: (v, given[k]) for k, v in report.right.items() if given[k] != v}
