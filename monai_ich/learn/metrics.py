"""How well findings of slices and exams are told, over a validation set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.handlers import IgniteMetricHandler
from monai.metrics import CumulativeIterationMetric
from numpy.typing import NDArray

from monai_ich.agreement.delong import estimate_auc
from monai_ich.agreement.detection import count_confusion, f1
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import sha256_of
from monai_ich.core.second_reading import FINDINGS
from monai_ich.io.output import write_whole
from monai_ich.io.thresholds import THRESHOLDS_FILE
from monai_ich.learn.explain import draw_best_slices
from monai_ich.learn.figures import draw_confusions, draw_histogram
from monai_ich.learn.thresholds import describe_thresholds
from monai_ich.parts.findings import finding_probabilities

THRESHOLDS = tuple(round(0.1 * n, 1) for n in range(1, 10))
_EDGES = np.linspace(-1.0, 1.0, 101)


def truths(targets: torch.Tensor) -> torch.Tensor:
    """Targets ``(6, K + 1)`` as `FINDINGS`."""
    found = torch.as_tensor(targets).as_subclass(torch.Tensor).clone()
    found[0] = 1.0 - found[0]
    return found


def weighted_log_loss(share: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """RSNA 2019's: the mean log loss over what is known, "any" counting twice; NaN for nothing.

    Args:
        share, truth: ``(6, N)`` as `FINDINGS`.

    >>> half = torch.full((6, 1), 0.5)
    >>> round(float(weighted_log_loss(half, torch.zeros(6, 1))), 4)  # ln 2
    0.6931
    """
    known = ~truth.isnan()
    weight = known * truth.new_tensor([2.0] + [1.0] * len(Subtype))[:, None]
    right = torch.where(truth == 1, share, 1.0 - share).clamp_min(1e-7)
    return -(right.log() * weight).sum() / weight.sum()


class _LogLoss(CumulativeIterationMetric):
    def __init__(self, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling

    def _compute_tensor(
        self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any
    ) -> torch.Tensor:
        assert y is not None
        pairs = zip(y_pred, y, strict=True)
        losses = [
            weighted_log_loss(finding_probabilities(p, pooling=self.pooling).cpu(), truths(t).cpu())
            for p, t in pairs
        ]
        return torch.stack(losses)[:, None]

    def aggregate(self) -> torch.Tensor:
        data = self.get_buffer()  # type: ignore[no-untyped-call]  # MONAI's
        return -torch.nanmean(data)


class MinusLogLoss(IgniteMetricHandler):
    """`weighted_log_loss`, mean of the exams, negative: higher is better.

    Args:
        output_transform: gives logits ``(6, 1, 1, K)`` and targets ``(6, K + 1)``.
        pooling: of slices to the exam.
    """

    def __init__(self, output_transform: Any, pooling: str = "lse") -> None:
        super().__init__(
            metric_fn=_LogLoss(pooling), output_transform=output_transform, save_details=False
        )


class FindingFigures:
    """After a validation: ``findings.json``, pictures, and AUC in the engine's metrics.

    Of each finding, for slices and for exams: AUC with DeLong's interval, the threshold of 0.1 to
    0.9 with the highest F1 on these very scans, and the confusion matrix at it.

    Args:
        folder: made if missing.
        pooling: of slices to the exam.
        explained: of how many exams the best slices are drawn by Grad-CAM.
        network: for that.
        weights: file of the weights that are judged; given, ``exam_thresholds.json`` is written
            beside the rest, for the ``configs`` of a bundle with these weights (see
            `find_thresholds`).
    """

    def __init__(
        self,
        folder: str | Path,
        pooling: str = "lse",
        explained: int = 0,
        network: torch.nn.Module | None = None,
        weights: str | Path | None = None,
    ) -> None:
        self.folder, self.pooling = Path(folder), pooling
        self.explained, self.network = explained, network
        self.weights = None if weights is None else Path(weights)
        self.scans: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.counts = np.zeros((3, len(_EDGES) - 1))

    def attach(self, engine: Engine) -> None:
        """Follow an evaluator."""
        self.folder.mkdir(parents=True, exist_ok=True)
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._keep)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._finish)

    def _start(self) -> None:
        self.scans, self.counts = [], np.zeros_like(self.counts)

    def _keep(self, engine: Engine) -> None:
        output: Any = engine.state.output  # a number, says ignite
        for scan in output:
            self.scans.append(
                (
                    finding_probabilities(scan["pred"], pooling=self.pooling).cpu(),
                    truths(scan["label"]).cpu(),
                )
            )
            image = torch.as_tensor(scan["image"]).as_subclass(torch.Tensor).cpu()
            self.counts += [np.histogram(channel, _EDGES)[0] for channel in image.numpy()]
            if self.network is not None and len(self.scans) <= self.explained:
                path = self.folder / f"best_slices_{len(self.scans)}.png"
                draw_best_slices(self.network, image, path)

    def _finish(self, engine: Engine) -> None:
        scans = _of_all_processes(self.scans)
        record = describe_findings(scans)
        for row in record:
            if row["auc"] is not None:
                engine.state.metrics[f"val_auc_{row['level']}_{row['finding']}"] = row["auc"]
        if idist.get_rank() == 0:
            write_whole(self.folder / "findings.json", json.dumps(record, indent=1) + "\n")
            if self.weights is not None:
                exams = [(s[:, -1].double().numpy(), t[:, -1].numpy()) for s, t in scans]
                found = describe_thresholds(
                    exams, weights_sha256=sha256_of(self.weights), pooling=self.pooling
                )
                write_whole(self.folder / THRESHOLDS_FILE, json.dumps(found, indent=1) + "\n")
            draw_confusions(record, self.folder / "confusion.png")
            draw_histogram(self.counts, _EDGES, self.folder / "histogram.png")


def _of_all_processes(scans: list[Any]) -> list[Any]:
    if idist.get_world_size() == 1:
        return scans
    gathered: list[Any] = [None] * idist.get_world_size()
    torch.distributed.all_gather_object(gathered, scans)
    return [scan for one in gathered for scan in one]


def describe_findings(scans: list[tuple[torch.Tensor, torch.Tensor]]) -> list[dict[str, Any]]:
    """A row for each finding of slices and of exams.

    Args:
        scans: probabilities and truth of each, ``(6, K + 1)`` as `FINDINGS`.
    """
    levels = {
        "slice": [(share[:, :-1], truth[:, :-1]) for share, truth in scans],
        "exam": [(share[:, -1:], truth[:, -1:]) for share, truth in scans],
    }
    rows = []
    for level, pairs in levels.items():
        share = torch.cat([s for s, _ in pairs], 1).double().numpy()
        truth = torch.cat([t for _, t in pairs], 1).numpy()
        for name, said, true in zip(FINDINGS, share, truth, strict=True):
            known = ~np.isnan(true)
            rows.append({"level": level, "finding": name} | _row(said[known], true[known] == 1))
    return rows


def _row(share: NDArray[np.float64], present: NDArray[np.bool_]) -> dict[str, Any]:
    area = estimate_auc(share, present)
    tables = [np.stack([share >= t, present], 1).astype(np.float64) for t in THRESHOLDS]
    best = int(np.argmax([np.nan_to_num(f1(table)) for table in tables]))
    scored = bool(present.any())
    return {
        "n": len(share),
        "n_present": int(present.sum()),
        "auc": area.value,
        "auc_interval": area.interval,
        "auc_reason": area.reason or area.interval_reason,
        "threshold": THRESHOLDS[best] if scored else None,
        "f1": float(f1(tables[best])) if scored else None,
        "confusion": vars(count_confusion(share >= THRESHOLDS[best], present)) if scored else None,
    }
