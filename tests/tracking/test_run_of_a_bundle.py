"""What a bundle's MLflow run says: whence weights come, the command, where it stands. No folder,
no name of a scan.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.handlers import MLFlowHandler

from monai_ich.core.provenance import sha256_of
from monai_ich.parts.handlers import EpochFigures, MovingAverage, Resume
from monai_ich.tracking.runs import run_parameters, store_uri
from monai_ich.tracking.training import BundleRun, command, weights_origin
from tests.conftest import ROOT


def test_an_evaluation_in_a_trainings_folder_stands_in_its_store(tmp_path: Path) -> None:
    alone = store_uri(tmp_path / "mine")
    assert alone == f"sqlite:///{tmp_path}/mine/mlruns.db"
    (tmp_path / "mine" / "mlruns.db").touch()
    assert store_uri(tmp_path / "mine" / "figures") == alone
    (tmp_path / "mine" / "figures" / "mlruns.db").touch()
    assert store_uri(tmp_path / "mine" / "figures").endswith("figures/mlruns.db"), (
        "its own is first"
    )


def test_the_command_names_no_folder_and_no_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "DOE_JANE").mkdir()
    monkeypatch.chdir(tmp_path)
    said = command(
        [
            "/opt/venv/bin/monai-ich",
            "bundle",
            "['/home/u/configs/train.yaml','/x/finetune.yaml']",
            "--dataset_dir",
            "/data/DOE JOHN",
            "--weights=out/model.pt",
            "--output_dir",
            "DOE_JANE",
            "--max_epochs",
            "5",
        ]
    )
    assert said == (
        "python monai-ich bundle ['train.yaml','finetune.yaml'] --dataset_dir ... --weights=... "
        "--output_dir ... --max_epochs 5"
    )
    assert command(["/opt/lib/monai/bundle/__main__.py", "run"]) == "python -m monai.bundle run"


def test_weights_are_named_by_their_bundle_and_hash(tmp_path: Path) -> None:
    for folder in ("configs", "models"):
        (tmp_path / "heads" / folder).mkdir(parents=True)
    (tmp_path / "heads" / "configs" / "metadata.json").write_text(json.dumps({"version": "1.2.3"}))
    shipped, loose = tmp_path / "heads" / "models" / "model.pt", tmp_path / "other.pt"
    shipped.write_bytes(b"weights")
    loose.write_bytes(b"weights")
    digest = sha256_of(loose)[:16]
    assert weights_origin(shipped) == f"heads 1.2.3, sha256 {digest}"
    assert weights_origin(loose) == f"sha256 {digest}" and weights_origin(None) == "random"


def test_parameters_hold_the_weights_within_the_loss(tmp_path: Path) -> None:
    loss = SimpleNamespace(background_weight=0.2, training=True)
    found = run_parameters(tmp_path, network=torch.nn.Linear(2, 1), loss=loss, strip_prob=0.3)
    assert found["loss_background_weight"] == "0.2" and "loss_training" not in found
    assert (found["strip_prob"], found["parameters"]) == ("0.3", "3")


@pytest.mark.slow
def test_a_run_has_curves_data_sets_and_a_description_and_no_names(tmp_path: Path) -> None:
    (tmp_path / "DOE_JOHN.nii.gz").write_bytes(bytes(7))
    rows = [{"case": "DOE", "image": str(tmp_path / "DOE_JOHN.nii.gz")}]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    trainer = Engine(lambda engine, batch: [{"loss": torch.tensor(float(batch))}])
    EpochFigures(optimizer).attach(trainer)
    run = BundleRun(
        "fine-tuning",
        {"training": rows, "validation": []},
        "heads 1.2.3",
        tracking_uri=f"sqlite:///{tmp_path}/runs.db",
        experiment_name="heads",
        run_name="one",
        iteration_log=False,
        close_on_complete=True,
    )
    assert isinstance(run, MLFlowHandler)
    run.attach(trainer)
    trainer.run([1, 2, 6], max_epochs=2)
    with sqlite3.connect(tmp_path / "runs.db") as store:
        ask: Any = lambda query: store.execute(query).fetchall()  # noqa: E731
        figures = ask("select key, step, value from metrics order by key, step")
        tags = dict(ask("select key, value from tags"))
        sets = ask("select name, dataset_profile from datasets order by name")
        kinds = ask("select value from experiment_tags where key = 'mlflow.experimentKind'")
        assert "DOE" not in "\n".join(store.iterdump())
    assert figures == [
        *(("learning_rate", step, 0.5) for step in (1, 2)),
        *(("train_loss", step, 3.0) for step in (1, 2)),
    ]
    assert tags["mlflow.note.content"].startswith("Fine-tuning of heads on 1 training, 0 validat")
    assert {"mlflow.source.name", "mlflow.source.git.commit", "mlflow.user"} <= set(tags)
    assert [name for name, _ in sets] == ["training", "validation"]
    assert kinds == [("custom_model_development",)]


TRAINING = """
import socket, sys, threading

met = []
connect = socket.socket.connect
socket.socket.connect = lambda self, address: (met.append(address), connect(self, address))[1]

import monai.handlers, mlflow
from mlflow.telemetry import get_telemetry_client

assert get_telemetry_client() is not None, "MLflow would tell, had nobody asked it not to"

from ignite.engine import Engine
from monai_ich.tracking.training import BundleRun

trainer = Engine(lambda engine, batch: [{"loss": 1.0}])
BundleRun("training", {}, "random", tracking_uri=sys.argv[1], experiment_name="x").attach(trainer)
trainer.run([0], max_epochs=1)
assert get_telemetry_client() is None
assert not [t.name for t in threading.enumerate() if "telemetry" in t.name.lower()]
assert not met, met
"""


@pytest.mark.slow
def test_a_training_tells_the_makers_of_mlflow_nothing(tmp_path: Path) -> None:
    environment = {  # MLflow keeps still where it finds a test or a build server
        name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ
    }
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, f"sqlite:///{tmp_path}/runs.db"],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(("read", "first"), [(True, 3), (False, 1)])
def test_a_new_training_does_not_go_on_where_another_ended(
    tmp_path: Path, read: bool, first: int
) -> None:
    network, epochs = torch.nn.Linear(1, 1), list[int]()

    def train(last: int, *, read: bool) -> None:
        engine = Engine(lambda engine, batch: epochs.append(engine.state.epoch))
        Resume(tmp_path / "checkpoint.pt", {"network": network}, read=read).attach(engine)
        engine.run([0], max_epochs=last)

    train(2, read=True)
    epochs.clear()
    train(3, read=read)
    assert epochs[0] == first


def test_the_average_begins_at_the_weights_that_were_loaded_last() -> None:
    network, average = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    engine = Engine(lambda engine, batch: None)
    MovingAverage(network, average).attach(engine)
    torch.nn.init.constant_(network.weight, 7.0)
    engine.run([0], max_epochs=1)
    assert average.weight.tolist() == [[7.0, 7.0], [7.0, 7.0]]
