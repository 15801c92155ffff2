"""OpenVINO and ONNX Runtime label as PyTorch does, or the run is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_head

from benchmarks.runtimes import lowest_dice
from monai_ich.bundle import find_bundle, load_bundle, predict, runtime
from monai_ich.bundle.runtime import Runtime, require_runtime, scores_of
from monai_ich.cli.app import main
from monai_ich.core.errors import BundleError
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume
from monai_ich.study.results import digest_settings
from tests.conftest import ROOT

OTHERS = [Runtime.OPENVINO, Runtime.ONNX]


def head() -> CTVolume:
    hu, _, _, affine = tiny_head(2, shape=(44, 52, 14), spacing_mm=(4.0, 4.0, 8.0))
    return CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine))


@pytest.mark.parametrize("name", OTHERS)
def test_scores_are_those_of_pytorch_on_any_size(name: Runtime) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv3d(2, 4, 3, stride=2, padding=1),
        torch.nn.LeakyReLU(0.01),
        torch.nn.ConvTranspose3d(4, 3, 2, stride=2),
    ).eval()
    compiled = scores_of(network, name, channels=2)
    for shape in ((16, 24, 8), (40, 8, 12)):
        image = torch.rand(1, 2, *shape)
        with torch.inference_mode():
            torch.testing.assert_close(compiled(image), network(image), atol=1e-5, rtol=1e-5)


class FixedSize(torch.nn.Module):
    """Gives what PyTorch's tracing takes for a constant: the image's own size."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * float(image.shape[2])


@pytest.mark.parametrize("name", OTHERS)
def test_an_export_that_holds_on_to_a_size_is_refused(name: Runtime) -> None:
    with pytest.raises(BundleError, match="RUNTIME_DIFFERS"):
        scores_of(FixedSize(), name, channels=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_labels_of_the_shipped_weights_do_not_depend_on_the_runtime(
    name: Runtime, bundle: Path
) -> None:
    ct = head()
    wanted = predict(load_bundle(bundle, device="cpu"), ct)
    loaded = load_bundle(bundle, runtime=name)
    found = predict(loaded, ct)
    assert loaded.device.type == "cpu" and loaded.runtime is name
    assert len(np.unique(wanted.labels)) > 1
    assert lowest_dice(found.labels, wanted.labels, ct.geometry) == 1.0
    torch.testing.assert_close(found.probabilities, wanted.probabilities, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_openvino_reports_its_use_to_nobody() -> None:
    code = (
        "import sys, torch; from monai_ich.bundle.runtime import Runtime, scores_of\n"
        "scores_of(torch.nn.Conv3d(1, 1, 1).eval(), Runtime.OPENVINO, channels=1)\n"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_heads_are_made_on_a_device_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", "-o", str(tmp_path / "d"), "-n", "1", "--device", "cuda:99"]) == 2
    assert "BAD_DEVICE" in capsys.readouterr().err and not (tmp_path / "d").exists()


@pytest.mark.slow
def test_the_provenance_of_an_analysis_names_its_runtime(tmp_path: Path) -> None:
    import nibabel as nib

    hu, _, _, affine = tiny_head(2)
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "ct.nii.gz")
    records = []
    for name in ("torch", "openvino"):
        out = tmp_path / name
        words = ["analyze", str(tmp_path / "ct.nii.gz"), "-o", str(out), "--device", "cpu"]
        assert main([*words, "--runtime", name, "--case-id", "c1"]) == 0
        records.append(json.loads((out / "provenance.json").read_text()))
    assert [record["settings"]["runtime"] for record in records] == ["torch", "openvino"]
    assert "openvino" in records[1]["versions"] and "openvino" not in records[0]["versions"]
    one, other = (
        nib.load(tmp_path / name / "ich.nii.gz").get_fdata() for name in ("torch", "openvino")
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize("command", ["analyze", "study"])
def test_what_a_runtime_cannot_do_is_refused_before_a_scan_is_read(
    command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said(*options: str) -> str:
        run = [command, str(tmp_path / "none"), "-o", str(tmp_path / "out"), *options]
        assert main(run) == 2
        return capsys.readouterr().err.strip()

    assert "BAD_RUNTIME" in said("--runtime", "openvino", "--device", "cuda")
    assert said("--device", "gpu").endswith("give cpu, cuda, cuda:1 or mps.")
    assert "BAD_DEVICE: There is no device cuda:99 here" in said("--device", "cuda:99")
    assert said("--runtime", "tensorrt").endswith("one of torch, openvino, onnx.")
    monkeypatch.setattr(runtime, "find_spec", lambda package: None)
    for name in OTHERS:
        error = said("--runtime", name)
        assert "NO_RUNTIME" in error and f"pip install 'monai-ich[{name}]'" in error
        assert error.count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_refused_in_python_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "find_spec", lambda package: None)
    with pytest.raises(BundleError, match="NO_RUNTIME"):
        load_bundle(find_bundle("ich_segmentation"), runtime="onnx")
    assert require_runtime("torch", "cuda") is Runtime.TORCH


def test_another_runtime_is_another_study() -> None:
    digests = {digest_settings({"runtime": name}) for name in Runtime}
    assert len(digests) == 3


@pytest.mark.slow
def test_workers_of_the_service_compute_with_the_runtime_of_its_settings(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="needs monai-ich[service]")
    from monai_ich.service.analyzer import load
    from monai_ich.service.settings import Settings

    anatomy, ich, _ = load(Settings(tmp_path, runtime="openvino")).pipeline.load_bundles()
    assert anatomy.runtime is ich.runtime is Runtime.OPENVINO
