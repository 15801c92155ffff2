"""Evaluate a folder of predictions: every case of a split is compared, or listed with the reason
why it is not.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monai_ich.agreement.surface import NSD_TOLERANCE_MM
from monai_ich.core.cells import plain_cell
from monai_ich.core.errors import IchError, InputError, ManifestError
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.provenance import installed_versions, sha256_of
from monai_ich.core.shipped import commit
from monai_ich.evaluate.case import evaluate_case
from monai_ich.evaluate.densities import Densities, measure_densities
from monai_ich.evaluate.figures import lesions_by_size, stratify, summarize
from monai_ich.evaluate.masks import Row
from monai_ich.evaluate.page import as_evaluation_page
from monai_ich.evaluate.plots import draw_plots
from monai_ich.io.output import output_folder
from monai_ich.manifest.manifest import Case, read_manifest

SCHEMA = "monai-ich/evaluation/1"
RESULTS = ("cases.csv", "lesions.csv", "failures.csv", "summary.json", "report.html")
CONVENTIONS = {
    "both_empty": "Where reference and prediction are both empty they agree: Dice and surface "
    "Dice 1, HD95 0 mm, relative volume difference 0.",
    "one_empty": "Where one is empty, Dice and surface Dice are 0 and HD95 has no value; a "
    "relative volume difference has none where the reference is empty. Figures 'where_present' "
    "count cases whose reference holds the finding. HD95 counts those in which the prediction "
    "holds it too: 'missed' and 'false' say in how many only one of both does.",
    "absent": "A finding that no reference holds has no Dice, only false detections.",
    "surface_dice": f"Share of both surfaces' area within {NSD_TOLERANCE_MM:g} mm of the other, in "
    "world millimeters (surface elements, Nikolov 2021, doi:10.2196/26151).",
    "lesions": "26-connected pieces; found where at least one voxel is predicted, false where "
    "none is true. Precision is the share of predicted lesions that are not false.",
    "volume": "Bias, limits of agreement, absolute errors, concordance and ICC(2,1) count cases "
    "with blood of the finding in either mask.",
    "exams": "Reference: exam labels, else slice labels, else mask. Prediction: "
    "measurements.json, else 0.1 mL and more. The score of the AUC is the probability where all "
    "exams have one, else the volume.",
    "midline_shift": "The error counts the side: 3 mm to the wrong side are 6 mm wrong. Bias and "
    "limits are of the measured shift minus the true one toward the measured side.",
    "thickness": "Of the thickest clot; 0 mm where none was found.",
    "intervals": "95 %: Wilson's for sensitivity and specificity, with patients for trials where "
    "these are fewer; else bootstrap, which draws patients with all of their scans (2000 "
    "resamples, seed 0). One case, one patient, or values without spread give no interval.",
    "strata": "Slice thickness is the distance of the slice planes; lesion size that of the "
    "largest reference lesion.",
}
Progress = Callable[[Sequence[Case]], Iterable[Case]]


@dataclass(frozen=True)
class Failure:
    """A case that could not be evaluated."""

    case_id: str
    code: str
    message: str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A finished evaluation.

    Args:
        rows: one a case, of ``cases.csv``.
        lesions: one a lesion, of ``lesions.csv``.
        failures: the cases that could not be evaluated.
        summary: of ``summary.json``.
        densities: HU after preprocessing.
    """

    rows: tuple[Row, ...]
    lesions: tuple[Row, ...]
    failures: tuple[Failure, ...]
    summary: dict[str, Any]
    densities: Densities


def evaluate(
    manifest_path: str | Path,
    predictions: str | Path,
    *,
    split: str = "test",
    meaning: LabelMeaning | None = None,
    progress: Progress = iter,
) -> Evaluation:
    """Compare predictions with the references of a manifest's split.

    Args:
        manifest_path: the manifest.
        predictions: folder of a study or of label maps, see `evaluate.case.read_prediction`.
        split: ``"training"``, ``"validation"``, ``"test"``, or ``"all"``.
        meaning: of the values of predictions that do not say it themselves.
        progress: wraps the cases, to show how far the evaluation is.

    Raises:
        ManifestError: those of `read_manifest`; ``NO_CASES`` where the split is empty.
        InputError: ``INPUT_NOT_FOUND``; ``NOTHING_EVALUATED`` where no case could be.
    """
    manifest, folder = read_manifest(manifest_path), Path(predictions)
    cases = [case for case in manifest.cases if split in (case.split, "all")]
    if not cases:
        raise ManifestError(
            "NO_CASES",
            f"The manifest has no cases in split {split!r}: choose another with --split.",
        )
    if not folder.is_dir():
        raise InputError(
            "INPUT_NOT_FOUND", "The folder of predictions does not exist: check the path given."
        )
    rows: list[Row] = []
    lesions: list[Row] = []
    failures: list[Failure] = []
    done: list[Case] = []
    for case in progress(cases):
        try:
            row, pieces = evaluate_case(case, folder, manifest.label_mapping, meaning)
        except IchError as error:
            failures.append(Failure(case.id, error.code, error.message))
            continue
        rows.append(row)
        lesions += pieces
        done.append(case)
    codes = dict(sorted(Counter(failure.code for failure in failures).items()))
    if not rows:
        words = ", ".join(f"{code} ({count})" for code, count in codes.items())
        first = f" The first one: {failures[0].message}"
        raise InputError(
            "NOTHING_EVALUATED", f"None of {len(cases)} cases could be evaluated: {words}.{first}"
        )
    summary = {
        "schema": SCHEMA,
        "data": {
            "name": manifest.name,
            "split": split,
            "hash": sha256_of(Path(manifest_path))[:16],
        },
        "cases": {
            "listed": len(cases),
            "evaluated": len(rows),
            "failed": len(failures),
            "codes": codes,
        },
        "conventions": CONVENTIONS,
        "figures": summarize(rows),
        "strata": stratify(rows),
        "lesion_sensitivity_by_size": lesions_by_size(lesions),
        "failures": [asdict(failure) for failure in failures],
        "versions": installed_versions(),
        "git_commit": commit(),
    }
    return Evaluation(
        tuple(rows), tuple(lesions), tuple(failures), summary, measure_densities(done, folder)
    )


def write_evaluation(
    evaluation: Evaluation, output_dir: str | Path, *, overwrite: bool = False
) -> None:
    """Write tables, plots and page; nothing appears under `output_dir` unless all of it does.

    Raises:
        OutputError: as `output_folder`.
    """
    e = evaluation
    with output_folder(Path(output_dir), results=RESULTS, overwrite=overwrite) as scratch:
        write_rows(scratch / "cases.csv", e.rows)
        write_rows(
            scratch / "lesions.csv",
            e.lesions,
            ("case_id", "patient", "finding", "in", "volume_ml", "matched"),
        )
        write_rows(
            scratch / "failures.csv",
            [asdict(f) for f in e.failures],
            ("case_id", "code", "message"),
        )
        (scratch / "summary.json").write_text(
            json.dumps(e.summary, indent=1, allow_nan=False) + "\n"
        )
        plots = draw_plots(e.rows, e.summary, e.densities)
        for plot in plots:
            (scratch / f"{plot.name}.png").write_bytes(plot.png)
        (scratch / "report.html").write_text(as_evaluation_page(e.summary, plots), encoding="utf-8")


def write_rows(path: Path, rows: Sequence[Row], columns: Sequence[str] = ()) -> None:
    """A CSV; what a row lacks is an empty cell, numbers have six digits."""
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        rounded = (
            {k: f"{v:.6g}" if isinstance(v, float) else plain_cell(v) for k, v in row.items()}
            for row in rows
        )
        writer.writerows(rounded)
