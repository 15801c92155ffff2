"""The command ``monai-ich analyze``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import (
    add_command,
    add_device,
    add_keep_ids,
    add_output,
    add_reading,
    device_of,
)


def add_analyze(commands: Any) -> None:
    """Add ``analyze`` to the command line."""
    sub = add_command(commands, "analyze", _analyze, "one scan in; masks, numbers, report out")
    sub.add_argument("input", type=Path, help="DICOM folder, .zip, DICOMDIR, .nii or .nii.gz")
    add_output(sub, "folder for the results")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")
    sub.add_argument(
        "--case-id",
        help="name in the tables (default: the output folder's, unless it may be a record number)",
    )
    add_device(sub)
    sub.add_argument(
        "--flips", action="store_true", help="average with the mirrored head: twice the time"
    )
    sub.add_argument(
        "--scene",
        action="store_true",
        help="write scene.mrb for 3D Slicer too (holds the CT once more)",
    )
    sub.add_argument(
        "--heatmap",
        action="store_true",
        help="show what speaks for each subtype: 4 CPU seconds each",
    )
    sub.add_argument("--mlflow", metavar="URI", help="log the analysis to this MLflow store")
    sub.add_argument(
        "--dicom",
        action="store_true",
        help="also SEG, SR and picture for a PACS; they carry the patient",
    )
    add_keep_ids(sub, "patient ID and UIDs in the tables of a DICOM study")
    add_reading(sub)


def _analyze(args: argparse.Namespace) -> int:
    from monai_ich.startup import import_monai_alone

    import_monai_alone()
    from monai_ich.analysis import analyze
    from monai_ich.io.output import refuse_earlier
    from monai_ich.report.wording import summary_lines
    from monai_ich.results.files import ON_REQUEST, RESULTS

    refuse_earlier(args.output, (*RESULTS, *ON_REQUEST), overwrite=args.overwrite)
    overrides = {
        **device_of(args),
        "tracking_uri": args.mlflow,
        "segment_ich#flips": args.flips,
        "read#series_uid": args.series,
        "read#mode": "lenient" if args.lenient else "strict",
        "read#assume_hu": args.assume_hu,
        "write#scene": args.scene,
        "heatmap": args.heatmap,
        "pipeline#keep_ids": args.keep_ids,
        "pipeline#dicom": args.dicom,
    }
    done = analyze(
        args.input, args.output, case_id=args.case_id, overwrite=args.overwrite, **overrides
    )
    for line in summary_lines(done.exam, done.warnings, done.provenance):
        print(line)
    written = sum((args.output / name).is_file() for name in (*RESULTS, *ON_REQUEST))
    print(f"wrote report.html, measurements.json, ich.seg.nrrd and {written - 3} more")
    return 0
