"""A MONAI Label app of the two MONAI-ICH bundles: draft masks, training on what was corrected, and
the scans first that the network doubts most.

Copy this folder, put bundles into its ``model/``, and start the server: see
docs/how-to/monai_label.md.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import monailabel
import numpy as np
import torch
from monai.transforms import AsDiscreted, Invertd, SaveImaged
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random
from monailabel.tasks.infer.bundle import BundleInferTask
from monailabel.tasks.train.bundle import BundleTrainTask
from monailabel.transform.writer import Writer

logger = logging.getLogger(__name__)
DOUBT_ML, WEIGHTS = "doubt_ml_{}", "doubt_weights_{}"  # of a bundle, in what is kept of a scan


class IchApp(MONAILabelApp):
    """Every bundle in ``model/``, or those of ``--conf models NAME,NAME``."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        folder = Path(app_dir) / "model"
        wanted = [name.strip() for name in conf.get("models", "").split(",") if name.strip()]
        found = {path.parents[1].name: path.parents[1] for path in folder.glob("*/models/model.pt")}
        self.bundles = {name: found[name] for name in wanted or sorted(found)}
        if not self.bundles:
            raise FileNotFoundError(f"Copy a bundle with weights into {folder}.")
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf,
            name="MONAI-ICH",
            description="Intracranial hemorrhage on head CT. For research; not a medical device.",
            version=monailabel.__version__,
        )

    def init_infers(self) -> dict[str, InferTask]:
        """One automatic segmentation for each bundle."""
        return {name: Draft(str(root), self.conf) for name, root in self.bundles.items()}

    def init_trainers(self) -> dict[str, TrainTask]:
        """One training for each bundle; it goes on from the bundle's weights, with small steps."""
        return {name: BundleTrainTask(str(root), self.conf) for name, root in self.bundles.items()}

    def init_strategies(self) -> dict[str, Strategy]:
        """What `next_sample` may ask for."""
        doubt = {f"doubt_{name}": MostDoubt(name) for name in self.bundles}
        return {**doubt, "first": First(), "random": Random()}

    def init_scoring_methods(self) -> dict[str, ScoringMethod]:
        """``doubt_BUNDLE``: fills in what the strategy of that name looks at."""
        return {
            f"doubt_{name}": Doubt(
                name,
                BundleInferTask(
                    str(root),
                    self.conf,
                    post_filter=[SaveImaged, Invertd, AsDiscreted],  # probabilities are left
                    add_post_restore=False,
                    skip_writer=True,
                ),
            )
            for name, root in self.bundles.items()
        }


class Draft(BundleInferTask):  # type: ignore[misc]
    """Masks keep the affine of their scan; MONAI Label's own way through ITK drops a tilt."""

    def writer(self, data: dict[str, Any], extension: Any = None, dtype: Any = None) -> Any:
        """The mask's file and what is said of it."""
        return Writer(self.output_label_key, self.output_json_key, nibabel=True)(data)


class Doubt(ScoringMethod):  # type: ignore[misc]
    """How many milliliters a network doubts in each scan without labels: the sum of ``p (1 - p)``
    over all that it calls anything but background, 0 where it is certain everywhere.

    Args:
        name: of the bundle.
        infer: gives probabilities ``(C, I, J, K)`` on the network's grid.
    """

    def __init__(self, name: str, infer: BundleInferTask) -> None:
        super().__init__(f"Milliliters that {name} doubts: the sum of p (1 - p)")
        self.amount, self.weights = DOUBT_ML.format(name), WEIGHTS.format(name)
        self.infer = infer

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, int]:
        """Score scans without labels that these weights have not scored; ``max_samples`` limits
        how many.
        """
        weights = Path(self.infer.get_path()).stat().st_mtime_ns
        unlabeled = datastore.get_unlabeled_images()
        waiting = [
            scan
            for scan in unlabeled
            if datastore.get_image_info(scan).get(self.weights) != weights
        ]
        waiting = waiting[: int(request.get("max_samples", 0)) or None]
        for scan in waiting:
            data = {"image": datastore.get_image_uri(scan), "device": request.get("device")}
            _, found = self.infer(data)
            amount = doubt_ml(found["pred"], found["image"].affine)
            datastore.update_image_info(scan, {self.amount: amount, self.weights: weights})
            logger.info("doubt: %.2f mL", amount)
        return {"total": len(unlabeled), "executed": len(waiting)}


def doubt_ml(probabilities: torch.Tensor, affine: torch.Tensor) -> float:
    """Sum of ``p (1 - p)`` of everything but background, in mL.

    Args:
        probabilities: ``(C, I, J, K)``, background first.
        affine: of their grid, voxel to mm.
    """
    background = torch.as_tensor(probabilities)[0].double()
    voxel_ml = abs(float(np.linalg.det(np.asarray(affine)[:3, :3]))) / 1000.0
    return float((background * (1.0 - background)).sum()) * voxel_ml


class MostDoubt(Strategy):  # type: ignore[misc]
    """The scan without labels that a network doubts most; scans that were not scored come first,
    since nothing is known of them.

    Args:
        name: of the bundle.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"The scan that {name} doubts most")
        self.amount = DOUBT_ML.format(name)

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """The next scan and its score."""
        scans = datastore.get_unlabeled_images(request.get("label_tag"), request.get("labels"))
        if not scans:
            return None
        scores = {s: datastore.get_image_info(s).get(self.amount, float("inf")) for s in scans}
        chosen = max(sorted(scores), key=lambda scan: scores[scan])
        known = np.isfinite(scores[chosen])
        return {"id": chosen, "doubt_ml": scores[chosen] if known else None}
