"""What MONAI Label 0.8.5 gives a bundle: its exact dictionary for ``/infer``, its exact overrides
for ``/train``; and what the App SDK 4.0 of MONAI Deploy gives it. Both run in tests/interop.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import LoadImaged, SaveImaged
from numpy.typing import NDArray
from tiny import tiny_head


def inferred(bundle: Path, weights: Path, request: dict[str, Any]) -> NDArray[Any]:
    """The mask, made of the parts of ``inference.yaml`` that MONAI Label takes it apart into."""
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.yaml"))
    parser.config.update({"bundle_root": str(bundle), "device": "cpu"})
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    before = list(parser.get_parsed_content("preprocessing").transforms)
    for step in before:
        if isinstance(step, LoadImaged):
            step._loader.image_only = False  # as MONAI Label does
    after = parser.get_parsed_content("postprocessing").transforms
    data = request
    for step in before:
        data = step(data)
    tensors = [key for key, value in data.items() if isinstance(value, torch.Tensor)]
    assert tensors == ["image"], "MONAI Deploy would give the network the others, too"
    with torch.no_grad():
        data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network)[0]
    for step in (step for step in after if not isinstance(step, SaveImaged)):
        data = step(data)
    return np.asarray(data["pred"])


@pytest.mark.slow
@pytest.mark.parametrize("tilt_deg", [0.0, 15.0])
def test_the_dictionary_of_label_gives_the_mask_of_the_scan_alone(
    bundle: Path, random_weights: Path, tilt_deg: float, tmp_path: Path
) -> None:
    hu, _, _, affine = tiny_head(1, tilt_deg=tilt_deg)
    scan = tmp_path / "ct.nii.gz"
    nib.save(nib.Nifti1Image(hu, affine), scan)
    request = {
        "model": bundle.name,
        "image": str(scan),
        "device": "cpu",
        "model_filename": ["model.pt"],
        "result_extension": ".nii.gz",
        "result_dtype": "uint8",
        "label_tag": "original",
        "image_path": str(scan),  # what broke Spacingd of MONAI 1.6
    }
    alone = inferred(bundle, random_weights, {"image": str(scan)})
    assert alone.shape == (1, *hu.shape) and len(np.unique(alone)) > 1
    assert np.array_equal(inferred(bundle, random_weights, request), alone)


def deployed(bundle: Path, weights: Path, hu: NDArray[Any], affine: NDArray[Any]) -> NDArray[Any]:
    """The mask, by the steps of MonaiBundleInferenceOperator: an image in memory, whose meta data
    are those of a reader; steps that load or save left out by their names.
    """
    parser = ConfigParser()
    parser.read_meta(json.loads((bundle / "configs" / "metadata.json").read_text()))
    parser.read_config(str(bundle / "configs" / "inference.yaml"))
    parser.parse()
    network = parser.get_parsed_content("network")
    network.load_state_dict(torch.load(weights, weights_only=True))
    steps = {}
    for name in ("preprocessing", "postprocessing"):
        steps[name] = parser.get_parsed_content(name)
        steps[name].transforms = tuple(
            step
            for step in steps[name].transforms
            if not any(word in type(step).__name__ for word in ("LoadImage", "SaveImage"))
        )
    found = {
        "spacing": np.linalg.norm(affine[:3, :3], axis=0),
        "original_affine": affine.copy(),
        "affine": affine.copy(),
        "spatial_shape": np.asarray(hu.shape),
        "original_channel_dim": "no_channel",
    }
    image = MetaTensor.ensure_torch_and_prune_meta(torch.from_numpy(hu), found)
    data = steps["preprocessing"]({"image": image})
    whole = data.pop("image")
    others = {k: v[None] for k, v in data.items() if isinstance(v, torch.Tensor)}
    with torch.no_grad():
        pred = parser.get_parsed_content("inferer")(
            inputs=whole[None], network=network.eval(), **others
        )
    data = steps["postprocessing"]({"pred": pred[0], "image": whole, **data})
    return np.asarray(data["pred"])


@pytest.mark.slow
@pytest.mark.parametrize("tilt_deg", [0.0, 15.0])
def test_the_image_of_deploy_gives_the_mask_of_the_scan(
    bundle: Path, random_weights: Path, tilt_deg: float, tmp_path: Path
) -> None:
    hu, _, _, affine = tiny_head(1, tilt_deg=tilt_deg)
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "ct.nii.gz")
    wanted = inferred(bundle, random_weights, {"image": str(tmp_path / "ct.nii.gz")})
    found = deployed(bundle, random_weights, hu.astype(np.float32), affine)
    assert found.shape == wanted.shape and np.array_equal(found, wanted)


def overrides(bundle: Path, rows: list[dict[str, str]], *, validation: int) -> dict[str, Any]:
    """All that MONAI Label sets for a training from "pretrained" weights on one device."""
    handlers = ConfigParser.load_config_file(str(bundle / "configs" / "train.yaml"))
    loader = {
        "_target_": "CheckpointLoader",
        "load_path": str(bundle / "models" / "model.pt"),
        "load_dict": {"model": "$@network"},
        "strict": False,
    }
    return {
        "bundle_root": str(bundle),
        "train#trainer#max_epochs": 1,
        "train#dataset#data": rows[validation:],
        "device": "cpu",  # a string
        "train#handlers": [loader, *handlers["train"]["handlers"]],
        "validate#dataset#data": rows[:validation],
    }


def tiny_rows(folder: Path, count: int) -> list[dict[str, str]]:
    """Rows as MONAI Label's data store gives them: image and label, nothing else."""
    rows = []
    for number in range(count):
        hu, labels, anatomy, affine = tiny_head(number)
        row = {"image": folder / f"{number}.nii.gz", "label": folder / f"{number}_label.nii.gz"}
        nib.save(nib.Nifti1Image(hu, affine), row["image"])
        found = anatomy if "anatomy" in folder.name else labels
        nib.save(nib.Nifti1Image(found, affine), row["label"])
        rows.append({key: str(path) for key, path in row.items()})
    return rows


def with_overrides(bundle: Path, **given: Any) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "train.yaml"))
    for key, value in given.items():
        parser[key] = value
    return parser


def test_training_that_label_starts_from_weights_takes_small_steps(bundle: Path) -> None:
    plain = with_overrides(bundle)
    label = with_overrides(bundle, **overrides(bundle, [], validation=0))
    assert plain.get_parsed_content("learning_rate") == 0.002
    assert label.get_parsed_content("learning_rate") == 0.0003
    assert (plain.get_parsed_content("freeze_after"), label.get_parsed_content("freeze_after")) == (
        0.3,
        0.0,
    )
    assert next(label.get_parsed_content("network_on_device").parameters()).device.type == "cpu"


def test_rows_of_label_have_an_image_and_a_label_and_are_enough(
    bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / bundle.name
    folder.mkdir()
    (row,) = tiny_rows(folder, 1)
    parser = with_overrides(bundle, **overrides(bundle, [row], validation=0))
    sample = parser.get_parsed_content("train#preprocessing")(row)
    sample = sample[0] if isinstance(sample, list) else sample
    assert set(sample) == {"image", "label"} and bool(torch.isfinite(sample["image"]).all())
    assert sample["image"].shape[0] == 3 and sample["image"].shape[1:] == sample["label"].shape[1:]


@pytest.mark.slow
def test_label_trains_twice_in_a_row_from_the_weights_that_are_there(
    bundle: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(bundle, tmp_path / bundle.name)
    (tmp_path / "scans_of").mkdir()
    folder = tmp_path / "scans_of" / bundle.name
    folder.mkdir()
    rows = tiny_rows(folder, 3)
    weights = copy / "models" / "model.pt"
    states = [torch.load(weights, weights_only=True)]
    for validation in (1, 0):
        monai.bundle.run(
            meta_file=str(copy / "configs" / "metadata.json"),
            config_file=str(copy / "configs" / "train.yaml"),
            epoch_length=2,  # the only value that is not MONAI Label's
            val_interval=1,
            cache_rate=0.0,
            **overrides(copy, rows, validation=validation),
        )
        states.append(torch.load(weights, weights_only=True))
    kernels = [name for name, value in states[0].items() if value.ndim > 1]
    for before, trained in pairwise(states):
        steps = [float((trained[k].float() - before[k].float()).abs().max()) for k in kernels]
        assert 0 < max(steps) < 0.01, "it trained, and from there"
    with sqlite3.connect(copy / "runs" / "mlruns.db") as store:
        assert store.execute("select count(*) from runs where status = 'FINISHED'").fetchall() == [
            (2,)
        ]
        rates = store.execute("select value from metrics where key = 'learning_rate'").fetchall()
        losses = store.execute("select value from metrics where key = 'train_loss'").fetchall()
        purposes = store.execute("select value from tags where key = 'purpose'").fetchall()
    assert len(rates) == len(losses) == 2 and max(rates)[0] <= 0.0003
    assert purposes == [("fine-tuning",)] * 2
