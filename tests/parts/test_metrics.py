"""Metrics of the bundles' evaluation."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.metrics import HausdorffDistanceMetric, SurfaceDiceMetric

from monai_ich.parts.metrics import InMillimeters, any_class

AFFINE = torch.diag(torch.tensor([1.0, 1.0, 5.0, 1.0], dtype=torch.float64))


def _slice(*found: int) -> MetaTensor:
    """One-hot of two classes: the second fills slices `found`, 5 mm apart."""
    voxels = torch.zeros(2, 4, 4, 6)
    for k in found:
        voxels[1, :, :, k] = 1
    voxels[0] = 1 - voxels[1]
    return MetaTensor(voxels, affine=AFFINE)


def test_a_surface_metric_counts_millimeters_and_leaves_out_what_has_no_distance() -> None:
    hd95 = InMillimeters(HausdorffDistanceMetric(percentile=95))
    near, far = (InMillimeters(SurfaceDiceMetric(class_thresholds=[mm])) for mm in (4.9, 5.1))
    for metric in (hd95, near, far):
        metric([_slice(1)], [_slice(2)])
        metric([_slice()], [_slice(3)])
    assert hd95.aggregate().item() == 5.0, "one slice off; the missed one has no distance"
    assert near.aggregate().item() == 0.0 and far.aggregate().item() == 0.5, (
        "the missed one agrees nowhere"
    )


def test_any_class_is_all_but_the_background() -> None:
    one_hot = torch.eye(3)[:, torch.tensor([0, 1, 2, 0])]  # of voxels with class 0, 1, 2, 0
    other = torch.eye(3)[:, torch.tensor([0, 2, 1, 1])]
    preds, labels = any_class()([{"pred": one_hot, "label": other}])
    assert preds[0].tolist() == [[0, 1, 1, 0]] and labels[0].tolist() == [[0, 1, 1, 1]]
