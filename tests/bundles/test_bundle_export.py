"""Exported networks give what ``models/model.pt`` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export

pytestmark = pytest.mark.slow


def network_and_input(bundle: Path) -> tuple[torch.nn.Module, torch.Tensor]:
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.yaml"))
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    return network, torch.rand(1, 3, 96, 112, 40, generator=torch.Generator().manual_seed(0))


def files(bundle: Path) -> dict[str, str]:
    configs = bundle / "configs"
    return {
        "ckpt_file": str(bundle / "models" / "model.pt"),
        "meta_file": str(configs / "metadata.json"),
        "config_file": str(configs / "inference.yaml"),
    }


def test_torchscript_onnx_and_openvino_give_the_same_probabilities(
    bundle: Path, tmp_path: Path
) -> None:
    if not (bundle / "models" / "model.pt").is_file():
        pytest.skip("the bundle has no weights")
    network, image = network_and_input(bundle)
    with torch.inference_mode():
        wanted = torch.softmax(network(image), 1)

    ckpt_export(net_id="network_def", filepath=str(tmp_path / "model.ts"), **files(bundle))
    extra = {"metadata.json": "", "inference.json": ""}
    script = torch.jit.load(str(tmp_path / "model.ts"), _extra_files=extra)
    with torch.inference_mode():
        found = torch.softmax(script.eval()(image), 1)
    assert float((found - wanted).abs().max()) < 1e-4
    assert "network_data_format" in str(extra["metadata.json"]) and "network_def" in str(
        extra["inference.json"]
    )

    onnxruntime = pytest.importorskip("onnxruntime")
    onnx_export(net_id="network_def", filepath=str(tmp_path / "model.onnx"), **files(bundle))
    session = onnxruntime.InferenceSession(
        str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    (scores,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    found = torch.softmax(torch.from_numpy(np.asarray(scores)), 1)
    assert float((found - wanted).abs().max()) < 1e-4

    openvino = pytest.importorskip("openvino")  # reads ONNX as it is
    model = openvino.Core().compile_model(
        str(tmp_path / "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    found = torch.softmax(torch.from_numpy(model(image.numpy())[0]), 1)
    assert float((found - wanted).abs().max()) < 1e-3
    assert (found.argmax(1) == wanted.argmax(1)).float().mean() > 0.9999
