"""One MLflow run for one evaluation; cases are numbered there, not named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai_ich.core.scratch import temporary
from monai_ich.evaluate.run import Evaluation, write_rows
from monai_ich.tracking.runs import new_run_name, open_experiment

EXPERIMENT = "monai-ich evaluate"


def log_evaluation(
    evaluation: Evaluation, folder: Path, *, tracking_uri: str, experiment: str = EXPERIMENT
) -> None:
    """Log data hash and split, versions, commit, every figure, the plots and tables.

    Case ids, sites and messages stay out of it: a store is often shared. So the page, which names
    failed cases, does.

    Args:
        evaluation: what was found.
        folder: where `write_evaluation` wrote it.
        tracking_uri: MLflow store.
        experiment: name of the MLflow experiment.
    """
    summary = evaluation.summary
    mlflow = open_experiment(tracking_uri, experiment)
    with mlflow.start_run(run_name=new_run_name()):
        mlflow.log_params({f"data_{key}": value for key, value in summary["data"].items()})
        mlflow.log_params(
            {f"version_{name}": number for name, number in summary["versions"].items()}
        )
        mlflow.set_tag("git_commit", summary["git_commit"])
        mlflow.log_metrics(
            {f"cases_{key}": n for key, n in summary["cases"].items() if key != "codes"}
        )
        mlflow.log_metrics(dict(_metrics(summary["figures"])))
        public = {key: value for key, value in summary.items() if key != "failures"}
        public["strata"] = {
            kind: parts for kind, parts in summary["strata"].items() if kind != "site"
        }
        for plot in sorted(folder.glob("*.png")):
            mlflow.log_artifact(str(plot))
        with temporary() as scratch:
            numbers = {row["case_id"]: n for n, row in enumerate(evaluation.rows, start=1)}
            for name, rows in (("cases.csv", evaluation.rows), ("lesions.csv", evaluation.lesions)):
                numbered = [{"case": numbers[row["case_id"]], **row} for row in rows]
                hidden = [
                    {k: v for k, v in row.items() if k not in ("case_id", "patient", "site")}
                    for row in numbered
                ]
                write_rows(scratch / name, hidden)
            (scratch / "summary.json").write_text(json.dumps(public, indent=1, allow_nan=False))
            mlflow.log_artifacts(str(scratch))


def _metrics(figures: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every value below, by its path."""
    for name, found in figures.items():
        if isinstance(found, dict) and "value" in found:
            if found["value"] is not None:
                yield prefix + name, found["value"]
        elif isinstance(found, dict):
            yield from _metrics(found, f"{prefix}{name}/")
