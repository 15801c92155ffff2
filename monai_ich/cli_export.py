"""The command ``monai-ich export``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ich.cli_parts import add_labels_are, add_reading, meaning_of, read_mask, read_scan, usage_error
from monai_ich.core.errors import GeometryError

if TYPE_CHECKING:
    from monai_ich.core.geometry import Geometry
    from monai_ich.core.volume import LabelMap

_TO = ("seg.nrrd", "mrb", "dicom-seg", "dicom-sr", "dicom-sc")


def add_export(commands: Any) -> None:
    """Add ``export`` to the command line."""
    text = "a mask as .seg.nrrd or scene for 3D Slicer, or as DICOM SEG, SR and picture for a PACS"
    sub = commands.add_parser("export", help=text, description=text)
    sub.add_argument("labels", type=Path, help="hemorrhage labels, .nii(.gz), .seg.nrrd or DICOM SEG")
    sub.add_argument("--ct", type=Path, required=True, help="the CT; DICOM where DICOM is to be written")
    sub.add_argument("--anatomy", type=Path, help="anatomy labels, for sides and midline shift")
    sub.add_argument("-o", "--output", type=Path, required=True, help="folder for the files")
    sub.add_argument(
        "--to",
        metavar="FORMATS",
        help=f"of {','.join(_TO)} (default: all but mrb for a DICOM CT, seg.nrrd for NIfTI); "
        "mrb holds the CT too; DICOM files carry the patient",
    )
    sub.add_argument("--labelmap", action="store_true", help="SEG as LABELMAP: smaller, few archives know it")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier files")
    add_labels_are(sub)
    add_reading(sub)
    sub.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> int:
    from monai_ich.anatomy.midline import fit_midline
    from monai_ich.core.labels import Anatomy, Subtype
    from monai_ich.core.provenance import Provenance, installed_versions
    from monai_ich.dicom_results import DICOM_RESULTS, FORMATS, require_source, write_dicom_results
    from monai_ich.io.output import output_folder
    from monai_ich.io.read import interpolation_warnings
    from monai_ich.io.seg_nrrd import write_seg_nrrd
    from monai_ich.measure.summary import measure_exam
    from monai_ich.report.montage import render_montage
    from monai_ich.results import SCENE, write_scan_scene

    wanted, meaning = _formats(args.to), meaning_of(args)
    with output_folder(args.output, results=("ich.seg.nrrd", SCENE, *DICOM_RESULTS), overwrite=args.overwrite) as out:
        scan = read_scan(args, args.ct)
        ct, wanted = scan.volume, wanted or ("seg.nrrd", *(FORMATS if scan.source is not None else ()))
        labels = _on_grid(read_mask(args.labels, Subtype, scan, meaning=meaning), ct.geometry)
        anatomy = _on_grid(read_mask(args.anatomy, Anatomy, scan), ct.geometry) if args.anatomy else None
        midline = fit_midline(anatomy) if anatomy else None
        exam = measure_exam(labels, ct=ct, anatomy=anatomy, midline=midline)
        lost = interpolation_warnings(scan, args.labels, args.anatomy)
        warnings = (*scan.warnings, *lost, *exam.warnings)
        if "seg.nrrd" in wanted:
            write_seg_nrrd(out / "ich.seg.nrrd", labels)
        if "mrb" in wanted:
            write_scan_scene(out, ct, labels, exam, anatomy=anatomy, midline=midline)
        if set(wanted) & set(FORMATS):
            source = require_source(scan.source)
            montage = out / "montage.png"
            render_montage(montage, ct, labels, anatomy=anatomy, midline=midline)
            write_dicom_results(
                out,
                source,
                labels,
                exam,
                provenance=Provenance(installed_versions(), status="A mask that was given, no network was run."),
                warnings=warnings,
                montage=montage,
                anatomy=anatomy,
                formats=wanted,
                encoding="LABELMAP" if args.labelmap else "BINARY",
            )
            montage.unlink()
        names = sorted(path.name for path in out.iterdir())
    for warning in warnings:
        print(f"{warning.code}: {warning.message}")
    print(f"wrote {', '.join(names)}")
    return 0


def _formats(words: str | None) -> tuple[str, ...]:
    found = tuple(word.strip() for word in words.split(",")) if words else ()
    unknown = [word for word in found if word not in _TO]
    if unknown:
        raise usage_error(f"--to knows {', '.join(_TO)}, found {unknown[0]!r}.")
    return found


def _on_grid(labels: LabelMap, grid: Geometry) -> LabelMap:
    """The labels on the CT's grid; refused where they lie outside of it."""
    from monai_ich.core.relabel import resample_labels

    there = resample_labels(labels, grid)
    if there.mask().volume_ml < 0.5 * labels.mask().volume_ml:
        raise GeometryError("GRID_MISMATCH", "The labels lie outside of the CT: are they of this scan?")
    return there
