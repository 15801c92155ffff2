"""The classification bundle: trains from any label, evaluates, infers alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.bundle.scripts import verify_net_in_out
from monai.transforms import Compose
from test_bundle_training import run_bundle

from monai_ich.bundle import load_bundle
from monai_ich.cli.app import main
from monai_ich.core.errors import ManifestError
from monai_ich.core.provenance import sha256_of
from monai_ich.core.second_reading import FINDINGS
from monai_ich.io.read import read_ct
from monai_ich.io.thresholds import SCHEMA, THRESHOLDS_FILE
from monai_ich.learn.rows import read_rows, read_rows_without_masks
from monai_ich.segment.second_reading import classify_exam

BUNDLE = Path(__file__).resolve().parents[2] / "bundles" / "ich_classification"
HEMORRHAGE = BUNDLE.with_name("ich_segmentation") / "models" / "model.pt"
MODELS = BUNDLE.parents[1] / "configs" / "model"


@pytest.fixture(scope="module")
def mixed_dataset(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny heads: one with a mask, one with slice labels, one with exam labels alone."""
    folder = tmp_path_factory.mktemp("mixed")
    listing = json.loads((tiny_dataset / "dataset.json").read_text())
    for row in (*listing["training"], *listing["validation"]):
        for key in ("image", "label", "anatomy"):
            row[key] = str(tiny_dataset / row[key])
    _, second, third = listing["training"]
    labels = np.asarray(nib.load(second.pop("label")).dataobj)
    second["slice_labels"] = [["IPH"] if labels[..., k].any() else [] for k in range(20)]
    third.pop("label")
    third["exam_labels"] = {"IVH": 1, "any": 1}
    (folder / "dataset.json").write_text(json.dumps(listing))
    return folder


def _parser(*files: Path, **overrides: object) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config([str(path) for path in files])
    parser.update({"bundle_root": str(BUNDLE), **overrides})
    return parser


def test_the_network_gives_what_the_metadata_says(tmp_path: Path) -> None:
    verify_net_in_out(
        net_id="network_def",
        config_file=str(BUNDLE / "configs/inference.yaml"),
        meta_file=str(BUNDLE / "configs/metadata.json"),
    )
    network = _parser(BUNDLE / "configs/inference.yaml").get_parsed_content("network_def").eval()
    assert network(torch.zeros(1, 3, 160, 160, 8)).shape == (1, 6, 1, 1, 8)


def test_inference_stands_alone_and_sees_what_training_saw(tiny_dataset: Path) -> None:
    text = (BUNDLE / "configs/inference.yaml").read_text()
    assert "monai_ich" not in text
    path = str(tiny_dataset / "case_1" / "ct.nii.gz")  # tilted, stored as LPS
    alone = _parser(BUNDLE / "configs/inference.yaml").get_parsed_content("preprocessing")
    train = _parser(BUNDLE / "configs/train.yaml", dataset_dir=str(tiny_dataset))
    steps = [
        step
        for name in ("deterministic_transforms", "windows")
        for step in train.get_parsed_content(name)
    ]
    label = path.replace("ct.nii", "ich.nii")
    seen = Compose(steps)({"image": path, "label": label, "case": "1"})["image"]
    assert torch.equal(seen, alone({"image": path})["image"])


def test_other_numbers_of_pixels_and_slices_are_rounded_to_what_the_network_halves(
    tiny_dataset: Path,
) -> None:
    options = {"dataset_dir": str(tiny_dataset), "pixels": 90, "slices": 12}
    train = _parser(BUNDLE / "configs/train.yaml", **options)
    label = str(tiny_dataset / "case_1" / "ich.nii.gz")
    row = {"image": label.replace("ich.nii", "ct.nii"), "label": label, "case": "1"}
    parts = ("deterministic_transforms", "cutting", "targets", "windows")
    steps = [step for part in parts for step in train.get_parsed_content(part)]
    seen = Compose(steps)(row)["image"]
    assert seen.shape == (3, 96, 96, 16)
    with torch.no_grad():
        assert train.get_parsed_content("reader").eval()(seen[None])[0].shape[-1] == 16


@pytest.mark.parametrize(
    "unknown",
    [{"exam_labels": {}}, {"exam_labels": {"SDH": None}}, {"slice_labels": [None, None]}, {}],
)
def test_a_list_of_which_no_label_is_known_is_refused(
    unknown: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "a.nii.gz").touch()
    rows = [{"id": "a", "image": "a.nii.gz"} | unknown]
    (tmp_path / "dataset.json").write_text(json.dumps({"training": rows}))
    for read in (read_rows, read_rows_without_masks):
        with pytest.raises(ManifestError) as raised:
            read(tmp_path, "training")
        assert raised.value.code == "NO_LABELS"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slices_efficientnet.yaml", "slices_resnet152.yaml"])
def test_an_overlay_gives_a_network_that_reads_its_windows(name: str, tiny_dataset: Path) -> None:
    case = tiny_dataset / "case_0"
    train = _parser(BUNDLE / "configs/train.yaml", MODELS / name, dataset_dir=str(tiny_dataset))
    row = {"image": str(case / "ct.nii.gz"), "label": str(case / "ich.nii.gz"), "case": "0"}
    steps = [
        step
        for part in ("deterministic_transforms", "targets", "windows")
        for step in train.get_parsed_content(part)
    ]
    seen = Compose(steps)(row)["image"]
    with torch.no_grad():
        logits = train.get_parsed_content("network_def").eval()(seen[None, ..., :2])
    assert logits.shape == (1, 6, 1, 1, 2) and bool(logits.isfinite().all())
    if "resnet" in name:
        assert float(seen.min()) == -1.0 and seen.shape[:3] == (3, 224, 224)


@pytest.mark.slow
def test_it_trains_from_masks_slices_and_exams_then_evaluates_then_infers(
    mixed_dataset: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    weights, out = tmp_path / "model.pt", tmp_path / "out"
    common = ["--dataset_dir", str(mixed_dataset), "--weights", str(weights)]
    training = [*common, "--output_dir", str(out), "--epoch_length", "2", "--val_interval", "1"]
    said = run_bundle(BUNDLE, ["train.yaml"], tmp_path, *training, "--max_epochs", "1")
    assert "val_minus_log_loss" in said
    known, made = (torch.load(p, weights_only=True) for p in (HEMORRHAGE, weights))
    for name, value in known.items():
        if not name.startswith("2."):  # the fold and the body, their statistics too
            assert torch.allclose(made[f"0.{name}"], value, rtol=1e-5), name
    options = [*common, "--output_dir", str(tmp_path / "scores"), "--explained", "1"]
    run_bundle(BUNDLE, ["train.yaml", "evaluate.yaml"], tmp_path, *options)
    figures = tmp_path / "scores" / "figures"
    rows = json.loads((figures / "findings.json").read_text())
    assert [row["finding"] for row in rows] == [*FINDINGS] * 2
    thresholds = json.loads((figures / THRESHOLDS_FILE).read_text())
    assert thresholds == {
        "schema": SCHEMA,
        "weights_sha256": sha256_of(weights),
        "pooling": "lse",
        "thresholds": {},  # of one scan nothing is learned
    }
    assert {path.name for path in figures.glob("*.png")} == {
        *("best_slices_1.png", "confusion.png", "histogram.png")
    }
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "one.nii.gz").symlink_to(tiny_dataset / "case_1" / "ct.nii.gz")
    options = ["--dataset_dir", str(scans), "--weights", str(weights)]
    options += ["--output_dir", str(tmp_path / "read")]
    run_bundle(BUNDLE, ["inference.yaml"], tmp_path, *options)
    ((_, *shares),) = csv.reader((tmp_path / "read" / "findings.csv").open())
    assert len(shares) == 6 and all(0.0 < float(share) < 1.0 for share in shares)
    bundle = load_bundle(BUNDLE, weights=weights, device="cpu")
    second = classify_exam(read_ct(scans / "one.nii.gz").volume, bundle=bundle)
    none, *subtypes = map(float, shares)
    assert list(second.probabilities.values()) == pytest.approx([1.0 - none, *subtypes], abs=1e-4)
    image, ct = nib.load(tmp_path / "read" / "one_findings.nii.gz"), nib.load(scans / "one.nii.gz")
    assert image.shape == ct.shape and np.allclose(image.affine, ct.affine, atol=1e-4)


@pytest.mark.slow
def test_masks_and_labels_of_slices_and_exams_train_one_segmentation_network(
    mixed_dataset: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    overlay = str(BUNDLE.parents[1] / "configs/training/weak.yaml")
    weights = tmp_path / "model.pt"
    options = ["--dataset_dir", str(tiny_dataset), "--weak_dir", str(mixed_dataset)]
    options += ["--weights", str(weights), "--output_dir", str(tmp_path / "out")]
    options += ["--epoch_length", "2", "--max_epochs", "1", "--weak_share", "0.5", "--seed", "1"]
    run_bundle(BUNDLE.parent / "ich_segmentation", ["train.yaml", overlay], tmp_path, *options)
    state = torch.load(weights, weights_only=True)
    assert all(bool(v.isfinite().all()) for v in state.values())


def test_scans_whose_labels_deny_hemorrhage_are_shown_with_an_empty_mask(
    mixed_dataset: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    listing = json.loads((mixed_dataset / "dataset.json").read_text())
    listing["training"][2]["exam_labels"] = {"any": 0}
    (tmp_path / "dataset.json").write_text(json.dumps(listing))
    ich = BUNDLE.with_name("ich_segmentation")
    overlay = BUNDLE.parents[1] / "configs/training/weak.yaml"
    files = (ich / "configs/train.yaml", overlay)
    given = {"dataset_dir": str(tiny_dataset), "weak_dir": str(tmp_path), "cache_rate": 0.0}
    parser = _parser(*files, **given)
    (free,) = parser.get_parsed_content("free#dataset")
    masked = parser.get_parsed_content("masked")[0][0]
    assert free[0]["label"].shape == masked["label"].shape
    assert free[0]["image"].shape == masked["image"].shape
    assert float(free[0]["image"].max()) > 0.0
    assert int(free[0]["label"].max()) == 0
    assert parser.get_parsed_content("free_share") == 0.15

    parser = _parser(*files, **{**given, "weak_dir": str(mixed_dataset)})
    assert parser.get_parsed_content("free_share") == 0.0
    batches = parser.get_parsed_content("train#dataloader").batch_sampler
    assert all(max(batch) < len(parser.get_parsed_content("train#dataset")) for batch in batches)


@pytest.mark.slow
def test_scans_without_labels_give_weights_to_start_from(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    listing = json.loads((tiny_dataset / "dataset.json").read_text())
    rows = [{"image": str(tiny_dataset / row["image"])} for row in listing["training"]]
    (tmp_path / "dataset.json").write_text(json.dumps({"training": rows}))
    overlay = str(BUNDLE.parents[1] / "configs/training/pretrain.yaml")
    ich, weights = BUNDLE.parent / "ich_segmentation", tmp_path / "model.pt"
    options = ["--dataset_dir", str(tmp_path), "--weights", str(weights), "--batch_size", "2"]
    options += ["--output_dir", str(tmp_path / "out"), "--epoch_length", "2", "--max_epochs", "1"]
    run_bundle(ich, ["train.yaml", overlay], tmp_path, *options)
    state = torch.load(weights, weights_only=True)
    assert all(bool(v.isfinite().all()) for v in state.values())
    parser = ConfigParser()
    parser.read_config(str(ich / "configs" / "train.yaml"))
    parser.update({"bundle_root": str(ich), "initial_weights": str(weights)})
    parser.get_parsed_content("initialize#1")  # as a training does with --initial_weights
    network = parser.get_parsed_content("network_def")
    assert torch.equal(network[0].weight, state["0.weight"].float())


def test_the_bundle_is_checked_without_trust_and_without_a_fault(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bundle", "check", str(BUNDLE)]) == 0
    assert "no faults" in capsys.readouterr().out
