"""The command line: thin, with heavy imports inside the commands so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ich import __version__
from monai_ich.cli_bundle import add_bundle
from monai_ich.cli_calibrate import add_calibrate
from monai_ich.cli_evaluate import add_evaluate
from monai_ich.cli_export import add_export
from monai_ich.cli_manifest import add_manifest
from monai_ich.cli_parts import (
    Stopped,
    add_labels_are,
    add_reading,
    meaning_of,
    read_mask,
    read_measured_scan,
    read_scan,
    require_nifti_name,
    stopped_cleanly,
    usage_error,
)
from monai_ich.cli_register import add_register
from monai_ich.cli_send import add_send
from monai_ich.cli_study import add_study
from monai_ich.core.errors import IchError, fault_of_ours, is_failure

if TYPE_CHECKING:
    from monai_ich.core.geometry import Geometry
    from monai_ich.core.volume import CTVolume
    from monai_ich.io.identity import Identity
    from monai_ich.io.read import Scan

_SUBTYPES = ("EDH", "IPH", "IVH", "SAH", "SDH")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 wrong usage, 3 input refused,
    4 done for some cases, 1 a fault of ours."""
    _print_anything()
    parser = _parser()
    args = parser.parse_args(argv)
    if "" in (sys.argv[1:] if argv is None else argv):
        return _refuse(usage_error("An argument is empty, an unset variable perhaps: name a file or folder."), args)
    try:
        with stopped_cleanly():
            code = int(args.run(args))
            sys.stdout.flush()
            return code
    except IchError as error:
        return _refuse(error, args)
    except Stopped as stop:
        print("monai-ich: stopped", file=sys.stderr)
        return 128 + stop.signal
    except BrokenPipeError:  # whoever reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:  # the last net: a traceback may show what stands in a header
        if args.traceback or not is_failure(error):
            raise
        return _refuse(fault_of_ours(error), args)


def _print_anything() -> None:
    """A console in ASCII or cp1252 shows a question mark for what it lacks; it ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _refuse(error: IchError, args: argparse.Namespace) -> int:
    if args.json_errors:
        print(json.dumps({"code": error.code, "message": error.message}), file=sys.stderr)
    else:
        print(f"monai-ich: {error}", file=sys.stderr)
    return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="monai-ich", description="Segment and measure intracranial hemorrhage on head CT. For research use."
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--traceback", action="store_true", help="show a fault of ours whole; it may show headers")
    parser.add_argument("--json-errors", action="store_true", help="refusals as JSON on stderr")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    def output(sub: argparse.ArgumentParser, what: str) -> None:
        sub.add_argument("-o", "--output", type=Path, required=True, help=what)

    sub = command("analyze", _analyze, "one scan in; masks, numbers, report out")
    sub.add_argument("input", type=Path, help="DICOM folder, .zip, DICOMDIR, .nii or .nii.gz")
    output(sub, "folder for the results")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")
    sub.add_argument(
        "--case-id", help="name in the tables (default: the output folder's, unless it may be a record number)"
    )
    sub.add_argument("--device", help="cpu, cuda, cuda:1 (default: cuda where there is one)")
    sub.add_argument("--flips", action="store_true", help="average with the mirrored head: twice the time")
    sub.add_argument("--scene", action="store_true", help="write scene.mrb for 3D Slicer too (holds the CT once more)")
    sub.add_argument("--heatmap", action="store_true", help="show what speaks for each subtype: 4 CPU seconds each")
    sub.add_argument("--mlflow", metavar="URI", help="log the analysis to this MLflow store")
    sub.add_argument("--dicom", action="store_true", help="also SEG, SR and picture for a PACS; they carry the patient")
    _identity(sub, "patient ID and UIDs in the tables of a DICOM study")
    add_reading(sub)

    sub = command("import", _import, "DICOM to NIfTI in Hounsfield units")
    sub.add_argument("input", type=Path, help="DICOM folder, .zip, DICOMDIR")
    sub.add_argument("-o", "--output", type=Path, help="NIfTI file to write (ct.nii.gz)")
    sub.add_argument("--report", type=Path, help="JSON: every series seen, what was decided and why")
    sub.add_argument("--list", action="store_true", help="only rank the series, with reasons")
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    sub.add_argument(
        "--spacing",
        nargs=3,
        metavar="MM",
        help="resample to an orthogonal grid with these distances along right, front, top; native keeps the scan's own "
        "(1 1 1, or 1 1 native)",
    )
    _identity(sub, "patient ID and UIDs in --list and --report")
    add_reading(sub)

    sub = command("resample", _resample, "bring a mask to the grid of a CT, for example back to the original slices")
    sub.add_argument("mask", type=Path, help="labels, .nii, .nii.gz, .seg.nrrd or DICOM SEG")
    sub.add_argument("--like", type=Path, required=True, help="whose grid: .nii, .nii.gz or a DICOM study")
    sub.add_argument("-o", "--output", type=Path, required=True, help="NIfTI file to write")
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    add_labels_are(sub)
    add_reading(sub)

    sub = command("measure", _measure, "numbers from an existing mask, no network")
    sub.add_argument("labels", type=Path, help="hemorrhage labels, .nii(.gz), .seg.nrrd or DICOM SEG")
    sub.add_argument(
        "--ct",
        type=Path,
        help="the CT, for densities: NIfTI or DICOM, on the mask's grid; a DICOM SEG needs it on uneven slices",
    )
    sub.add_argument("--anatomy", type=Path, help="anatomy labels, for sides and midline shift")
    add_labels_are(sub)
    output(sub, "folder for the tables")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")
    sub.add_argument(
        "--case-id", help="name in the tables (default: the output folder's, unless it may be a record number)"
    )
    _identity(sub, "patient ID and UIDs in the tables, where --ct is DICOM")

    sub = command("followup", _followup, "what changed between two analyzed scans of one patient")
    sub.add_argument("baseline", type=Path, help="output folder of the earlier scan")
    sub.add_argument("followup", type=Path, help="output folder of the later scan")
    output(sub, "folder for followup.json and followup.png")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")

    sub = command("synth", _synth, "synthetic head CT with exact truth")
    output(sub, "folder for the cases")
    sub.add_argument("-n", type=int, default=1, help="how many heads")
    sub.add_argument("--seed", type=int, default=0, help="seed of the first head")
    sub.add_argument("--format", choices=("nifti", "dicom"), default="nifti")
    sub.add_argument("--subtype", choices=_SUBTYPES, action="append", default=[], help="may be repeated")
    sub.add_argument("--volume-ml", type=float, action="append", default=[], help="one for each --subtype")
    sub.add_argument("--shift-mm", type=float, help="midline shift, positive to the patient's right")
    sub.add_argument("--tilt-deg", type=float, help="gantry tilt")
    sub.add_argument("--thickness-mm", type=float, help="slice thickness and spacing")
    sub.add_argument("--noise-hu", type=float, help="noise, standard deviation")
    sub.add_argument("--pixels", type=int, help="rows and columns (default: drawn, 160 to 256)")
    sub.add_argument("--device", default="cpu", help="where heads are made: cpu or cuda")
    sub.add_argument("--workers", type=int, help="heads made side by side (default: one a core)")
    sub.add_argument("--no-thickness", action="store_true", help="truth without clots' thickness, a fifth faster")

    add_evaluate(commands)
    add_export(commands)
    add_send(commands)
    add_manifest(commands)
    add_register(commands)
    add_study(commands)
    add_calibrate(commands)
    add_bundle(commands)
    return parser


def _identity(sub: argparse.ArgumentParser, what: str) -> None:
    sub.add_argument("--keep-ids", action="store_true", help=f"write {what} (left out by default)")


def _analyze(args: argparse.Namespace) -> int:
    from monai_ich.startup import import_monai_alone

    import_monai_alone()
    from monai_ich.analysis import analyze
    from monai_ich.dicom_results import DICOM_RESULTS
    from monai_ich.io.output import refuse_earlier
    from monai_ich.report.wording import summary_lines
    from monai_ich.results import ON_REQUEST, RESULTS

    refuse_earlier(args.output, (*RESULTS, *ON_REQUEST), overwrite=args.overwrite)
    overrides = {
        "device": args.device,
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
    done = analyze(args.input, args.output, case_id=args.case_id, overwrite=args.overwrite, **overrides)
    for line in summary_lines(done.exam, done.warnings, done.provenance):
        print(line)
    more = len(RESULTS) - 3 + len(done.heat_maps) + (len(DICOM_RESULTS) if args.dicom else 0)
    print(f"wrote report.html, measurements.json, ich.seg.nrrd and {more} more")
    return 0


def _import(args: argparse.Namespace) -> int:
    from monai_ich.io.import_report import import_report, list_lines
    from monai_ich.io.survey import survey

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


def _orthogonal(ct: CTVolume, spacing_mm: tuple[float | None, float | None, float | None]) -> Geometry:
    from monai_ich.core.resample import orthogonal_grid

    return orthogonal_grid(ct.geometry, spacing_mm)


def _write_ct(args: argparse.Namespace, ct: CTVolume, grid: Geometry | None, report: dict[str, Any] | None) -> Geometry:
    """Whole HU, as scanners store, and the report with it or neither; returns the grid that was written."""
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
        raise usage_error(f"--spacing needs three distances of 0.1 to 50 mm, or native, found {' '.join(words)}.")
    return found[0], found[1], found[2]


def _resample(args: argparse.Namespace) -> int:
    from monai_ich.core.labels import AnyLabel, Subtype
    from monai_ich.core.relabel import require_kept, resample_labels
    from monai_ich.io.nifti import read_nifti_grid, write_nifti
    from monai_ich.io.output import output_file
    from monai_ich.io.read import interpolation_warnings, is_nifti, read_labels

    require_nifti_name(args)
    scan = None if is_nifti(args.like) else read_scan(args, args.like)
    grid, source = (read_nifti_grid(args.like), None) if scan is None else (scan.volume.geometry, scan.source)
    meaning = meaning_of(args)
    numbers = AnyLabel if is_nifti(args.mask) and meaning is None else Subtype
    labels = read_labels(args.mask, numbers, grid=grid, source=source, meaning=meaning)
    there = resample_labels(labels, grid)
    require_kept(labels, there)
    with output_file(args.output):
        write_nifti(args.output, there)
    for warning in interpolation_warnings(scan, args.mask):
        print(f"{warning.code}: {warning.message}")
    for value in sorted(v for v in AnyLabel if labels.volume_ml(v)):
        print(f"label {value:d}: {labels.volume_ml(value):.3f} mL, now {there.volume_ml(value):.3f} mL")
    print(f"wrote {' x '.join(map(str, grid.shape))} voxels")
    return 0


def _measure(args: argparse.Namespace) -> int:
    from monai_ich.anatomy.midline import fit_midline
    from monai_ich.core.case_names import case_name
    from monai_ich.core.labels import Anatomy, Subtype
    from monai_ich.core.provenance import Provenance, installed_versions
    from monai_ich.io.output import output_folder, refuse_strangers
    from monai_ich.io.read import interpolation_warnings
    from monai_ich.measure.summary import measure_exam
    from monai_ich.report.wording import summary_lines
    from monai_ich.results import OF_THE_NUMBERS, TABLES, write_tables

    meaning = meaning_of(args)
    refuse_strangers(args.output, OF_THE_NUMBERS)
    with output_folder(args.output, results=TABLES, overwrite=args.overwrite) as scratch:
        scan = read_measured_scan(args.ct)
        labels = read_mask(args.labels, Subtype, scan, meaning=meaning)
        anatomy = read_mask(args.anatomy, Anatomy, scan, like=labels) if args.anatomy else None
        midline = fit_midline(anatomy) if anatomy else None
        exam = measure_exam(labels, ct=scan.volume if scan else None, anatomy=anatomy, midline=midline)
        lost = interpolation_warnings(scan, args.labels, args.anatomy)
        warnings = (*(scan.warnings if scan else ()), *lost, *exam.warnings)
        provenance = Provenance(versions=installed_versions(), status="Measured from a given mask, no network was run.")
        own = args.output.resolve().name
        case_id = args.case_id or (own if args.keep_ids else case_name(own))
        identity = _identity_of(scan) if args.keep_ids else None
        write_tables(exam, scratch, case_id=case_id, warnings=warnings, provenance=provenance, identity=identity)
    for line in summary_lines(exam, warnings, provenance):
        print(line)
    return 0


def _identity_of(scan: Scan | None) -> Identity:
    from monai_ich.io.identity import Identity, identity_of

    return Identity() if scan is None else identity_of(scan)


def _followup(args: argparse.Namespace) -> int:
    from monai_ich.followup import follow_up
    from monai_ich.report.wording import followup_lines

    done = follow_up(args.baseline, args.followup, args.output, overwrite=args.overwrite)
    print("\n".join(followup_lines(done.volumes, done.shift, done.warnings)))
    return 0


def _synth(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from monai_ich.core.labels import Subtype
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.synth.dataset import design_case, write_dataset

    if len(args.subtype) != len(args.volume_ml):
        raise usage_error("synth needs one --volume-ml for each --subtype.")
    if args.n < 1:
        raise usage_error("synth needs -n of at least 1.")
    wanted = {Subtype[name]: ml for name, ml in zip(args.subtype, args.volume_ml, strict=True)}
    refuse_unwritable(args.output)
    cases = [
        design_case(
            args.seed + i,
            hemorrhages=wanted or None,
            shift_mm=args.shift_mm,
            pixels=args.pixels,
            tilt_deg=args.tilt_deg,
            thickness_mm=args.thickness_mm,
            noise_hu=args.noise_hu,
        )
        for i in range(args.n)
    ]
    made = write_dataset(
        cases,
        args.output,
        dicom=args.format == "dicom",
        workers=args.workers,
        device=args.device,
        thickness=not args.no_thickness,
    )
    for _ in tqdm(made, total=len(cases), unit="head", disable=not sys.stderr.isatty()):
        pass
    print(f"wrote {len(cases)} synthetic head{'s' if len(cases) > 1 else ''} into {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
