"""The MLflow run of a bundle's training or evaluation: MONAI's handler, and what a person looks
for in it.
"""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from ignite.engine import Engine, Events
from monai.handlers import MLFlowHandler

from monai_ich.core.json_text import read_json
from monai_ich.core.provenance import sha256_of
from monai_ich.core.shipped import commit
from monai_ich.tracking.runs import CLASSIC, mlflow_without_telemetry


class BundleRun(MLFlowHandler):
    """MONAI's MLflow handler, plus description, command, commit, user, data sets and the origin of
    the weights.

    Data sets are recorded by number and size of their files, never by name: a store is often
    shared.

    Args:
        purpose: ``"training"``, ``"fine-tuning"`` or ``"evaluation"``.
        datasets: name (``"training"``, ``"validation"``) to rows with the paths of images and
            labels.
        weights: origin of the weights, see `weights_origin`.
        system_metrics: also log CPU, memory and GPU every 10 seconds.
        options: of `MLFlowHandler`.
    """

    def __init__(
        self,
        purpose: str,
        datasets: Mapping[str, Sequence[Mapping[str, Any]]],
        weights: str,
        system_metrics: bool = False,
        **options: Any,
    ) -> None:
        mlflow_without_telemetry()
        super().__init__(**options)
        self.purpose, self.datasets, self.weights = purpose, datasets, weights
        self.system_metrics, self.monitor = system_metrics, None

    def attach(self, engine: Engine) -> None:
        """Follow a trainer or evaluator; what waits for the run to end comes first."""
        engine.add_event_handler(Events.COMPLETED, self._stop_monitor)
        super().attach(engine)

    def start(self, engine: Engine) -> None:
        """Open the run, describe it."""
        super().start(engine)
        assert self.cur_run is not None and self.experiment is not None
        run_id = self.cur_run.info.run_id
        self.client.set_experiment_tag(self.experiment.experiment_id, *CLASSIC)
        for name, value in self._tags().items():
            self.client.set_tag(run_id, name, value)
        self.client.log_inputs(run_id, [_dataset(*named) for named in self.datasets.items()])
        if self.system_metrics and self.monitor is None:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self.monitor = SystemMetricsMonitor(run_id, tracking_uri=self.client.tracking_uri)
            self.monitor.start()

    def _tags(self) -> dict[str, str]:
        counts = ", ".join(f"{len(rows)} {name}" for name, rows in self.datasets.items())
        return {
            "mlflow.note.content": f"{self.purpose.capitalize()} of {self.experiment_name} on "
            f"{counts} scans; weights: {self.weights}.",
            "mlflow.source.name": command(sys.argv),
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": commit(),
            "mlflow.user": _user(),
            "purpose": self.purpose,
            "weights": self.weights,
        }

    def _stop_monitor(self) -> None:
        if self.monitor is not None:
            self.monitor.finish()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container where the user has no name
        return "unknown"


def _dataset(name: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource

    sizes = [
        {
            f"{key}_bytes": float(Path(value).stat().st_size)
            for key, value in row.items()
            if isinstance(value, str) and Path(value).is_file()  # not the case, nor a seed
        }
        for row in rows
    ]
    table = pd.DataFrame(sizes).fillna(0.0).rename_axis("scan").reset_index().astype(float)
    source = CodeDatasetSource({"mlflow.source.type": "LOCAL"})  # no folder
    dataset = mlflow.data.from_pandas(table, source=source, name=name)  # type: ignore[attr-defined]
    return mlflow.entities.DatasetInput(
        dataset._to_mlflow_entity(), [mlflow.entities.InputTag("mlflow.data.context", name)]
    )


def weights_origin(path: str | Path | None) -> str:
    """Which weights a training starts from, or an evaluation looks at: bundle, version and sha256.

    Args:
        path: a state dict; ``models/model.pt`` of a bundle is named by it. None: random.
    """
    if path is None:
        return "random"
    file = Path(path).resolve()
    metadata = file.parents[1] / "configs" / "metadata.json"
    name = ""
    if file.parent.name == "models" and metadata.is_file():
        name = f"{file.parents[1].name} {read_json(metadata).get('version', '')}, "
    return f"{name}sha256 {sha256_of(file)[:16]}"


def command(arguments: Sequence[str]) -> str:
    """A command line without files and folders, but for configs: they may hold names, of patients
    too.
    """
    program, *words = arguments
    module = program.endswith("/monai/bundle/__main__.py")
    shown = ["-m monai.bundle" if module else _shown(program), *map(_shown, words)]
    return " ".join(["python", *shown])[:5000]


def _shown(word: str) -> str:
    if "/" not in word and len(word) < 256 and Path(word).exists():
        return _file_only(word)
    return re.sub(r"[^'\"\[\],=]*/[^'\"\[\],/]*", lambda path: _file_only(path[0]), word)


def _file_only(path: str) -> str:
    name = path.rpartition("/")[2]
    return name if name.endswith((".py", ".yaml", ".json")) or name == "monai-ich" else "..."
