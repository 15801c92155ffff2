"""The command ``monai-ich import``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ich.cli.options import (
    add_command,
    add_keep_ids,
    add_reading,
    read_scan,
    require_nifti_name,
    usage_error,
)
from monai_ich.core.errors import IchError

if TYPE_CHECKING:
    from monai_ich.core.geometry import Geometry
    from monai_ich.core.volume import CTVolume


def add_import(commands: Any) -> None:
    """Add ``import`` to the command line."""
    sub = add_command(commands, "import", _import, "DICOM to NIfTI in Hounsfield units")
    sub.add_argument("input", type=Path, help="DICOM folder, .zip, DICOMDIR")
    sub.add_argument("-o", "--output", type=Path, help="NIfTI file to write (ct.nii.gz)")
    sub.add_argument(
        "--report", type=Path, help="JSON: every series seen, what was decided and why"
    )
    sub.add_argument("--list", action="store_true", help="only rank the series, with reasons")
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    sub.add_argument(
        "--spacing",
        nargs=3,
        metavar="MM",
        help="resample to an orthogonal grid with these distances along right, front, top; native "
        "keeps the scan's own "
        "(1 1 1, or 1 1 native)",
    )
    add_keep_ids(sub, "patient ID and UIDs in --list and --report")
    add_reading(sub)


def _import(args: argparse.Namespace) -> int:
    from monai_ich.dicom.import_report import import_report, list_lines
    from monai_ich.dicom.survey import survey

    told = {"series": args.series, "keep_ids": args.keep_ids}
    if args.list:
        print("\n".join(list_lines(survey(args.input), **told)))
        return 0
    require_nifti_name(args)
    spacing_mm = _spacing(args.spacing) if args.spacing else None
    try:
        scan = read_scan(args, args.input)
        grid = _orthogonal(scan.volume, spacing_mm) if spacing_mm else None
    except IchError as error:
        if args.report:
            _write_json(args.report, import_report(args.input, error, **told))
        raise
    report = import_report(args.input, scan, written=grid, **told) if args.report else None
    written = _write_ct(args, scan.volume, grid, report)
    for warning in scan.warnings:
        print(f"{warning.code}: {warning.message}")
    steps = " x ".join(f"{s:.4g}" for s in written.spacing_mm)
    print(f"wrote {' x '.join(map(str, written.shape))} voxels of {steps} mm")
    return 0


def _orthogonal(
    ct: CTVolume, spacing_mm: tuple[float | None, float | None, float | None]
) -> Geometry:
    from monai_ich.core.resample import orthogonal_grid

    return orthogonal_grid(ct.geometry, spacing_mm)


def _write_ct(
    args: argparse.Namespace, ct: CTVolume, grid: Geometry | None, report: dict[str, Any] | None
) -> Geometry:
    """Whole HU, as scanners store, and the report with it or neither; returns the grid that was
    written.
    """
    from contextlib import ExitStack

    import numpy as np

    from monai_ich.io.nifti import write_nifti
    from monai_ich.io.output import output_file, renamed_together

    if grid is not None:
        from monai_ich.core.resample import resample_ct

        ct = resample_ct(ct, grid)
        np.rint(ct.hu, out=ct.hu)
    paths = [args.output] if report is None else [args.output, args.report]
    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(output_file(path))
        asides = stack.enter_context(renamed_together(*paths))
        write_nifti(asides[0], ct)
        if report is not None:
            asides[1].write_text(_as_json(report))
    return ct.geometry


def _as_json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, allow_nan=False) + "\n"


def _write_json(path: Path, record: dict[str, Any]) -> None:
    from monai_ich.io.output import output_file, write_whole

    with output_file(path):
        write_whole(path, _as_json(record))


def _spacing(words: Sequence[str]) -> tuple[float | None, float | None, float | None]:
    """Three distances in mm; None for native."""
    try:
        found = [None if word == "native" else float(word) for word in words]
    except ValueError:
        found = [-1.0]
    if len(found) != 3 or not all(step is None or 0.1 <= step <= 50 for step in found):
        raise usage_error(
            f"--spacing needs three distances of 0.1 to 50 mm, or native, found {' '.join(words)}."
        )
    return found[0], found[1], found[2]
