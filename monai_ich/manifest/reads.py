"""Manifest of CQ500, exams without masks that were read thrice."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

from monai_ich.manifest.manifest import ANY, Case, Manifest

_CQ500_NAME = re.compile(r"CQ500[-_ ]?CT[-_ ]?(\d+)\b")
_CQ500_COLUMNS = {"ICH": ANY, "EDH": "EDH", "IPH": "IPH", "IVH": "IVH", "SAH": "SAH", "SDH": "SDH"}


def build_cq500(folder: Path) -> Manifest:
    """CQ500: a DICOM folder or zip for each exam, and ``reads.csv``: present is what two of three
    readers saw.
    """
    exams: dict[int, dict[str, int]] = {}
    with (folder / "reads.csv").open(newline="", encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            name = _CQ500_NAME.match(row["name"])
            votes = {
                k: sum(row[f"R{n}:{k}"].strip() == "1" for n in (1, 2, 3)) for k in _CQ500_COLUMNS
            }
            if name is not None:
                exams[int(name[1])] = {_CQ500_COLUMNS[k]: int(v >= 2) for k, v in votes.items()}
    found = dict(_cq500_scans(folder))
    cases = [
        Case(f"CQ500-CT-{n}", "test", (found[n],), exam_labels=exams.get(n), site="New Delhi")
        for n in sorted(found)
    ]
    return Manifest("CQ500", tuple(cases), {}, licence="see data_manifests/cq500.md")


def _cq500_scans(folder: Path) -> Iterator[tuple[int, Path]]:
    """The outermost folders and zips that are called like an exam."""
    for place, folders, files in os.walk(folder):
        named = {name: match for name in [*folders, *files] if (match := _CQ500_NAME.match(name))}
        for name, match in sorted(named.items()):
            if name in folders or name.endswith(".zip"):
                yield int(match[1]), Path(place) / name
        folders[:] = sorted(set(folders) - set(named))
