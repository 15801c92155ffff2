"""What computes a network's scores: PyTorch, or on a CPU OpenVINO or ONNX Runtime, which take it
over when it is loaded.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from enum import StrEnum
from importlib.util import find_spec
from typing import TypeAlias

import torch

from monai_ich.core.errors import BundleError

Scores: TypeAlias = Callable[[torch.Tensor], torch.Tensor]

_TRACED, _COMPARED = (64, 64, 32), (32, 32, 64)  # voxels; a network may halve these five times
_TOLERANCE = 1e-3  # of the largest score; 1e-6 is seen


class Runtime(StrEnum):
    """Who computes; the value is also the name of the extra that installs it."""

    TORCH = "torch"
    OPENVINO = "openvino"
    ONNX = "onnx"

    @property
    def packages(self) -> tuple[str, ...]:
        """What it needs beside PyTorch."""
        return {"openvino": ("openvino", "onnx"), "onnx": ("onnxruntime", "onnx")}.get(self, ())


def require_runtime(name: str, device: str | None = None) -> Runtime:
    """The runtime of this name.

    Args:
        name: ``"torch"``, ``"openvino"`` or ``"onnx"``.
        device: that was asked for; None leaves it to the runtime.

    Raises:
        BundleError: ``BAD_RUNTIME`` where the name is unknown or the runtime does not run on this
            device, ``NO_RUNTIME`` where a package is missing.
    """
    known = ", ".join(Runtime)
    if name not in list(Runtime):
        why = f"The runtime is not known: give one of {known}."
        raise BundleError("BAD_RUNTIME", why, exit_code=2)
    runtime = Runtime(name)
    if runtime is not Runtime.TORCH and device not in (None, "cpu"):
        why = f"The runtime {name} runs on the CPU only: leave the device out, or give cpu."
        raise BundleError("BAD_RUNTIME", why, exit_code=2)
    missing = [package for package in runtime.packages if find_spec(package) is None]
    if missing:
        why = f"The runtime {name} needs {missing[0]}: pip install 'monai-ich[{name}]'."
        raise BundleError("NO_RUNTIME", why, exit_code=2)
    return runtime


def require_device(name: str) -> torch.device:
    """The device of this name.

    Args:
        name: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        BundleError: ``BAD_DEVICE`` where the name is unknown or PyTorch finds no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    found = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if device.type not in found:
        why = "The device is not known: give cpu, cuda, cuda:1 or mps."
        raise BundleError("BAD_DEVICE", why, exit_code=2)
    if (device.index or 0) >= found[device.type]:
        why = f"There is no device {device} here: PyTorch finds {found[device.type]} of this kind."
        raise BundleError("BAD_DEVICE", why, exit_code=2)
    return device


def scores_of(network: torch.nn.Module, runtime: Runtime, *, channels: int) -> Scores:
    """A network's scores as another runtime computes them.

    The network is exported when it is loaded (half a CPU second), so that no file must be kept in
    step with the weights. It is compared with PyTorch on a size that the export has not seen: an
    export can silently hold on to the size that it was made with.

    Args:
        network: in eval mode, on the CPU; of ``(1, channels, I, J, K)``.
        runtime: another than PyTorch.
        channels: of its input.

    Raises:
        BundleError: ``RUNTIME_DIFFERS`` where the scores are not PyTorch's.
    """
    compiled = _BY[runtime](_exported(network, channels))
    image = torch.rand(1, channels, *_COMPARED, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = network(image)
    try:
        found = compiled(image)
        difference = float((found - wanted).abs().max()) / float(wanted.abs().max().clamp_min(1.0))
    except Exception as error:  # each runtime has its own for a size that does not fit
        raise _differs(runtime) from error
    if not difference < _TOLERANCE:
        raise _differs(runtime)
    return compiled


def _differs(runtime: Runtime) -> BundleError:
    why = f"{runtime} does not give this network's scores as PyTorch does: use --runtime torch."
    return BundleError("RUNTIME_DIFFERS", why)


def _exported(network: torch.nn.Module, channels: int) -> bytes:
    """The network as ONNX, for images of any size."""
    axes = {2: "i", 3: "j", 4: "k"}
    file = io.BytesIO()
    with warnings.catch_warnings():  # PyTorch recommends its other exporter, which needs more
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, channels, *_TRACED),),
            file,  # type: ignore[arg-type]  # this exporter takes a stream, too
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes={"image": axes, "scores": axes},
            dynamo=False,
        )
    return file.getvalue()


def _by_openvino(model: bytes) -> Scores:
    # which reports each import to Google Analytics; without it, OpenVINO keeps silent
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # bfloat16 otherwise, where the CPU has it
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings)
    return lambda image: torch.from_numpy(compiled(image.numpy())[0])


def _by_onnxruntime(model: bytes) -> Scores:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


_BY = {Runtime.OPENVINO: _by_openvino, Runtime.ONNX: _by_onnxruntime}
