"""`monai-ich bundle run` from another working directory, with the toolkit's overlays, on a tiny
data set.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.processes import run_module

pytestmark = pytest.mark.slow


def run(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """`monai-ich bundle run` in `folder`."""
    return run_module("monai_ich.cli", "bundle", "run", *words, folder=folder)


def test_fine_tuning_on_real_and_synthetic_scans_then_an_ensemble(
    random_weights: Path, tiny_dataset: Path, tmp_path: Path, bundle: Path
) -> None:
    configs = "train,training/finetune,data/mixed,training/cuda"
    options = [
        "--dataset_dir",
        tiny_dataset,
        "--synthetic_dir",
        tiny_dataset,
        "--output_dir",
        "out",
    ]
    options += [
        "--initial_weights",
        random_weights,
        "--max_epochs",
        1,
        "--epoch_length",
        2,
        "--val_interval",
        1,
    ]
    done = run(bundle, configs, *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    tuned, first = (
        torch.load(p, weights_only=True) for p in (tmp_path / "out" / "model.pt", random_weights)
    )
    distance = max(
        float((tuned[k].float() - first[k]).abs().max())
        for k in first
        if first[k].is_floating_point()
    )
    assert 0 < distance < 0.01, "two small steps from the weights given"

    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "one.nii.gz").symlink_to(tiny_dataset / "case_0" / "ct.nii.gz")
    masks = []
    for name, more in {
        "inference/ensemble": [
            "--ensemble",
            str([str(random_weights)]),
            "--inferer#roi_size",
            "[96, 112, 40]",
        ],
        "inference_trt": ["--weights", random_weights],
    }.items():
        options = ["--dataset_dir", scans, "--output_dir", tmp_path / name, *more]
        done = run(bundle, f"inference,{name}", *options, folder=tmp_path)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
        (mask,) = (tmp_path / name).glob("*.nii.gz")
        masks.append(np.asarray(nib.load(mask).dataobj))
    assert "trt_compile() has no effect" in done.stdout + done.stderr or torch.cuda.is_available()
    ensemble, plain = masks
    assert len(np.unique(plain)) > 1 and np.array_equal(ensemble, plain)


def test_training_on_heads_that_are_made_meanwhile(
    bundle: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    options = [
        "--dataset_dir",
        tiny_dataset,
        "--output_dir",
        "out",
        "--weights",
        "out/model.pt",
        "--heads",
        12,
    ]
    options += [
        "--pool",
        2,
        "--renewed",
        0.5,
        "--head_design",
        "{'pixels': 64, 'thickness_mm': 9.0}",
    ]
    options += ["--max_epochs", 2, "--epoch_length", 2, "--val_interval", 2]
    done = run(bundle, "train,data/synthetic,training/cuda", *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert (
        tmp_path / "out" / "model.pt"
    ).is_file() and "val_mean_dice" in done.stdout + done.stderr


def test_memory_that_runs_out_gives_a_sentence_of_advice(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    options = ["--dataset_dir", tiny_dataset, "--output_dir", "out", "--weights", "out/model.pt"]
    done = run(
        "head_ct_anatomy", "train", *options, "--roi_size", "[90000, 90000, 90000]", folder=tmp_path
    )
    assert done.returncode == 3 and "Traceback" not in done.stdout + done.stderr, done.stderr[
        -3000:
    ]
    said = done.stderr.strip().splitlines()[-1]
    assert (
        said.startswith("monai-ich: OUT_OF_MEMORY: ")
        and "roi_size (now [90000, 90000, 90000])" in said
    )
    assert "batch_size (now 1)" in said and "cache_rate (now 1.0)" in said


def test_a_folder_that_cannot_be_written_to_is_refused_first(
    tiny_dataset: Path, tmp_path: Path, bundle: Path
) -> None:
    (tmp_path / "out").touch()
    options = ["--dataset_dir", tiny_dataset, "--output_dir", "out", "--max_epochs", 1]
    done = run(bundle, "train", *options, folder=tmp_path)
    assert done.returncode == 3 and "OUTPUT_NOT_WRITABLE" in done.stderr, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
