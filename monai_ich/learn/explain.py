"""Which slices an answer rests on, by Grad-CAM."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from monai.visualize import GradCAM
from numpy.typing import NDArray

from monai_ich.parts.figures import blank_figure
from monai_ich.parts.findings import CHANNELS, pool_findings


class _ExamScore(torch.nn.Module):
    """Slices' logits pooled to the exam's ``(B, 6)``."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network).float().requires_grad_(True)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return pool_findings(self.network(image)[:, :, 0, 0])


def find_evidence(
    network: torch.nn.Module, image: torch.Tensor, finding: str, *, layer: str = "0.3"
) -> NDArray[np.float32]:
    """Where the evidence for a finding of an exam lies.

    Args:
        network: ``(1, channels, I, J, K)`` to logits ``(1, 6, 1, 1, K)``; copied.
        image: ``(channels, I, J, K)``.
        finding: of `CHANNELS`.
        layer: of the network, whose features are weighed: the last of the backbone.

    Returns:
        ``(I, J, K)``, 0 to 1; all 0 where nothing speaks for it.

    References:
        Selvaraju 2017, doi:10.1109/ICCV.2017.74
    """
    score = _ExamScore(network).eval()
    # MONAI turns the map over, as its occlusion maps are: without its post-processing it is not
    cam = GradCAM(score, target_layers=f"network.{layer}", postprocessing=lambda x: x)
    with torch.enable_grad():
        device = next(network.parameters()).device
        found = cam(image.float()[None].to(device), CHANNELS.index(finding))
    evidence = torch.as_tensor(found)[0, 0].clamp_min(0).detach().cpu().numpy()
    top = float(evidence.max())
    return np.asarray(evidence / top if top > 0 else evidence, np.float32)


def best_slices(evidence: NDArray[np.float32], count: int = 3) -> list[int]:
    """Slices with most evidence, the best first."""
    return [int(k) for k in np.argsort(-evidence.sum((0, 1)), kind="stable")[:count]]


def draw_best_slices(
    network: torch.nn.Module, image: torch.Tensor, path: Path, count: int = 3
) -> None:
    """The best slices for the likeliest subtype, evidence over the brain window."""
    device = next(network.parameters()).device
    with torch.no_grad():
        logits = network(image.float()[None].to(device))[:, :, 0, 0]
    exam = pool_findings(logits)[0]
    finding = CHANNELS[1 + int(exam[1:].argmax())]
    evidence = find_evidence(network, image, finding)
    figure = blank_figure(2.4 * count, 2.6)
    for axis, k in zip(
        figure.subplots(1, count, squeeze=False)[0], best_slices(evidence, count), strict=False
    ):
        axis.imshow(np.rot90(image[0, ..., k]), cmap="gray", vmin=0.0, vmax=1.0)
        axis.imshow(np.rot90(evidence[..., k]), cmap="inferno", alpha=0.4, vmin=0.0, vmax=1.0)
        axis.set_title(f"{finding}, slice {k}", fontsize=8)
        axis.axis("off")
    figure.savefig(path, dpi=100, metadata={"Software": None})
