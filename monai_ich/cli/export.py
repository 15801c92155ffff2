"""The command ``monai-ich export``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import add_labels_are, add_reading, meaning_of, reading_of, usage_error

_TO = ("seg.nrrd", "mrb", "dicom-seg", "dicom-sr", "dicom-sc")


def add_export(commands: Any) -> None:
    """Add ``export`` to the command line."""
    text = "a mask as .seg.nrrd or scene for 3D Slicer, or as DICOM SEG, SR and picture for a PACS"
    sub = commands.add_parser("export", help=text, description=text)
    sub.add_argument(
        "labels", type=Path, help="hemorrhage labels, .nii(.gz), .seg.nrrd or DICOM SEG"
    )
    sub.add_argument(
        "--ct", type=Path, required=True, help="the CT; DICOM where DICOM is to be written"
    )
    sub.add_argument("--anatomy", type=Path, help="anatomy labels, for sides and midline shift")
    sub.add_argument("-o", "--output", type=Path, required=True, help="folder for the files")
    sub.add_argument(
        "--to",
        metavar="FORMATS",
        help=f"of {','.join(_TO)} (default: all but mrb for a DICOM CT, seg.nrrd for NIfTI); "
        "mrb holds the CT too; DICOM files carry the patient",
    )
    sub.add_argument(
        "--labelmap", action="store_true", help="SEG as LABELMAP: smaller, few archives know it"
    )
    sub.add_argument("--overwrite", action="store_true", help="replace earlier files")
    add_labels_are(sub)
    add_reading(sub)
    sub.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> int:
    from monai_ich.given import export_masks

    done = export_masks(
        args.labels,
        args.ct,
        args.output,
        anatomy=args.anatomy,
        meaning=meaning_of(args),
        formats=_formats(args.to),
        labelmap=args.labelmap,
        overwrite=args.overwrite,
        **reading_of(args),
    )
    for warning in done.warnings:
        print(f"{warning.code}: {warning.message}")
    print(f"wrote {', '.join(done.files)}")
    return 0


def _formats(words: str | None) -> tuple[str, ...]:
    found = tuple(word.strip() for word in words.split(",")) if words else ()
    unknown = [word for word in found if word not in _TO]
    if unknown:
        raise usage_error(f"--to knows {', '.join(_TO)}, found {unknown[0]!r}.")
    return found
