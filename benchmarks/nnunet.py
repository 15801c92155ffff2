"""nnU-Net v2's predictor on one NIfTI file, with a network of like size: run by a Python that has
nnunetv2.

    python benchmarks/nnunet.py CT.nii.gz [--device cpu] [--runs 3] [--mirroring]

Grid, window and classes are those of ``ich_segmentation``; weights are random, since speed does not
depend on them. All else is nnU-Net's default but mirroring, which would take eight times as long.
Prints a record as JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from timing import Cost, measured

LABELS = ("background", "EDH", "IPH", "IVH", "SAH", "SDH")
SPACING_MM, WINDOW = [3.0, 1.5, 1.5], [40, 112, 96]  # slices first
FEATURES = [16, 32, 64, 96, 96]  # about as many weights as ours
ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": len(FEATURES),
        "features_per_stage": FEATURES,
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * len(FEATURES),
        "strides": [[1, 1, 1], [1, 2, 2], *[[2, 2, 2]] * (len(FEATURES) - 2)],
        "n_conv_per_stage": [2] * len(FEATURES),
        "n_conv_per_stage_decoder": [2] * (len(FEATURES) - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "nonlin"],
}


def _resampling(order: int, *, is_seg: bool) -> dict[str, object]:
    return {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}


CONFIGURATION = {
    "data_identifier": "nnUNetPlans_3d_fullres",
    "preprocessor_name": "DefaultPreprocessor",
    "batch_size": 2,
    "patch_size": WINDOW,
    "median_image_size_in_voxels": WINDOW,
    "spacing": SPACING_MM,
    "normalization_schemes": ["CTNormalization"],
    "use_mask_for_norm": [False],
    "resampling_fn_data": "resample_data_or_seg_to_shape",
    "resampling_fn_data_kwargs": _resampling(3, is_seg=False),
    "resampling_fn_seg": "resample_data_or_seg_to_shape",
    "resampling_fn_seg_kwargs": _resampling(1, is_seg=True),
    "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
    "resampling_fn_probabilities_kwargs": _resampling(1, is_seg=False),
    "architecture": ARCHITECTURE,
    "batch_dice": False,
}
PLANS = {
    "dataset_name": "Dataset001_Speed",
    "plans_name": "nnUNetPlans",
    "image_reader_writer": "NibabelIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "configurations": {"3d_fullres": CONFIGURATION},
    "experiment_planner_used": "ExperimentPlanner",
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {
        "0": {"mean": 55.0, "std": 20.0, "percentile_00_5": 0.0, "percentile_99_5": 120.0}
    },
}
DATASET = {
    "channel_names": {"0": "CT"},
    "labels": {name: number for number, name in enumerate(LABELS)},
    "file_ending": ".nii.gz",
}


def predictor(device: str, mirroring: bool) -> nnUNetPredictor:
    """Ready to run, with random weights."""
    plans = PlansManager(PLANS)
    kwargs = ARCHITECTURE["arch_kwargs"], ARCHITECTURE["_kw_requires_import"]
    torch.manual_seed(0)
    network = get_network_from_plans(
        ARCHITECTURE["network_class_name"], *kwargs, 1, len(LABELS), deep_supervision=False
    )
    made = nnUNetPredictor(use_mirroring=mirroring, device=torch.device(device), allow_tqdm=False)
    made.manual_initialization(
        network.to(device).eval(),
        plans,
        plans.get_configuration("3d_fullres"),
        [network.state_dict()],
        DATASET,
        "nnUNetTrainer",
        (0, 1, 2),
    )
    return made


def predict(made: nnUNetPredictor, path: Path) -> None:
    """Read, predict, write; by nibabel, since SimpleITK, nnU-Net's own reader, refuses a tilted
    scan.
    """
    image = nib.load(path)
    voxels = np.asarray(image.dataobj, np.float32).T[None]
    spacing_mm = [float(step) for step in image.header.get_zooms()[::-1]]
    labels = made.predict_single_npy_array(voxels, {"spacing": spacing_mm})
    nib.save(
        nib.Nifti1Image(labels.T.astype(np.uint8), image.affine), path.with_name("nnunet.nii.gz")
    )


def main() -> None:
    """Print the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ct", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mirroring", action="store_true")
    args = parser.parse_args()
    made = predictor(args.device, args.mirroring)
    costs: list[Cost] = []
    for _ in range(args.runs + 1):
        with measured() as cost:
            predict(made, args.ct)
        costs.append(cost)
    counted = costs[1:] or costs
    wall_s, cpu_s = (
        statistics.median(getattr(c, name) for c in counted) for name in ("wall_s", "cpu_s")
    )
    record = {
        "cost": Cost(wall_s, cpu_s, counted[-1].peak_gb).rounded(),
        "version": version("nnunetv2"),
        "parameters": sum(p.numel() for p in made.network.parameters()),
        "mirroring": args.mirroring,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
