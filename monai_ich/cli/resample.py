"""The command ``monai-ich resample``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import (
    add_command,
    add_labels_are,
    add_reading,
    meaning_of,
    read_scan,
    require_nifti_name,
)


def add_resample(commands: Any) -> None:
    """Add ``resample`` to the command line."""
    sub = add_command(
        commands,
        "resample",
        _resample,
        "bring a mask to the grid of a CT, for example back to the original slices",
    )
    sub.add_argument("mask", type=Path, help="labels, .nii, .nii.gz, .seg.nrrd or DICOM SEG")
    sub.add_argument(
        "--like", type=Path, required=True, help="whose grid: .nii, .nii.gz or a DICOM study"
    )
    sub.add_argument("-o", "--output", type=Path, required=True, help="NIfTI file to write")
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    add_labels_are(sub)
    add_reading(sub)


def _resample(args: argparse.Namespace) -> int:
    from monai_ich.core.label_meaning import require_subtypes
    from monai_ich.core.labels import AnyLabel, Subtype
    from monai_ich.core.relabel import require_kept, resample_labels
    from monai_ich.io.nifti import read_nifti_grid, write_nifti
    from monai_ich.io.output import output_file
    from monai_ich.io.read import interpolation_warnings, is_nifti, read_labels

    require_nifti_name(args)
    scan = None if is_nifti(args.like) else read_scan(args, args.like)
    grid, source = (
        (read_nifti_grid(args.like), None) if scan is None else (scan.volume.geometry, scan.source)
    )
    meaning = meaning_of(args)
    require_subtypes(meaning)
    numbers = AnyLabel if is_nifti(args.mask) and meaning is None else Subtype
    labels = read_labels(args.mask, numbers, grid=grid, source=source, meaning=meaning)
    there = resample_labels(labels, grid)
    require_kept(labels, there)
    with output_file(args.output):
        write_nifti(args.output, there)
    for warning in interpolation_warnings(scan, args.mask):
        print(f"{warning.code}: {warning.message}")
    for value in sorted(v for v in AnyLabel if labels.volume_ml(v)):
        print(
            f"label {value:d}: {labels.volume_ml(value):.3f} mL, now "
            f"{there.volume_ml(value):.3f} mL"
        )
    print(f"wrote {' x '.join(map(str, grid.shape))} voxels")
    return 0
