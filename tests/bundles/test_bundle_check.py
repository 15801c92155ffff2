"""Mistakes in configs and overrides are named before anything is made of them; MONAI itself lets
most of them pass.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from monai_ich.bundle_check.run import is_out_of_memory
from monai_ich.cli.app import main

ICH, ANATOMY = "ich_segmentation", "head_ct_anatomy"


def check(*words: object, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of `monai-ich bundle check`."""
    status = main(["bundle", "check", *map(str, words)])
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert status == (3 if lines else 0)
    assert said.out.strip() == (
        f"{len(lines)} fault{'s' * (len(lines) != 1)} found" if lines else "no faults found"
    )
    return lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "names"),
    [
        ("--epoch 5", "UNKNOWN_ID", ["--epoch", "max_epochs"]),
        ("--trainer#chanels 5", "UNKNOWN_ID", ["--trainer#chanels", "did you mean train#trainer?"]),
        (
            "--train#trainer#chanels 5",
            "UNKNOWN_ARGUMENT",
            ["train#trainer", "SupervisedTrainer", "chanels"],
        ),
        ("--body#filtres [8]", "UNKNOWN_ARGUMENT", ["body", "DynUNet", "did you mean filters?"]),
        ("--train#dataloder#shuffle False", "UNKNOWN_ID", ["did you mean train#dataloader?"]),
        ("--train#handlers#99#interval 2", "UNKNOWN_ID", ["train#handlers#99"]),
        (
            "--train#handlers#5#intervall 2",
            "UNKNOWN_ARGUMENT",
            ["train#handlers#5", "did you mean interval?"],
        ),
        ("--body#_target_ SegResNett", "UNKNOWN_TARGET", ["body", "did you mean SegResNet"]),
        (
            "--loss#_target_ monai_ich.parts.losses.MidlineLos",
            "UNKNOWN_TARGET",
            ["loss", "did you mean MidlineLoss?"],
        ),
        ("--loss#_target_ monai_ich.part.losses.MidlineLoss", "UNKNOWN_TARGET", ["loss"]),
        (
            "--learning_rate @learning_rat",
            "UNKNOWN_REFERENCE",
            ["learning_rate", "@learning_rat leads nowhere"],
        ),
        (
            "--learning_rate %learning_rat",
            "UNKNOWN_REFERENCE",
            ["learning_rate", "%learning_rat leads nowhere"],
        ),
        ("--network_def %nowhere.yaml::net", "MISSING_FILE", ["network_def", "nowhere.yaml"]),
        ("--learning_rate $math.pi", "UNKNOWN_NAME", ["learning_rate", "math is not imported"]),
        ("--learning_rate $1+", "BAD_EXPRESSION", ["learning_rate", "$1+"]),
        (
            "--imports#3 $from monai_ich.parts.data_list import read_lst",
            "UNKNOWN_IMPORT",
            ["imports#3", "read_lst"],
        ),
        ("--network cpu", "WRONG_TYPE", ["network is 'cpu', which has no parameters"]),
        ("--max_epochs five", "WRONG_TYPE", ["max_epochs", "a number", "'five'"]),
        (
            "--optimizer#weight_decay little",
            "WRONG_TYPE",
            ["optimizer#weight_decay", "a number", "'little'"],
        ),
        ("--validate#evaluator#amp maybe", "WRONG_TYPE", ["validate#evaluator#amp", "'maybe'"]),
        ("--bundle_rot .", "UNKNOWN_ID", ["did you mean bundle_root?"]),
        ("--dataset_dir /nowhere", "MISSING_FILE", ["dataset_dir", "/nowhere"]),
        ("--initial_weights /nowhere.pt", "MISSING_FILE", ["initial_weights", "/nowhere.pt"]),
    ],
)
def test_a_mistake_has_a_code_an_id_and_the_nearest_name(
    words: str, code: str, names: list[str], tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = words.split(" ", 1)
    folder = [] if words.startswith("--dataset_dir") else ["--dataset_dir", tiny_dataset]
    lines = check(ICH, "train", *folder, *given, capsys=capsys)
    assert [
        line for line in lines if line.startswith(f"{code}: ") and all(n in line for n in names)
    ], lines


def test_all_faults_are_told_at_once(
    tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--dataset_dir",
        tiny_dataset,
        "--epoch",
        5,
        "--body#filtres",
        [8],
        "--optimizer#lr",
        "@rate",
    ]
    lines = check(ICH, "train", *words, capsys=capsys)
    assert [line.split(":")[0] for line in lines] == [
        "UNKNOWN_ID",
        "UNKNOWN_REFERENCE",
        "UNKNOWN_ARGUMENT",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("bundle_name", [ICH, ANATOMY])
def test_the_bundles_have_no_fault(bundle_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = check(bundle_name, capsys=capsys)
    assert [line for line in lines if not line.startswith("NO_WEIGHTS")] == []


@pytest.mark.parametrize(
    ("configs", "more"),
    [
        ("train,model/segresnet", ""),
        ("train,model/full_resolution", ""),
        ("train,data/negatives", "--dataset_dir {data} --negatives_dir {data}"),
        (
            "train,data/negatives,data/transplants",
            "--dataset_dir {data} --negatives_dir {data} --transplants_dir {data}",
        ),
        ("train,configs/model/unet.yaml", ""),
        ("inference,model/segresnet", "--dataset_dir {data}/case_0 --weights {weights}"),
        ("train,training/finetune,data/bhsd", ""),
        ("train,data/mixed", "--dataset_dir {data} --synthetic_dir {data}"),
        ("train,data/synthetic,training/cuda", ""),
        ("train,training/cuda,training/float16", ""),
        ("train,training/pretrain", ""),
        ("train,federated/train", ""),
        ("train,training/fold", "--data_dir {folds} --runs_dir runs --fold 1"),
        ("train,training/fold,evaluate", "--data_dir {folds} --runs_dir {runs} --fold 1"),
        (
            "inference,inference/ensemble",
            "--dataset_dir {data}/case_0 --ensemble ['{weights}','{weights}']",
        ),
        ("inference,inference_trt", "--dataset_dir {data}/case_0 --weights {weights}"),
        ("pipeline", "--input scan.nii.gz --output_dir out --pipeline#dicom true"),
    ],
)
def test_every_overlay_fits(
    configs: str, more: str, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folds").mkdir()
    (tmp_path / "folds" / "fold_1").symlink_to(tiny_dataset)
    weights = tmp_path / "runs" / "fold_1" / "model.pt"
    weights.parent.mkdir(parents=True)
    weights.touch()
    places = {
        "data": tiny_dataset,
        "folds": tmp_path / "folds",
        "runs": tmp_path / "runs",
        "weights": weights,
    }
    folder = [] if "_dir" in more else ["--dataset_dir", tiny_dataset]
    found = check(ICH, configs, *folder, *more.format(**places).split(), capsys=capsys)
    assert found == []


@pytest.mark.slow
def test_bodies_go_beside_the_heads_of_the_anatomy(
    tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dataset_dir", tiny_dataset, "--bodies_dir", tiny_dataset]
    assert check(ANATOMY, "train,data/bodies", *words, capsys=capsys) == []


@pytest.mark.parametrize(
    ("configs", "more", "code", "names"),
    [
        ("trian", "", "CONFIG_NOT_FOUND", "did you mean train?"),
        ("train,model/segresnett", "", "CONFIG_NOT_FOUND", "did you mean model/segresnet?"),
        ("evaluate", "", "INCOMPLETE_CONFIG", "train,evaluate"),
        (
            "train,{overlay}",
            "--dataset_dir {data}",
            "UNKNOWN_ID",
            "overlay.yaml: nothing in the config reads",
        ),
        ("train", "--dataset_dir {empty}", "NO_DATA_LIST", "train#dataset#data"),
        (
            "train,evaluate",
            "--dataset_dir {data} --split tset",
            "NO_DATA_LIST",
            "validate#dataset#data",
        ),
        (
            "train,evaluate",
            "--dataset_dir {data} --weights {empty}/no.pt",
            "MISSING_FILE",
            "weights",
        ),
        ("train,training/fold", "--runs_dir runs", "MISSING_VALUE", "data_dir has no value"),
        ("train,data/mixed", "--dataset_dir {data}", "MISSING_VALUE", "synthetic_dir has no value"),
        (
            "train,training/weak",
            "--dataset_dir {data}",
            "MISSING_VALUE",
            "weak_dir has no value, give --weak_dir",
        ),
        ("inference", "--dataset_dir {empty}", "MISSING_FILE", "holds no .nii"),
        (
            "inference,inference/ensemble",
            "--dataset_dir {empty}",
            "MISSING_VALUE",
            "ensemble has no value",
        ),
        ("inference,inference/ensemble", "--ensemble ['{empty}/no.pt']", "MISSING_FILE", "no.pt"),
    ],
)
def test_what_a_run_needs_is_named(
    configs: str,
    more: str,
    code: str,
    names: str,
    tiny_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("bach_size: 4\n")
    (tmp_path / "empty").mkdir()
    places = {"data": tiny_dataset, "empty": tmp_path / "empty", "overlay": overlay}
    words = ["bundle", "check", ICH, configs.format(**places), *more.format(**places).split()]
    assert main(words) == 3
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if code in line and names in line], lines


@pytest.mark.slow
def test_a_folder_with_broken_metadata_and_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(
        Path(__file__).resolve().parents[2] / "bundles" / ICH / "configs", folder / "configs"
    )
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text()) | {"version": "9.9.9", "authors": ["A"]}
    path.write_text(json.dumps(metadata))
    assert {line.split(":")[0] for line in check(folder, capsys=capsys)} == {
        "BAD_METADATA",
        "NO_WEIGHTS",
    }
    metadata["authors"] = "A"
    path.write_text(json.dumps(metadata))
    (folder / "models").mkdir()
    torch.save({"network": {}, "path": Path()}, folder / "models" / "model.pt")
    version, weights = check(folder, capsys=capsys)
    assert "changelog" in version and weights.startswith("BUNDLE_BROKEN")


def test_a_refused_run_writes_nothing(
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = Path(__file__).resolve().parents[2] / "bundles" / ICH
    words = [
        "bundle",
        "run",
        str(bundle),
        "train",
        "--dataset_dir",
        str(tiny_dataset),
        "--output_dir",
        "out",
    ]
    assert main([*words, "--epoch", "5"]) == 3
    assert main(["--json-errors", *words, "--epoch=5"]) == 3
    plain, machine = capsys.readouterr().err.splitlines()
    assert json.loads(machine) == dict(zip(("code", "message"), plain.split(": ", 1), strict=True))
    assert list(tmp_path.iterdir()) == []
    assert (
        main(["bundle", "run", ICH]) == 2
        and main(["bundle", "check", ICH, "train", "--fold", "1", "2"]) == 2
    )


def test_memory_that_ran_out_is_recognized() -> None:
    for size in (10**15, 10**17):
        with pytest.raises(RuntimeError) as caught:
            torch.empty(size, dtype=torch.uint8)
        assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA")) and is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes differ"))
