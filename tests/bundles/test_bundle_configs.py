"""What MONAI and its consumers ask of a bundle's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_metadata
from monai.bundle.scripts import verify_net_in_out
from monai.transforms import Compose, LoadImaged, Randomizable
from numpy.typing import NDArray
from packaging.requirements import Requirement
from tiny import tiny_head

import monai_ich.bundle_check
from monai_ich.bundle import load_bundle, network_input
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import EDEMA, Anatomy, Subtype
from monai_ich.core.volume import CTVolume, Mask

CONSUMER = Path(__file__).resolve().parents[3] / "shared" / "tools" / "consumer_sim.py"
FILES = (
    "LICENSE",
    "docs/README.md",
    "docs/data_license.txt",
    *(f"configs/{name}.yaml" for name in ("train", "evaluate", "inference", "inference_trt")),
    *(f"configs/{name}.yaml" for name in ("multi_gpu_train", "multi_gpu_evaluate")),
    "configs/metadata.json",
    "configs/logging.conf",
)


def metadata(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "configs" / "metadata.json").read_text())
    return found


def parser_of(bundle: Path, name: str, **overrides: Any) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / name))
    parser.update({"bundle_root": str(bundle), **overrides})
    return parser


def saved(folder: Path, affine: NDArray[np.float64], **volumes: NDArray[Any]) -> dict[str, str]:
    """Name to path of each volume, as NIfTI in `folder`."""
    for name, voxels in volumes.items():
        nib.save(nib.Nifti1Image(voxels, affine), folder / f"{name}.nii.gz")
    return {name: str(folder / f"{name}.nii.gz") for name in volumes}


def with_tensorrt(bundle: Path) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(
        [str(bundle / "configs" / name) for name in ("inference.yaml", "inference_trt.yaml")]
    )
    return parser


def test_bundle_has_every_file_that_the_format_asks_for(bundle: Path) -> None:
    assert [name for name in FILES if not (bundle / name).is_file()] == []
    assert list((bundle / "configs").glob("*.yml")) == []
    others = {path.name for path in (bundle / "models").glob("*")} - {
        "model.pt",
        "model.ts",
        "model.onnx",
    }
    assert others == set(), "MONAI Label would offer a checkpoint as a model"


def test_card_has_the_sections_of_the_model_zoo(bundle: Path) -> None:
    sections = [
        "Model overview",
        "Input",
        "Output",
        "Data",
        "Training configuration",
        "Performance",
    ]
    sections += ["MONAI Bundle Commands", "References", "License"]
    card = (bundle / "docs" / "README.md").read_text().splitlines()
    assert [line.removeprefix("## ") for line in card if line.startswith("## ")] == sections


@pytest.mark.parametrize(
    ("name", "labels", "more"),
    [("head_ct_anatomy", Anatomy, {}), ("ich_segmentation", Subtype, {EDEMA: "edema"})],
)
def test_channel_definition_is_the_label_table(
    name: str, labels: type[Anatomy] | type[Subtype], more: dict[int, str]
) -> None:
    bundle = Path(__file__).resolve().parents[2] / "bundles" / name
    channels = metadata(bundle)["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert channels.pop("0") == "background"
    assert {int(k): v.lower() for k, v in channels.items()} == {
        int(v): v.name.lower() for v in labels
    } | more


def test_inference_stands_alone(bundle: Path) -> None:
    text = (bundle / "configs" / "inference.yaml").read_text()
    assert "monai_ich" not in text and "scripts" not in text and "@_meta_" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["train.yaml"], "train"),
        (["train.yaml", "evaluate.yaml"], "train"),
        (["inference.yaml"], "infer"),
    ],
)
def test_property_ids_are_clean(
    bundle: Path,
    files: list[str],
    kind: str,
    tiny_dataset: Path,
    random_weights: Path,
    tmp_path: Path,
) -> None:
    workflow = ConfigWorkflow(
        config_file=[str(bundle / "configs" / name) for name in files],
        workflow_type=kind,
        logging_file=False,  # type: ignore[arg-type]
        bundle_root=str(bundle),
        dataset_dir=str(tiny_dataset),
        output_dir=str(tmp_path),
        weights=str(random_weights),
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    assert "run" in workflow.parser.config and "finalize" in workflow.parser.config
    if kind == "train":
        assert all(isinstance(handler, dict) for handler in workflow.parser["train#handlers"])


def test_the_metadata_hold_to_their_schema(bundle: Path, tmp_path: Path) -> None:
    schema = Path(monai_ich.bundle_check.__file__).with_name(
        "metadata.schema.json"
    )  # there, MONAI downloads none
    verify_metadata(meta_file=str(bundle / "configs" / "metadata.json"), filepath=str(schema))
    broken = {
        name: value for name, value in metadata(bundle).items() if name != "network_data_format"
    }
    (tmp_path / "metadata.json").write_text(json.dumps(broken))
    with pytest.raises(ValueError, match="against schema"):
        verify_metadata(meta_file=str(tmp_path / "metadata.json"), filepath=str(schema))


def test_the_model_zoo_can_install_what_is_required(bundle: Path) -> None:
    """It writes ``NAME==VERSION``, or ``NAMEVERSION`` where the version begins with an operator."""
    found = metadata(bundle)
    for name, wanted in found["required_packages_version"].items():
        requirement = Requirement(f"{name}{wanted}" if wanted[0] in "<>=" else f"{name}=={wanted}")
        assert requirement.specifier.contains("99"), "a range: pins have no build for each Python"
    assert "onnxscript" in found["required_packages_version"], "MONAI's onnx_export asks for it"
    assert "monai_ich" not in (bundle / "configs" / "inference.yaml").read_text()
    assert "monai-ich" in found["training_packages_version"], "train.yaml does"


@pytest.mark.slow
def test_network_takes_and_gives_the_shapes_of_the_metadata(bundle: Path) -> None:
    configs = bundle / "configs"
    verify_net_in_out(
        "network_def", str(configs / "metadata.json"), str(configs / "inference.yaml"), device="cpu"
    )
    shapes = metadata(bundle)["network_data_format"]
    assert shapes["inputs"]["image"]["spatial_shape"] == shapes["outputs"]["pred"]["spatial_shape"]
    parser = parser_of(bundle, "inference.yaml")
    assert with_tensorrt(bundle)["inferer#roi_size"] == shapes["inputs"]["image"]["spatial_shape"]
    network = parser.get_parsed_content("network_def").eval()
    with torch.inference_mode():
        result = network(torch.zeros(1, 3, *shapes["inputs"]["image"]["spatial_shape"]))
    classes = len(shapes["outputs"]["pred"]["channel_def"])
    assert list(result.shape) == [1, classes, *shapes["outputs"]["pred"]["spatial_shape"]]


def test_nothing_infers_in_float16(bundle: Path) -> None:
    """The features of shipped weights reach 3e6; float16 ends at 65,504, and what is beyond became
    background.
    """
    assert not parser_of(bundle, "inference.yaml").get("evaluator#amp", False)
    assert with_tensorrt(bundle)["trt_args#precision"] == "tf32"


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
def test_training_evaluation_and_inference_see_the_same_tensors(
    bundle: Path, tilt_deg: float, tmp_path: Path
) -> None:
    hu, labels, anatomy, affine = tiny_head(3, tilt_deg=tilt_deg)
    row = saved(tmp_path, affine, image=hu, label=labels, cavity=anatomy)
    inference = parser_of(bundle, "inference.yaml").get_parsed_content("preprocessing")(row)[
        "image"
    ]
    training = parser_of(bundle, "train.yaml")
    training.update({"dataset_dir": str(tmp_path), "output_dir": str(tmp_path)})
    evaluation = ConfigParser()
    evaluation.read_config(
        [str(bundle / "configs" / name) for name in ("train.yaml", "evaluate.yaml")]
    )
    steps = [
        *training.get_parsed_content("deterministic_transforms"),
        *training.get_parsed_content("windows"),
        *training.get_parsed_content("padding"),
    ]
    assert not any(isinstance(step, Randomizable) for step in steps)
    for other in (
        Compose(steps),
        training.get_parsed_content("validate#preprocessing"),
        evaluation.get_parsed_content("validate#preprocessing"),
    ):
        seen = other(dict(row))["image"]
        np.testing.assert_allclose(np.asarray(seen.affine), np.asarray(inference.affine), atol=1e-6)
        assert torch.equal(torch.as_tensor(seen), torch.as_tensor(inference))


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
def test_the_pipeline_strips_a_head_as_validation_does(tilt_deg: float, tmp_path: Path) -> None:
    hu, labels, anatomy, affine = tiny_head(3, tilt_deg=tilt_deg)
    ct = CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine))
    cavity = Mask(anatomy > 0, ct.geometry)
    bundle = load_bundle("ich_segmentation", device="cpu")
    (stripped, _), (whole, _) = (
        network_input(bundle, ct, inside=inside) for inside in (cavity, None)
    )
    training = parser_of(bundle.root, "train.yaml")
    training.update({"dataset_dir": str(tmp_path), "output_dir": str(tmp_path), "strip_prob": 1.0})
    row = saved(tmp_path, affine, image=hu, label=labels, cavity=anatomy)
    seen = torch.as_tensor(training.get_parsed_content("validate#preprocessing")(row)["image"])
    for image in (seen, stripped):
        assert ((image == whole) | (image == 0)).all() and image.any() and (image != whole).any()
    assert (seen != stripped).float().mean() < 0.01, (
        "a voxel whose center lies on the edge may count either way"
    )


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
def test_what_lies_outside_of_the_scan_is_air(
    bundle: Path, tilt_deg: float, tmp_path: Path
) -> None:
    hu, _, _, affine = tiny_head(0, tilt_deg=tilt_deg)
    hu[:] = 40  # brain to the very edge: any voxel of another value was invented
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "ct.nii.gz")
    image = parser_of(bundle, "inference.yaml").get_parsed_content("preprocessing")(
        {"image": str(tmp_path / "ct.nii.gz")}
    )["image"]
    inside = np.linalg.inv(affine) @ np.asarray(image.affine)
    ijk = np.indices(image.shape[1:]).reshape(3, -1)
    native = inside[:3, :3] @ ijk + inside[:3, 3:]
    outside = (
        ((native < -1) | (native > np.array(hu.shape)[:, None]))
        .any(axis=0)
        .reshape(image.shape[1:])
    )
    assert float(torch.as_tensor(image)[:, torch.from_numpy(outside)].abs().sum()) == 0
    i, j, k = image.applied_operations[-1]["orig_size"]  # before padding
    assert outside[:i, :j, :k].any() == (tilt_deg > 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "grid", [(), ("--shape", "80x80x72", "--spacing", "1.1x1.1x0.7")], ids=["thick", "thin"]
)
def test_label_and_deploy_can_consume_the_bundle(bundle: Path, grid: tuple[str, ...]) -> None:
    if not CONSUMER.is_file():
        pytest.skip("the consumers' simulation lies in ../shared/tools, which is not here")
    command = [sys.executable, str(CONSUMER), str(bundle), *grid]
    if not (bundle / "models" / "model.pt").is_file():
        command.append("--fake-weights")
    found = subprocess.run(command, capture_output=True, text=True)
    assert "FAIL" not in found.stdout and found.returncode == 0, found.stdout + found.stderr[-500:]


def test_first_transform_is_a_loader_that_consumers_recognize(bundle: Path) -> None:
    steps = parser_of(bundle, "inference.yaml").get_parsed_content("preprocessing").transforms
    assert isinstance(steps[0], LoadImaged)


def test_the_hemorrhage_network_has_no_narrow_layer_and_calls_air_background() -> None:
    """AMX computes 32 and more channels five times as fast as eight; only the fold itself has
    fewer.
    """
    bundle = Path(__file__).resolve().parents[2] / "bundles" / "ich_segmentation"
    network = parser_of(bundle, "inference.yaml").get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    assert all(
        layer.in_channels >= 12
        for layer in network[1].modules()
        if isinstance(layer, torch.nn.Conv3d)
    )
    with torch.inference_mode():
        scores = network(torch.zeros(1, 3, 32, 48, 8))
    assert list(scores.shape) == [1, 7, 32, 48, 8] and bool(torch.isfinite(scores).all())
    assert bool((scores[:, 0] > scores[:, 1:].amax(1)).all())
