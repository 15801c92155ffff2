"""Run a network in bfloat16 where the machine is faster at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer


def has_fast_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is computed in hardware: AVX512-BF16 or AMX on a CPU, Ampere or later on
    CUDA.
    """
    kind = torch.device(device).type
    if kind == "cpu":
        supported: Callable[[], bool] = getattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda: False
        )
        return bool(supported())
    return kind == "cuda" and torch.cuda.is_bf16_supported()


def describe_machine(device: torch.device | str) -> str:
    """What training on a device will be like, in a sentence."""
    kind = torch.device(device).type
    if kind != "cpu":
        precision = "bfloat16" if has_fast_bfloat16(device) else "float32, since it has no bfloat16"
        return f"training on {kind} in {precision}"
    threads = torch.get_num_threads()
    cores = f"{threads} CPU core{'s' if threads > 1 else ''}"
    if getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)():
        return f"training on {cores} with AMX in bfloat16: some 7 small windows a second and core"
    if has_fast_bfloat16(device):
        return f"training on {cores} in bfloat16, no AMX: some 5 small windows a second and core"
    return (
        f"training on {cores} in float32, since bfloat16 is not computed in hardware: some "
        "five times slower"
    )


class AutocastInferer(Inferer):
    """Another inferer, with the network under `torch.autocast` to bfloat16 and its output, a tensor
    or several, in float32.

    MONAI's engines know autocast for CUDA with a gradient scaler only; bfloat16 needs no scaler. On
    CPUs without bfloat16 instructions autocast would be slower, so it stays off there.

    Args:
        inferer: what to run (a `SimpleInferer`, a `SlidingWindowInferer`).
        enabled: None decides by `has_fast_bfloat16` of the input's device.
    """

    def __init__(self, inferer: Inferer, enabled: bool | None = None) -> None:
        self.inferer = inferer
        self.enabled = enabled

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        enabled = has_fast_bfloat16(inputs.device) if self.enabled is None else self.enabled

        def run(x: torch.Tensor, *a: Any, **k: Any) -> Any:
            with torch.autocast(inputs.device.type, torch.bfloat16, enabled=enabled):
                found = network(
                    x.as_subclass(torch.Tensor), *a, **k
                )  # torch.compile stumbles over a MetaTensor
            return tuple(f.float() for f in found) if isinstance(found, tuple) else found.float()

        return self.inferer(inputs, run, *args, **kwargs)
