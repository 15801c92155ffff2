"""What a training run must say about itself, for MLflow: data, code, versions, seed. Never a path or a patient."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from monai_ich.core.provenance import installed_versions, sha256_of
from monai_ich.learning.datasets import LIST_NAME


def dataset_digest(dataset_dir: Path | str) -> str:
    """A hash of the data set's list and of the sizes of its files (contents would take minutes to read).

    File names enter the hash only; they are not readable from it.
    """
    folder = Path(dataset_dir)
    listing = folder / LIST_NAME
    digest = hashlib.sha256(sha256_of(listing).encode())
    for path in sorted(folder.rglob("*.nii*")):
        digest.update(f"{path.relative_to(folder)}:{path.stat().st_size};".encode())
    return digest.hexdigest()[:16]


def git_commit(folder: Path | str = Path(__file__).parent) -> str:
    """The commit of the code, ``-dirty`` with uncommitted changes; ``"unknown"`` outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip() or "unknown"


def unique_run_name(bundle: str) -> str:
    """A run name that no other run has: MLFlowHandler writes into an unfinished run of the same name."""
    return f"{bundle}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def sqlite_uri(output_dir: Path | str) -> str:
    """The tracking store of a run: ``mlruns.db`` in its output folder, which is made where it is missing."""
    folder = Path(output_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder.as_posix()}/mlruns.db"


def run_parameters(
    bundle: str, dataset_dir: Path | str, hyperparameters: Mapping[str, object], *, splits: Mapping[str, int]
) -> dict[str, str]:
    """Parameters to log once: hyper-parameters as given, and ``bundle``, ``dataset``, ``split_*``, ``git_commit``, ``version_*``."""
    found = {name: str(value) for name, value in hyperparameters.items()}
    found |= {"bundle": bundle, "dataset": dataset_digest(dataset_dir), "git_commit": git_commit()}
    found |= {f"split_{name}": str(count) for name, count in splits.items()}
    found |= {f"version_{name}": version for name, version in installed_versions().items()}
    return found


def log_analysis(analysis: Any, folder: Path, *, tracking_uri: str, experiment: str = "monai-ich analyze") -> None:
    """One MLflow run for one analyzed scan: settings, weights, volumes, shift, times, and the tables and montage.

    Args:
        analysis: a `monai_ich.results.Analysis`.
        folder: where its results were written.
        tracking_uri: MLflow store.
        experiment: name of the MLflow experiment.
    """
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=new_run_name()):
        provenance = analysis.provenance
        mlflow.log_params({f"weights_{name}": digest[:16] for name, digest in provenance.weights.items()})
        mlflow.log_params({name: str(value) for name, value in provenance.settings.items()})
        mlflow.set_tags({"status": provenance.status, "git_commit": git_commit()})
        mlflow.log_metrics({f"seconds_{name}": value for name, value in provenance.seconds.items()})
        mlflow.log_metrics(analysis.exam.as_metrics())
        for name in ("measurements.json", "montage.png"):
            if (folder / name).is_file():
                mlflow.log_artifact(str(folder / name))
