"""Put the whole pipeline into an MLflow model registry."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import requires, version
from pathlib import Path

from monai_ich.bundle import load_bundle, pipeline_bundles
from monai_ich.core.scratch import temporary
from monai_ich.core.shipped import commit
from monai_ich.tracking.runs import new_run_name, open_experiment, require_store

_EXPERIMENT = "monai-ich models"
_SCRIPT = """from mlflow.models import set_model

from monai_ich.tracking.model import ScanModel

set_model(ScanModel())
"""


def register_model(
    tracking_uri: str, *, name: str = "monai-ich", bundles: str | Path | None = None
) -> int:
    """Log the pipeline and register it; nothing is asked of the network.

    The model carries the toolkit's source and both bundles, so the machine that loads it needs only
    the packages of its ``requirements.txt``. It is code, not a pickle. Hashes and status of the
    weights are tags of the version.

    Args:
        tracking_uri: MLflow store, for example ``sqlite:///models.db``; its registry is used.
        name: of the registered model.
        bundles: folder that holds the bundles; by default those that came with the toolkit.

    Returns:
        The version: ``models:/NAME/VERSION`` loads it.

    Raises:
        BundleError: ``BUNDLE_NOT_FOUND``, ``NO_WEIGHTS``, ``BUNDLE_BROKEN``.
        TrackingError: ``MLFLOW_UNAVAILABLE``.
    """
    require_store(tracking_uri, _EXPERIMENT)
    loaded = [load_bundle(root, device="cpu") for root in pipeline_bundles(bundles)]
    tags = {"git_commit": commit()}
    tags |= {f"weights_{b.name}": b.weights_sha256 for b in loaded} | {
        f"status_{b.name}": b.status for b in loaded
    }
    mlflow = open_experiment(tracking_uri, _EXPERIMENT)
    from monai_ich.tracking.model import EXAMPLE, SIGNATURE  # these import MLflow

    with mlflow.start_run(run_name=new_run_name()), temporary() as scratch:
        mlflow.set_tags(tags)
        script = scratch / "scan_model.py"
        script.write_text(_SCRIPT)
        logged = mlflow.pyfunc.log_model(
            name="pipeline",
            python_model=str(script),
            artifacts={
                b.name: str(shutil.copytree(b.root, scratch / b.name)) for b in loaded
            },  # no path of ours
            code_paths=[str(Path(__file__).resolve().parents[1])],
            pip_requirements=pinned_requirements(),
            registered_model_name=name,
            signature=SIGNATURE,
            input_example=EXAMPLE,
        )
    number = int(logged.registered_model_version)
    for key, value in tags.items():
        mlflow.MlflowClient().set_model_version_tag(name, str(number), key, value)
    return number


def pinned_requirements() -> list[str]:
    """What the toolkit requires, at the versions installed here."""
    names = [
        re.split(r"[^\w.-]", line)[0]
        for line in requires("monai-ich") or ()
        if "extra ==" not in line
    ]
    return [f"{name}=={version(name)}" for name in names]
