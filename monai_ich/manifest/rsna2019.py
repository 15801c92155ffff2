"""Manifest of RSNA 2019: single DICOM images, and a table with six labels of each."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pydicom

from monai_ich.core.errors import ManifestError
from monai_ich.core.labels import Subtype
from monai_ich.io.quiet import quiet
from monai_ich.manifest.labels import FINDINGS
from monai_ich.manifest.manifest import ANY, SPLITS, Case, Manifest

Said: TypeAlias = frozenset[tuple[str, int]]

_TABLE = "stage_2_train.csv"
_PLACES = ("stage_2_train", "stage_2_train_images")
_COLUMNS = {
    "epidural": "EDH",
    "intraparenchymal": "IPH",
    "intraventricular": "IVH",
    "subarachnoid": "SAH",
    "subdural": "SDH",
    "any": ANY,
}
_SUBTYPES = frozenset(s.name for s in Subtype)
_ID = re.compile(r"ID_[0-9a-f]+")
_ROW_ID = re.compile(rf"(ID_[0-9a-f]+)_({'|'.join(_COLUMNS)})")
_TAGS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "ImagePositionPatient"]


class _Slice(NamedTuple):
    patient: str
    study: str
    series: str
    height_mm: float
    path: Path


def build_rsna2019(folder: Path) -> Manifest:
    """RSNA 2019: single DICOM images in one folder, sorted into series by their headers; labels of
    each image. The description counts images whose labels are not all told.

    Raises:
        ManifestError: ``NOT_PSEUDONYM`` where PatientID or StudyInstanceUID are not those of the
            published set, whose patients are called ID_...; ``UNREADABLE_FILE``; of the table
            ``MISSING_COLUMN``, ``BAD_ROW``.
    """
    table = _read_table(folder / _TABLE)
    series = defaultdict(list)
    for number, path in enumerate(_images(folder), start=1):
        found = _read_header(path, number)
        series[found.patient, found.study, found.series].append(found)
    cases: dict[str, Case] = {}
    for (patient, study, _), slices in sorted(series.items()):
        name = _free_name(f"{patient}_{study}", cases)
        paths = tuple(s.path for s in sorted(slices, key=lambda s: s.height_mm))
        known = [known_findings(table.get(path.stem, frozenset())) for path in paths]
        each = tuple(map(slice_names, known))
        labels = None if set(each) == {None} else each
        exam = exam_findings(known) or None
        cases[name] = Case(
            name, SPLITS[0], paths, patient=patient, exam_labels=exam, slice_labels=labels
        )
    stems = [path.stem for case in cases.values() for path in case.image]
    return Manifest(
        "RSNA 2019",
        tuple(cases.values()),
        {},
        description=_describe([table.get(stem, frozenset()) for stem in stems]),
        licence="see data_manifests/rsna2019.md",
    )


def _images(folder: Path) -> Iterator[Path]:
    for place in _PLACES:
        yield from sorted(p for p in (folder / place).glob("*") if p.suffix.lower() == ".dcm")


def _free_name(name: str, taken: Iterable[str]) -> str:
    """The name, or with the first number from 2 that makes it another."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _read_table(path: Path) -> dict[str, Said]:
    """Image to all that its rows say; rows that are there twice say it once."""
    found: dict[str, Said] = {}
    shared: dict[Said, Said] = {}  # of 750,000 images most say the same
    for image, finding, label in _rows(path):
        said = found.get(image, frozenset()) | {(finding, label)}
        found[image] = shared.setdefault(said, said)
    return found


def _rows(path: Path) -> Iterator[tuple[str, str, int]]:
    """Image, finding and label of each row."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        reader = csv.reader(stream)
        try:
            header = next(reader, [])
            columns = _column(header, "ID"), _column(header, "Label")
            for row in reader:
                if row:
                    yield _read_row(row, columns, reader.line_num)
        except csv.Error as error:
            raise _bad_row(reader.line_num) from error


def _column(header: Sequence[str], name: str) -> int:
    if name not in header:
        raise ManifestError(
            "MISSING_COLUMN",
            f"The first row of {_TABLE} must be ID,Label, in these letters and in UTF-8: it is "
            "another.",
        )
    return header.index(name)


def _read_row(row: Sequence[str], columns: tuple[int, int], number: int) -> tuple[str, str, int]:
    try:
        name, label = row[columns[0]], float(row[columns[1]])
    except (IndexError, ValueError) as error:
        raise _bad_row(number) from error
    match = _ROW_ID.fullmatch(name)
    if match is None or label not in (0.0, 1.0):
        raise _bad_row(number)
    return match[1], _COLUMNS[match[2]], int(label)


def _bad_row(number: int) -> ManifestError:
    """Does not repeat the row, which may hold anything."""
    return ManifestError(
        "BAD_ROW",
        f"Row {number} of {_TABLE} must be ID_IMAGE_FINDING and a label, 0 or 1, in UTF-8, with "
        f"{', '.join(_COLUMNS)} as FINDING: it is not.",
    )


@cache
def _contradicted(said: Said) -> frozenset[str]:
    """Findings of which an image's rows say both, or something else than those of others."""
    present = frozenset(name for name, label in said if label)
    absent = frozenset(name for name, label in said if not label)
    found = present & absent
    subtypes = present & _SUBTYPES
    if ANY in absent and subtypes:
        found |= {ANY} | subtypes
    if ANY in present and not subtypes and absent >= _SUBTYPES:
        found |= {ANY} | _SUBTYPES
    return found


def known_findings(said: Said) -> dict[str, int]:
    """What an image's rows tell: 1 present, 0 absent; what is not told, or said both ways, is left
    out.

    No hemorrhage at all says so of each subtype, and the subtypes together say whether there is
    any.

    >>> known_findings(frozenset({("any", 1), ("SDH", 1), ("EDH", 0)}))
    {'EDH': 0, 'SDH': 1, 'any': 1}
    >>> known_findings(frozenset({("SDH", 0), ("SDH", 1), ("EDH", 0)}))
    {'EDH': 0}
    """
    wrong = _contradicted(said)
    known = {name: label for name, label in said if name not in wrong}
    if ANY not in known and not wrong:
        subtypes = [known.get(name) for name in _SUBTYPES]
        known |= {ANY: 1} if 1 in subtypes else {} if None in subtypes else {ANY: 0}
    if known.get(ANY) == 0:
        known |= dict.fromkeys(_SUBTYPES, 0)
    return {name: known[name] for name in FINDINGS if name in known}


def slice_names(known: dict[str, int]) -> tuple[str, ...] | None:
    """Slice labels of an image: None where any hemorrhage is not known, ``("any",)`` where it is
    there and a subtype is not known.

    >>> slice_names({"EDH": 0, "SDH": 1, "any": 1}), slice_names({"EDH": 0})
    (('any',), None)
    """
    if ANY not in known:
        return None
    if known[ANY] and not set(known) >= _SUBTYPES:
        return (ANY,)
    return tuple(sorted(name for name in _SUBTYPES if known[name]))


def exam_findings(known: Sequence[dict[str, int]]) -> dict[str, int]:
    """Exam labels of an exam's images: present where one has it, absent where all lack it.

    >>> exam_findings([{"EDH": 0, "SDH": 1}, {"EDH": 0, "IPH": 0}])
    {'EDH': 0, 'SDH': 1}
    """
    found = {}
    for name in FINDINGS:
        labels = {one.get(name) for one in known}
        if 1 in labels:
            found[name] = 1
        elif labels == {0}:
            found[name] = 0
    return found


def _describe(images: Sequence[Said]) -> str:
    """How many images are not told about in full; empty where all are."""
    lacking = sum({name for name, _ in said} < set(FINDINGS) for said in images)
    contradicted = sum(bool(_contradicted(said)) for said in images)
    if not lacking and not contradicted:
        return ""
    return (
        f"Of {len(images)} images {lacking} lack rows in {_TABLE} and {contradicted} have rows "
        "that contradict each other: what these would say is not known."
    )


def _read_header(path: Path, number: int) -> _Slice:
    try:
        with quiet("pydicom"):
            d = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            patient, study, series = (str(d[tag].value) for tag in _TAGS[:3])
            height_mm = float(d.ImagePositionPatient[2])
    except Exception as error:  # a damaged header fails in many ways
        which = path.stem if _ID.fullmatch(path.stem) else f"file {number} in the order of names"
        raise ManifestError(
            "UNREADABLE_FILE",
            f"Of the images, {which} has no readable DICOM header with patient, study, series and "
            "position: get it anew, or take it away.",
        ) from error
    if not (_ID.fullmatch(patient) and _ID.fullmatch(study)):
        raise ManifestError(
            "NOT_PSEUDONYM",
            "RSNA 2019 calls patients and studies ID_..., found another: not that set.",
        )
    return _Slice(patient, study, series, height_mm, path)
