"""The command ``monai-ich measure``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import (
    add_command,
    add_keep_ids,
    add_labels_are,
    add_operating_point,
    add_output,
    meaning_of,
    usage_error,
)


def add_measure(commands: Any) -> None:
    """Add ``measure`` to the command line."""
    sub = add_command(commands, "measure", _measure, "numbers from an existing mask, no network")
    sub.add_argument(
        "labels", type=Path, help="hemorrhage labels, .nii(.gz), .seg.nrrd or DICOM SEG"
    )
    sub.add_argument(
        "--ct",
        type=Path,
        help="the CT, for densities: NIfTI or DICOM, on the mask's grid; a DICOM SEG needs it on "
        "uneven slices",
    )
    sub.add_argument("--anatomy", type=Path, help="anatomy labels, for sides and midline shift")
    sub.add_argument(
        "--edema", type=Path, help="mask of edema around clots, never counted as blood"
    )
    add_labels_are(sub)
    add_operating_point(sub)
    add_output(sub, "folder for the tables")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")
    sub.add_argument(
        "--case-id",
        help="name in the tables (default: the output folder's, unless it may be a record number)",
    )
    add_keep_ids(sub, "patient ID and UIDs in the tables, where --ct is DICOM")


def _measure(args: argparse.Namespace) -> int:
    from monai_ich.given import measure_masks
    from monai_ich.report.wording import summary_lines

    meaning = meaning_of(args)
    if args.edema is not None and meaning is not None and meaning.edema:
        raise usage_error("Edema is given twice: by --edema, and by a value of --labels-are.")
    done = measure_masks(
        args.labels,
        args.output,
        ct=args.ct,
        anatomy=args.anatomy,
        edema=args.edema,
        meaning=meaning,
        operating_point_ml=args.operating_point_ml,
        case_id=args.case_id,
        keep_ids=args.keep_ids,
        overwrite=args.overwrite,
    )
    print("\n".join(summary_lines(done.exam, done.warnings, done.provenance)))
    return 0
