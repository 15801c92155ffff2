"""What an MLflow run must hold to be understood later; nothing that identifies a patient or a
machine's paths.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monai_ich.core.errors import TrackingError
from monai_ich.core.provenance import installed_versions
from monai_ich.core.shipped import commit

_LOG = logging.getLogger(__name__)
_PATIENCE_S, _PATIENCE_LOCAL_S = (
    10.0,
    120.0,
)  # a server answers; a new database file is set up first
# tag of an experiment; without it MLflow 3 shows the pages of chats
CLASSIC = ("mlflow.experimentKind", "custom_model_development")
_STORES = ("sqlite:", "http:", "https:", "postgresql", "mysql", "mssql", "databricks")


def store_uri(output_dir: str | Path) -> str:
    """The MLflow store of a training or evaluation: one sqlite file in its output folder.

    Where only the folder around it has one, that: an evaluation in a training's folder stands
    beside the training.
    """
    folder = Path(output_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    own, around = folder / "mlruns.db", folder.parent / "mlruns.db"
    return f"sqlite:///{around if around.is_file() and not own.is_file() else own}"


def artifact_uri(output_dir: str | Path) -> str:
    """Where figures and weights of the runs go: beside the store."""
    return (Path(output_dir).resolve() / "artifacts").as_uri()


def mlflow_without_telemetry() -> Any:
    """MLflow itself, which tells its makers nothing unless ``MLFLOW_DISABLE_TELEMETRY=false``.

    MLflow decides at its import, and MONAI imports it before anything here runs; so it decides
    again.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    from mlflow.telemetry import set_telemetry_client

    set_telemetry_client()
    return mlflow


def open_experiment(tracking_uri: str, name: str) -> Any:
    """MLflow itself, with `name` of the store `tracking_uri` as the experiment of the next run.

    A new experiment in a sqlite file keeps its artifacts beside that file; MLflow would put them
    into the working directory.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow = mlflow_without_telemetry()
    mlflow.set_tracking_uri(tracking_uri)
    kind, _, path = tracking_uri.partition(":///")
    if kind == "sqlite" and mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_uri(Path(path).parent))
    mlflow.set_experiment(name)
    mlflow.set_experiment_tag(*CLASSIC)
    return mlflow


def new_run_name() -> str:
    """A name that no earlier run has, so that MLflow never writes into an unfinished one."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")


def dataset_hash(dataset_dir: str | Path) -> str:
    """Short sha256 of the data list: the same cases in the same split give the same hash."""
    listing = Path(dataset_dir) / "dataset.json"
    return hashlib.sha256(listing.read_bytes()).hexdigest()[:16] if listing.is_file() else "none"


def run_parameters(
    dataset_dir: str | Path, *, network: Any, loss: Any, **settings: Any
) -> dict[str, str]:
    """Parameters of a training run for MLflow: settings, data, split, versions, commit, size of the
    network, weights within the loss.
    """
    listing = Path(dataset_dir) / "dataset.json"
    split = (
        {k: len(v) for k, v in json.loads(listing.read_text()).items() if isinstance(v, list)}
        if listing.is_file()
        else {}
    )
    found: dict[str, Any] = {
        **{f"cases_{name}": count for name, count in split.items()},
        **settings,
        "dataset_hash": dataset_hash(dataset_dir),
        "loss": type(loss).__name__,
        **{f"loss_{k}": v for k, v in vars(loss).items() if type(v) in (int, float)},
        "git_commit": commit(),
        **{f"version_{name}": version for name, version in installed_versions().items()},
        "network": type(network).__name__,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    return {name: str(value)[:500] for name, value in found.items()}


@dataclass(frozen=True)
class Tracker:
    """Logs analyses to a store that was looked at before anything is computed.

    Args:
        tracking_uri: MLflow store.
        experiment: name of the MLflow experiment.
    """

    tracking_uri: str
    experiment: str = "monai-ich analyze"

    def check(self) -> None:
        """See whether the store can be written to, in a time that anybody waits.

        Raises:
            TrackingError: ``MLFLOW_UNAVAILABLE``.
        """
        require_store(self.tracking_uri, self.experiment)

    def __call__(self, analysis: Any, folder: Path) -> None:
        """Log one analysis; its results stay, whatever becomes of this.

        Raises:
            TrackingError: ``MLFLOW_FAILED``.
        """
        log_in_time(
            lambda: log_analysis(
                analysis, folder, tracking_uri=self.tracking_uri, experiment=self.experiment
            ),
            self.tracking_uri,
        )


def require_store(tracking_uri: str, experiment: str) -> None:
    """Refuse a store that cannot be written to, before anything is computed for it.

    Raises:
        TrackingError: ``MLFLOW_UNAVAILABLE``.
    """
    if not tracking_uri.startswith(_STORES):
        message = (
            "An MLflow store is sqlite:///FILE, another database, or http(s)://SERVER; a "
            "folder is none any more."
        )
        raise TrackingError("MLFLOW_UNAVAILABLE", message)
    if not _done_in_time(lambda: open_experiment(tracking_uri, experiment), tracking_uri):
        message = (
            f"The MLflow store does not answer, or its experiment {experiment!r} was "
            "deleted: see the store."
        )
        raise TrackingError("MLFLOW_UNAVAILABLE", message)


def log_in_time(log: Callable[[], None], tracking_uri: str) -> None:
    """Log results that are written already.

    Raises:
        TrackingError: ``MLFLOW_FAILED`` (exit code 4) where the store fails or does not answer.
    """
    if not _done_in_time(log, tracking_uri):
        message = (
            "The results are written, but the MLflow store failed or did not answer: not "
            "all of them are in it."
        )
        raise TrackingError("MLFLOW_FAILED", message, exit_code=4)


def _done_in_time(work: Callable[[], Any], tracking_uri: str) -> bool:
    """Whether it was done; a store that hangs is left alone, what it says may hold credentials and
    is not repeated.
    """
    outcome: list[bool] = []

    def run() -> None:
        try:
            work()
            outcome.append(True)
        except BaseException:  # MLflow and the databases behind it fail in many ways
            _LOG.debug("MLflow", exc_info=True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S if tracking_uri.startswith("http") else _PATIENCE_LOCAL_S)
    return bool(outcome)


def log_analysis(
    analysis: Any, folder: Path, *, tracking_uri: str, experiment: str = "monai-ich analyze"
) -> None:
    """One MLflow run for one analyzed scan: settings, weights, volumes, shift, times, and the
    tables and montage.

    Patient ID and UIDs stay out of it, even where the tables keep them: a store is often shared.

    Args:
        analysis: a `monai_ich.results.files.Analysis`.
        folder: where its results were written.
        tracking_uri: MLflow store.
        experiment: name of the MLflow experiment.
    """
    mlflow = open_experiment(tracking_uri, experiment)
    with mlflow.start_run(run_name=new_run_name()):
        provenance = analysis.provenance
        mlflow.log_params(
            {f"weights_{name}": digest[:16] for name, digest in provenance.weights.items()}
        )
        mlflow.log_params(
            {name.replace("#", "."): str(value) for name, value in provenance.settings.items()}
        )
        mlflow.set_tags({"status": provenance.status, "git_commit": commit()})
        mlflow.log_metrics({f"seconds_{name}": value for name, value in provenance.seconds.items()})
        mlflow.log_metrics(analysis.exam.as_metrics())
        if (folder / "montage.png").is_file():
            mlflow.log_artifact(str(folder / "montage.png"))
        if (folder / "measurements.json").is_file():
            hidden = analysis.identity.as_columns() if analysis.identity else {}
            record = json.loads((folder / "measurements.json").read_text())
            mlflow.log_dict(
                {k: v for k, v in record.items() if k not in hidden}, "measurements.json"
            )
