"""Manifests of public sets without masks: CQ500 (exams, read thrice) and RSNA 2019 (slices)."""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pydicom

from monai_ich.core.errors import ManifestError
from monai_ich.io.quiet import quiet
from monai_ich.manifest.labels import label_exam
from monai_ich.manifest.manifest import ANY, SPLITS, Case, Manifest

_CQ500_NAME = re.compile(r"CQ500[-_ ]?CT[-_ ]?(\d+)\b")
_CQ500_COLUMNS = {"ICH": ANY, "EDH": "EDH", "IPH": "IPH", "IVH": "IVH", "SAH": "SAH", "SDH": "SDH"}
_RSNA_COLUMNS = {
    "epidural": "EDH",
    "intraparenchymal": "IPH",
    "intraventricular": "IVH",
    "subarachnoid": "SAH",
    "subdural": "SDH",
    "any": ANY,
}
_RSNA_ID = re.compile(r"ID_[0-9a-f]+")
_RSNA_TAGS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "ImagePositionPatient"]


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


class _Slice(NamedTuple):
    patient: str
    study: str
    series: str
    height_mm: float
    path: Path


def build_rsna2019(folder: Path) -> Manifest:
    """RSNA 2019: single DICOM images in one folder, sorted into series by their headers; labels of
    each image.

    Raises:
        ManifestError: ``NOT_PSEUDONYM`` where PatientID or StudyInstanceUID are not those of the
            published set, whose patients are called ID_...; ``UNREADABLE_FILE``.
    """
    labels = _rsna_labels(folder / "stage_2_train.csv")
    series = defaultdict(list)
    for place in ("stage_2_train", "stage_2_train_images"):
        for path in sorted((folder / place).glob("*.dcm")):
            found = _rsna_header(path)
            series[found.patient, found.study, found.series].append(found)
    cases, names = [], set()
    for (patient, study, _), slices in sorted(series.items()):
        name, number = f"{patient}_{study}", 1
        while name in names:
            number += 1
            name = f"{patient}_{study}_{number}"
        names.add(name)
        paths = tuple(s.path for s in sorted(slices, key=lambda s: s.height_mm))
        each = tuple(labels.get(path.stem) for path in paths)
        exam = (
            None if None in each else label_exam(name for names in each if names for name in names)
        )
        cases.append(
            Case(name, SPLITS[0], paths, patient=patient, exam_labels=exam, slice_labels=each)
        )
    return Manifest("RSNA 2019", tuple(cases), {}, licence="see data_manifests/rsna2019.md")


def _rsna_labels(table: Path) -> dict[str, tuple[str, ...]]:
    """Image to what is present; rows that are there twice are the same."""
    found: dict[str, set[str]] = {}
    with table.open(newline="", encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            image, _, column = row["ID"].rpartition("_")
            names = found.setdefault(image, set())
            if float(row["Label"]) >= 0.5:
                names.add(_RSNA_COLUMNS[column])
    return {image: tuple(sorted(names - {ANY} or names)) for image, names in found.items()}


def _rsna_header(path: Path) -> _Slice:
    try:
        with quiet("pydicom"):
            d = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_RSNA_TAGS))
            patient, study, series = (str(d[tag].value) for tag in _RSNA_TAGS[:3])
            height_mm = float(d.ImagePositionPatient[2])
    except Exception as error:  # a damaged header fails in many ways
        raise ManifestError(
            "UNREADABLE_FILE", "A file named like a DICOM image is none: get the folder anew."
        ) from error
    if not (_RSNA_ID.fullmatch(patient) and _RSNA_ID.fullmatch(study)):
        raise ManifestError(
            "NOT_PSEUDONYM",
            "RSNA 2019 calls patients and studies ID_..., found another: not that set.",
        )
    return _Slice(patient, study, series, height_mm, path)
