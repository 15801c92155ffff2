"""A data set as a list: which scans, whose, with which labels, in which split.

The file is JSON in the style of the Medical Segmentation Decathlon, so the bundles train from it as
it is; its schema is ``data_manifests/manifest.schema.json``. Patients appear in it by a pseudonym,
never by name, ID or date.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from monai_ich.core.errors import ManifestError
from monai_ich.core.json_text import read_json
from monai_ich.core.labels import Subtype
from monai_ich.core.shipped import shipped
from monai_ich.io.output import renamed

SCHEMA = "monai-ich/manifest/1"
SPLITS = ("training", "validation", "test")
ANY, IGNORE = "any", "ignore"
NOT_BLOOD = (IGNORE, "EDEMA")
SAME_LABELS: Mapping[int, str] = {int(s): s.name for s in Subtype}


@dataclass(frozen=True)
class Case:
    """One row.

    Args:
        id: names the case everywhere, folders included.
        split: one of `SPLITS`.
        image: one NIfTI file, DICOM folder or zip; or the DICOM files of one series, in the order
            of its slices.
        label, edema, anatomy: label maps on the image's grid; None where there are none.
        patient: pseudonym that all scans of one patient share; by default `id`.
        site: where it was scanned, as far as known.
        fold: for cross-validation, from 0.
        exam_labels: subtype's name or ``"any"`` to 1 (present) or 0; None or absent: not known.
        slice_labels: for each slice the names of what is present, None where that is not known.
        midline_shift_mm: at the foramina of Monro, positive to the patient's right.
        thickness_mm: ``"EDH"`` or ``"SDH"`` to the thickness of its thickest clot, 0 for none.
    """

    id: str
    split: str
    image: tuple[Path, ...]
    label: Path | None = None
    edema: Path | None = None
    anatomy: Path | None = None
    patient: str = ""
    site: str = ""
    fold: int | None = None
    exam_labels: Mapping[str, int] | None = None
    slice_labels: tuple[tuple[str, ...] | None, ...] | None = None
    midline_shift_mm: float | None = None
    thickness_mm: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "patient", self.patient or self.id)

    @property
    def place(self) -> str:
        """Split and fold in words."""
        return self.split if self.fold is None else f"{self.split}, fold {self.fold}"


@dataclass(frozen=True)
class Manifest:
    """A data set.

    Args:
        name: of the data set.
        cases: its rows.
        label_mapping: value in the label files to a subtype's name, ``"EDEMA"``, ``"any"``
            (hemorrhage of unknown subtype) or ``"ignore"`` (no hemorrhage): the classes that the
            masks hold.
        description, licence: for people.

    Raises:
        ManifestError: ``DUPLICATE_ID``, ``PATIENT_IN_TWO_SPLITS``.
    """

    name: str
    cases: tuple[Case, ...]
    label_mapping: Mapping[int, str] = field(default_factory=lambda: dict(SAME_LABELS))
    description: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        for conflict in find_conflicts(self.cases):
            raise conflict


def find_conflicts(cases: Iterable[Case]) -> Iterator[ManifestError]:
    """Ids that are there twice, and patients whose scans are not all in one split and fold."""
    ids: set[str] = set()
    places: dict[str, Case] = {}
    for case in cases:
        if case.id in ids:
            yield ManifestError(
                "DUPLICATE_ID", f"Two cases are called {case.id}: give each an id of its own."
            )
        ids.add(case.id)
        first = places.setdefault(case.patient, case)
        if first.place != case.place:
            message = (
                f"{first.id} ({first.place}) and {case.id} ({case.place}) are of one "
                "patient: put both in one split."
            )
            yield ManifestError("PATIENT_IN_TWO_SPLITS", message)


def read_manifest(path: str | Path) -> Manifest:
    """Read and check a manifest; the files that it names are not opened.

    Raises:
        ManifestError: ``NO_MANIFEST``, ``NOT_JSON``, ``SCHEMA_VIOLATION``, ``DUPLICATE_ID``,
            ``PATIENT_IN_TWO_SPLITS``.
    """
    record = read_record(Path(path))
    for violation in find_violations(record):
        raise violation
    cases = tuple(read_cases(record, Path(path).parent))
    texts = {key: record.get(key, "") for key in ("description", "licence")}
    return Manifest(record["name"], cases, read_mapping(record), **texts)


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object of a manifest, as it is."""
    try:
        record = read_json(path)
    except OSError as error:
        raise ManifestError(
            "NO_MANIFEST", "The manifest cannot be read: check the path given."
        ) from error
    except ValueError as error:
        raise ManifestError(
            "NOT_JSON", "A manifest is a JSON file, the one given is none."
        ) from error
    if not isinstance(record, dict):
        raise ManifestError(
            "NOT_JSON", "A manifest is a JSON object, the one given holds something else."
        )
    return record


def find_violations(record: dict[str, Any]) -> Iterator[ManifestError]:
    """Where a record breaks the schema; what stands there is not repeated, it may name a
    patient.
    """
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(_schema()).iter_errors(record):
        where = "/".join(map(str, error.absolute_path)) or "the top"
        if error.validator == "additionalProperties":
            what = "it holds an entry that the schema does not know"
        elif error.validator == "required":
            what = error.message
        else:
            what = f"{error.validator} must be {json.dumps(error.validator_value)[:200]}"
        yield ManifestError(
            "SCHEMA_VIOLATION", f"At {where} the manifest breaks its schema: {what}."
        )


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        shipped("data_manifests", "manifest.schema.json").read_text()
    )
    return schema


def read_mapping(record: dict[str, Any]) -> dict[int, str]:
    """The label mapping of a record."""
    return {int(value): name for value, name in record["label_mapping"].items()}


def read_cases(record: dict[str, Any], folder: Path) -> Iterator[Case]:
    """The rows of a record that keeps to the schema; paths relative to `folder`."""
    for split in SPLITS:
        for row in record.get(split, ()):
            found = dict(row) | {"split": split}
            image = row["image"]
            found["image"] = tuple(
                folder / p for p in ([image] if isinstance(image, str) else image)
            )
            found |= {key: folder / row[key] for key in ("label", "edema", "anatomy") if key in row}
            if "slice_labels" in row:
                found["slice_labels"] = tuple(
                    None if s is None else tuple(s) for s in row["slice_labels"]
                )
            yield Case(**found)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write aside, then rename; paths become relative to the manifest's folder.

    Raises:
        ManifestError: ``SCHEMA_VIOLATION``.
    """
    record: dict[str, Any] = {"schema": SCHEMA, "name": manifest.name}
    record |= {key: text for key in ("description", "licence") if (text := getattr(manifest, key))}
    record["label_mapping"] = {str(value): name for value, name in manifest.label_mapping.items()}
    for split in SPLITS:
        rows = [_row(case, path.resolve().parent) for case in manifest.cases if case.split == split]
        record |= {split: rows} if rows else {}
    text = json.dumps(record, indent=1) + "\n"
    for violation in find_violations(json.loads(text)):
        raise violation
    path.parent.mkdir(parents=True, exist_ok=True)
    with renamed(path) as aside:
        aside.write_text(text)


def _row(case: Case, folder: Path) -> dict[str, Any]:
    def relative(path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), folder)).as_posix()

    images = [relative(p) for p in case.image]
    row: dict[str, Any] = {"id": case.id, "image": images[0] if len(images) == 1 else images}
    row |= {
        key: relative(p)
        for key in ("label", "edema", "anatomy")
        if (p := getattr(case, key)) is not None
    }
    references = ("exam_labels", "slice_labels", "midline_shift_mm", "thickness_mm")
    for key in ("patient", "site", "fold", *references):
        value = getattr(case, key)
        if value not in (None, "") and (key, value) != ("patient", case.id):
            row[key] = value
    return row
