"""What is done, read from the cases' folders; the tables of a study are made of nothing else."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from monai_ich.bundle.load import CLASSIFIER, SHAPE_NUMBERS, find_bundle, pipeline_bundles
from monai_ich.core.cells import plain_cell
from monai_ich.core.errors import BundleError, InputError
from monai_ich.core.json_text import read_json
from monai_ich.core.provenance import STUDY_DIGEST, sha256_of
from monai_ich.core.shipped import code_digest
from monai_ich.io.output import renamed
from monai_ich.results.dictionary import ColumnType, columns
from monai_ich.study.inputs import StudyCase
from monai_ich.study.worker import Outcome

_CALIBRATION = "operating_points.json"


def digest_settings(overrides: Mapping[str, Any], *, calibrated: bool = True) -> str:
    """Short hash of all that a number depends on: overrides, the bundles' settings and weights, our
    code.

    Args:
        overrides: of the pipeline.
        calibrated: false where the calibration does not matter, since a new one is sought.

    Raises:
        BundleError: ``BUNDLE_NOT_FOUND``, ``NO_WEIGHTS``.
    """
    pipeline = find_bundle("ich_segmentation") / "configs" / "pipeline.yaml"
    found = [digest_code(overrides), sha256_of(pipeline)]
    for root in pipeline_bundles():
        if root.name == CLASSIFIER and not calibrated:
            continue  # it is not run
        if not (root / "models" / "model.pt").is_file():
            raise BundleError("NO_WEIGHTS", f"The bundle {root.name} has no weights: train it.")
        names = [name for name in SHAPE_NUMBERS if calibrated or name != _CALIBRATION]
        paths = [root / "models" / "model.pt", *(root / "configs" / name for name in names)]
        found += [sha256_of(path) for path in paths if path.is_file()]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


def digest_code(settings: Mapping[str, Any]) -> str:
    """Short hash of settings and our code: what numbers depend on where no network is run."""
    found = [json.dumps(settings, sort_keys=True, default=str), code_digest()]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error)


def is_done(folder: Path, digest: str) -> bool:
    """Whether a case's folder holds results with these settings of this input. Folders are renamed
    when complete.

    Raises:
        InputError: ``RESULTS_DAMAGED`` where it cannot be read whose they are.
    """
    path = folder / "provenance.json"
    if not path.is_file():
        return False
    with _undamaged():
        return bool(read_json(path)["settings"].get(STUDY_DIGEST) == digest)


def read_row(case: StudyCase, folder: Path) -> dict[str, Any]:
    """The row of a case that is done: its ``measurements.csv`` with patient, site, warnings and
    time.

    Raises:
        InputError: ``RESULTS_DAMAGED`` where tables are cut or damaged, or table and JSON are of
            two runs.
    """
    with _undamaged():
        return _read_row(case, folder)


@contextmanager
def _undamaged() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InputError(
            "RESULTS_DAMAGED", "Its results cannot be read: analyze it again."
        ) from error


def _read_row(case: StudyCase, folder: Path) -> dict[str, Any]:
    text = (folder / "measurements.csv").read_text()
    (measured,) = csv.DictReader(StringIO(text))
    found = read_json(folder / "measurements.json")
    if not text.endswith("\n") or None in measured or None in measured.values():
        raise ValueError("the table is cut")
    both = [(measured["total_volume_ml"], found["total_volume_ml"])]
    both += [
        (measured[f"{name.lower()}_volume_ml"], subtype.get("volume_ml"))
        for name, subtype in found["subtypes"].items()
    ]
    if measured["case_id"] != plain_cell(found["case_id"]) or any(
        (float(text) if text else None) != ml for text, ml in both
    ):
        raise ValueError("the table is of another run")
    row: dict[str, Any] = {"case_id": case.id, "patient": case.patient, "site": case.site}
    row |= {name: _value(name, text) for name, text in measured.items() if name != "case_id"}
    row["warnings"] = " ".join(w["code"] for w in found["warnings"])
    return row | {"seconds": round(sum(found["provenance"]["seconds"].values()), 2)}


@cache
def _kinds() -> dict[str, type]:
    """What each column of a study holds, whether its cells are empty or not."""
    return {
        column.name: {ColumnType.NUMBER: float, ColumnType.TEXT: str}.get(column.type, int)
        for column in columns()
        if column.table in ("measurements", "study")
    }


def _value(name: str, text: str) -> float | int | str | None:
    value: float | int | str = _kinds().get(name, str)(text) if text else ""
    return None if value == "" else value


def as_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table whose columns keep their types when cells are empty."""
    table = pd.DataFrame(list(rows))
    kinds = {float: "Float64", int: "Int64", str: "string"}
    return table.astype({name: kinds[_kinds().get(name, str)] for name in table.columns})


def write_tables(
    folder: Path, rows: Sequence[Mapping[str, Any]], failures: Iterable[Outcome]
) -> None:
    """Write ``study.csv``, ``study.parquet`` and ``failures.csv``, each aside, then renamed."""
    table = as_table(rows)
    columns = ["case_id", "code", "message"]
    failed = pd.DataFrame(
        [[plain_cell(getattr(f, c)) for c in columns] for f in failures], columns=columns
    )
    text = table.select_dtypes("string").columns
    with renamed(folder / "study.csv") as aside:
        table.assign(
            **{name: table[name].map(plain_cell, na_action="ignore") for name in text}
        ).to_csv(aside, index=False, lineterminator="\n")
    with renamed(folder / "study.parquet") as aside:
        table.to_parquet(aside, index=False)
    with renamed(folder / "failures.csv") as aside:
        failed.to_csv(aside, index=False, lineterminator="\n")
