"""A study as a BIDS derivative: masks beside the subjects, measurements as phenotype tables.

BIDS 1.11 has no folder for CT, so masks lie in ``anat``, where derivatives keep segmentations.

References:
    Brain Imaging Data Structure 1.11: derivatives (discrete segmentations, ``dseg``), phenotypic
    data; doi:10.1038/sdata.2016.44
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any

from monai_ich import __version__
from monai_ich.core.errors import OutputError
from monai_ich.core.json_text import read_json
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.provenance import RESEARCH_USE
from monai_ich.core.scratch import Scratch
from monai_ich.io.publish import replace_folder
from monai_ich.results.dictionary import Column, ColumnType, columns
from monai_ich.study.inputs import StudyCase

_MAKER, _VERSION = "MONAI-ICH", "1.11.0"
_IDS = ("participant_id", "session_id", "scan_id")


def bids_name(case: StudyCase) -> str:
    """What BIDS calls the scan of a case: itself where it came from BIDS, else its patient as
    subject and its ID as session.

    >>> [bids_name(StudyCase(*x)) for x in (("sub-01_run-2", ()), ("a_1", ()), ("b", (), "p-3"))]
    ['sub-01_run-2', 'sub-a1', 'sub-p3_ses-b']
    """
    if re.fullmatch(r"sub-[^_]+(_[a-z]+-[^_]+)*", case.id):
        return case.id
    subject, session = (re.sub(r"[^A-Za-z0-9]", "", text) for text in (case.patient, case.id))
    if not case.patient or case.patient == case.id:
        return f"sub-{session}"
    return f"sub-{subject.removeprefix('sub')}_ses-{session}"


def bids_masks(case: StudyCase, root: Path) -> tuple[Path, ...]:
    """Masks of hemorrhage of a case in a BIDS derivative: ``..._dseg.nii.gz``, without another
    description than ``ich``.
    """
    name = bids_name(case)
    return tuple(
        path
        for end in ("_desc-ich_dseg", "_dseg")
        for path in sorted(root.glob(f"{escape(name.split('_')[0])}/**/{escape(name)}{end}.nii.gz"))
    )


def require_bids(folder: Path, cases: Iterable[StudyCase]) -> None:
    """Refuse what cannot become a derivative, before anything is computed.

    Args:
        folder: to write; an earlier derivative of ours is replaced.
        cases: whose names must differ in BIDS too.

    Raises:
        OutputError: ``OUTPUT_EXISTS``, ``SAME_BIDS_NAME``.
    """
    names = [bids_name(case) for case in cases]
    if len(set(names)) < len(names):
        raise OutputError(
            "SAME_BIDS_NAME",
            "Two cases would have one name in BIDS, which knows letters and digits only.",
        )
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        makers = [maker["Name"] for maker in _description(folder)["GeneratedBy"]]
    except (OSError, ValueError, KeyError, TypeError):
        makers = []
    if makers != [_MAKER]:
        raise OutputError(
            "OUTPUT_EXISTS", "The folder for BIDS holds something else: choose another one."
        )


def _description(folder: Path) -> Any:
    return read_json(folder / "dataset_description.json")


def write_bids(
    folder: Path, study: Path, cases: Sequence[StudyCase], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write the derivative anew, whole or not at all.

    Args:
        folder: to write; an earlier one of ours is replaced.
        study: folder of the study, from which masks are copied; a study of masks has none.
        cases: of the study.
        rows: of those that are done, as `run_study` gives them.

    Raises:
        OutputError: as `require_bids`.
    """
    require_bids(folder, cases)
    done = {row["case_id"]: row for row in rows}
    names = {case.id: bids_name(case) for case in cases if case.id in done}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Scratch(folder.parent) as aside:
        _write_top(aside)
        for case_id, name in names.items():
            _write_mask(aside, study / "cases" / case_id / "ich.nii.gz", name)
        table = [_ids(name, done[case_id]) | dict(done[case_id]) for case_id, name in names.items()]
        _write_phenotype(aside, table)
        replace_folder(aside, folder.resolve())


def _write_top(root: Path) -> None:
    made = {"Name": _MAKER, "Version": __version__, "Description": RESEARCH_USE}
    _write_json(
        root / "dataset_description.json",
        {
            "Name": "Intracranial hemorrhage on head CT",
            "BIDSVersion": _VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [made],
        },
    )
    (root / "README").write_text(
        "Masks of intracranial hemorrhage (desc-ich_dseg) on the grid of each head CT, and\n"
        "measurements of each scan (phenotype/ich.tsv, explained in ich.json; further scans of a\n"
        "subject in ich_scan2.tsv and on).\n"
        f"{RESEARCH_USE}\n"
    )
    labels = [
        {
            "index": int(s),
            "name": label_of(s).name,
            "abbreviation": s.name,
            "color": "#{:02X}{:02X}{:02X}".format(*label_of(s).color),
        }
        for s in Subtype
    ]
    background = {"index": 0, "name": "Background", "abbreviation": "BG", "color": "#000000"}
    _write_tsv(root / "desc-ich_dseg.tsv", [background, *labels])


def _write_mask(root: Path, mask: Path, name: str) -> None:
    """Nothing for a case that has no mask of ours."""
    if not mask.is_file():
        return
    entities = [e for e in name.split("_") if e.startswith(("sub-", "ses-"))]
    home = root.joinpath(*entities, "anat")
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(mask, home / f"{name}_desc-ich_dseg.nii.gz")
    said = {"Description": "Intracranial hemorrhage by subtype", "Manual": False}
    _write_json(home / f"{name}_desc-ich_dseg.json", said)


def _ids(name: str, row: Mapping[str, Any]) -> dict[str, str]:
    entities = name.split("_")
    session = next((e for e in entities if e.startswith("ses-")), "n/a")
    return dict(zip(_IDS, (entities[0], session, name), strict=True))


def _write_phenotype(root: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """BIDS takes one row of a subject in a table: the second scan goes into the next table."""
    tables: list[dict[str, Mapping[str, Any]]] = []
    for row in rows:
        subject = row["participant_id"]
        table = next((table for table in tables if subject not in table), None)
        if table is None:
            tables.append(table := {})
        table[subject] = row
    subjects = [{"participant_id": subject} for subject in (list(tables[0]) if tables else [])]
    _write_tsv(root / "participants.tsv", subjects)
    for number, table in enumerate(tables, start=1):
        stem = root / "phenotype" / ("ich" if number == 1 else f"ich_scan{number}")
        stem.parent.mkdir(exist_ok=True)
        _write_tsv(stem.with_suffix(".tsv"), list(table.values()))
        _write_json(stem.with_suffix(".json"), _dictionary(rows[0]))


def _dictionary(names: Iterable[str]) -> dict[str, Any]:
    known = {c.name: c for c in columns() if c.table in ("measurements", "study")}
    said: dict[str, Any] = {
        "Description": "Measurements of one head CT of each subject",
        "MeasurementToolMetadata": {"Description": f"{_MAKER} {__version__}. {RESEARCH_USE}"},
        "session_id": {"Description": "session of the scan, n/a where there is one only"},
        "scan_id": {"Description": "name of the scan's files"},
    }
    return said | {name: _explained(known[name]) for name in names if name in known}


def _explained(column: Column) -> dict[str, Any]:
    said: dict[str, Any] = {"Description": column.meaning}
    if column.unit:
        said["Units"] = column.unit
    if column.type is ColumnType.FLAG:
        said["Levels"] = {"0": "no", "1": "yes"}
    return said


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=2) + "\n")


def _write_tsv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0]) if rows else ["participant_id"]
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines))


def _cell(value: Any) -> str:
    return "n/a" if value is None or value == "" else re.sub(r"\s+", " ", str(value))
