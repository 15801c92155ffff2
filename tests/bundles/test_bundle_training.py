"""Train, resume, evaluate, infer: MONAI's own commands on a tiny data set, from another working
directory.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_ich.core.labels import EDEMA
from tests.processes import run_module

pytestmark = pytest.mark.slow


def run_bundle(
    bundle: Path, files: list[str], folder: Path, *options: str, launcher: tuple[str, ...] = ()
) -> str:
    """`python -m monai.bundle run` in `folder`; its output."""
    paths = [str(bundle / "configs" / name) for name in files]
    words = ["run", "--config_file", str(paths), "--bundle_root", str(bundle), *options]
    if launcher:
        command = [sys.executable, *launcher, "-m", "monai.bundle", *words]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    else:
        found = run_module("monai.bundle", *words, folder=folder)
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-3000:]
    return found.stdout + found.stderr


def test_two_iterations_then_resume_then_evaluate_then_infer(
    bundle: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    weights, out = tmp_path / "shipped" / "model.pt", tmp_path / "out"
    common = ["--dataset_dir", str(tiny_dataset), "--weights", str(weights)]
    training = [*common, "--output_dir", str(out), "--epoch_length", "2", "--val_interval", "1"]

    said = run_bundle(bundle, ["train.yaml"], tmp_path, *training, "--max_epochs", "1")
    assert "val_mean_dice" in said and "resumed" not in said
    state = torch.load(weights, weights_only=True)
    assert {(v.ndim > 1, v.dtype) for v in state.values() if v.is_floating_point()} == {
        (True, torch.float16),
        (False, torch.float32),
    }

    said = run_bundle(bundle, ["train.yaml"], tmp_path, *training, "--max_epochs", "2")
    assert (
        "resumed after epoch 1" in said
        and "Epoch[2] Metrics" in said
        and "Epoch[1] Complete" not in said
    )
    for name in ("model.pt", "validation.png", "curves.png"):
        assert any((out / "artifacts").rglob(name)), f"{name} is an artifact of the run"
    with sqlite3.connect(out / "mlruns.db") as store:
        parameters = dict(store.execute("select key, value from params").fetchall())
        statuses = {row[0] for row in store.execute("select status from runs")}
    assert {"dataset_hash", "git_commit", "seed", "learning_rate", "cases_training"} <= set(
        parameters
    )
    assert statuses == {"FINISHED"}
    assert not any(
        str(tiny_dataset) in value or str(tmp_path) in value for value in parameters.values()
    )

    said = run_bundle(
        bundle,
        ["train.yaml", "evaluate.yaml"],
        tmp_path,
        *common,
        "--output_dir",
        str(tmp_path / "figures"),
    )
    rows = (tmp_path / "figures" / "val_mean_dice_raw.csv").read_text().splitlines()
    assert len(rows) == 3, "a header and a row for each of two scans"
    assert str(tiny_dataset) not in "".join(rows)
    figures = dict(
        line.split(",") for line in (tmp_path / "figures" / "metrics.csv").read_text().split()
    )
    assert {"val_surface_dice", "val_hd95_mm", "val_sensitivity", "val_precision"} <= set(figures)

    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "one.nii.gz").symlink_to(tiny_dataset / "case_1" / "ct.nii.gz")
    options = [
        "--dataset_dir",
        str(scans),
        "--weights",
        str(weights),
        "--output_dir",
        str(tmp_path / "masks"),
    ]
    run_bundle(bundle, ["inference.yaml"], tmp_path, *options)
    (mask,) = (tmp_path / "masks").rglob("*.nii.gz")
    image, ct = nib.load(mask), nib.load(scans / "one.nii.gz")
    assert image.shape == ct.shape and np.allclose(image.affine, ct.affine, atol=1e-4)
    assert int(np.asarray(image.dataobj).max()) <= EDEMA


def test_a_seed_decides_the_validation_curve(tiny_dataset: Path, tmp_path: Path) -> None:
    bundle = Path(__file__).resolve().parents[2] / "bundles" / "ich_segmentation"

    def train(name: str, seed: int) -> list[tuple[object, ...]]:
        out = tmp_path / name
        options = [
            "--dataset_dir",
            str(tiny_dataset),
            "--weights",
            str(out / "model.pt"),
            "--output_dir",
            str(out),
        ]
        options += [
            "--epoch_length",
            "2",
            "--max_epochs",
            "2",
            "--val_interval",
            "1",
            "--seed",
            str(seed),
        ]
        run_bundle(bundle, ["train.yaml"], tmp_path, *options)
        with sqlite3.connect(out / "mlruns.db") as store:
            rows = store.execute(
                "select key, step, value from metrics where key not like '%time%' order by key, "
                "step"
            )
            return rows.fetchall()

    first, again, other = train("first", 1), train("again", 1), train("other", 2)
    assert sum(key == "val_mean_dice" for key, *_ in first) == 2
    assert first == again, "one seed, one curve"
    assert first != other


def test_two_processes_train_and_evaluate_as_one(
    bundle: Path, tiny_dataset: Path, random_weights: Path, tmp_path: Path
) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    weights, out = tmp_path / "model.pt", tmp_path / "out"
    options = [
        "--dataset_dir",
        str(tiny_dataset),
        "--weights",
        str(weights),
        "--output_dir",
        str(out),
    ]
    training = [*options, "--max_epochs", "1", "--epoch_length", "1", "--val_interval", "1"]
    training += ["--initial_weights", str(random_weights), "--learning_rate", "0.00001"]
    files = ["train.yaml", "multi_gpu_train.yaml"]
    said = run_bundle(bundle, files, tmp_path, *training, launcher=launcher)
    assert said.count("Epoch[1] Metrics -- val") == 1, "one process reports"
    trained, start = (torch.load(path, weights_only=True) for path in (weights, random_weights))
    assert trained.keys() == start.keys(), "plain names, without the wrapper's"
    assert all(torch.allclose(trained[k].float(), start[k].float(), atol=1e-3) for k in start), (
        "it began there"
    )
    files = ["train.yaml", "evaluate.yaml", "multi_gpu_train.yaml", "multi_gpu_evaluate.yaml"]
    said = run_bundle(bundle, files, tmp_path, *options, launcher=launcher)
    assert said.count("Epoch[1] Metrics -- val") == 1
