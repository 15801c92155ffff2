"""The command line: thin, with heavy imports inside the commands so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from monai_ich import __version__
from monai_ich.core.errors import IchError, InputError, OutputError

_SUBTYPES = ("EDH", "IPH", "IVH", "SAH", "SDH")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 wrong usage, 3 input refused, 1 a fault of ours."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except IchError as error:
        if args.json_errors:
            print(json.dumps({"code": error.code, "message": error.message}), file=sys.stderr)
        else:
            print(f"monai-ich: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("monai-ich: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="monai-ich", description="Segment and measure intracranial hemorrhage on head CT. For research use."
    )
    parser.add_argument("--version", action="version", version=__version__)
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
    sub.add_argument("--case-id", help="name in the tables (default: name of the output folder)")
    sub.add_argument("--device", help="cpu, cuda, cuda:1 (default: cuda where there is one)")
    sub.add_argument("--flips", action="store_true", help="average with the mirrored head: twice the time")
    sub.add_argument("--mlflow", metavar="URI", help="log the analysis to this MLflow store")
    _reading(sub)

    sub = command("import", _import, "DICOM to NIfTI in Hounsfield units")
    sub.add_argument("input", type=Path, help="DICOM folder, .zip, DICOMDIR")
    sub.add_argument("-o", "--output", type=Path, help="NIfTI file to write (ct.nii.gz)")
    sub.add_argument("--report", type=Path, help="JSON: every series seen, what was decided and why")
    sub.add_argument("--list", action="store_true", help="only rank the series, with reasons")
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    _reading(sub)

    sub = command("measure", _measure, "numbers from an existing mask, no network")
    sub.add_argument("labels", type=Path, help="hemorrhage labels, .nii(.gz) or .seg.nrrd")
    sub.add_argument("--ct", type=Path, help="the CT, for densities")
    sub.add_argument("--anatomy", type=Path, help="anatomy labels, for sides and midline shift")
    output(sub, "folder for the tables")
    sub.add_argument("--overwrite", action="store_true", help="replace earlier results")
    sub.add_argument("--case-id", help="name in the tables (default: name of the output folder)")

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
    sub.add_argument("--pixels", type=int, help="rows and columns (default 160)")
    sub.add_argument("--device", default="cpu", help="where heads are made: cpu or cuda")
    sub.add_argument("--workers", type=int, help="heads made side by side (default: one a core)")
    return parser


def _reading(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--series", metavar="UID", help="SeriesInstanceUID to take, whatever its rank")
    sub.add_argument("--lenient", action="store_true", help="fill one missing slice of at most 6 mm, with a warning")
    sub.add_argument("--assume-hu", action="store_true", help="take values without a rescale as Hounsfield units")


def _usage(message: str) -> InputError:
    return InputError("USAGE", message, exit_code=2)


def _analyze(args: argparse.Namespace) -> int:
    from monai_ich.analysis import analyze
    from monai_ich.io.output import refuse_earlier
    from monai_ich.report.wording import summary_lines
    from monai_ich.results import RESULTS

    refuse_earlier(args.output, RESULTS, overwrite=args.overwrite)
    overrides = {
        "device": args.device,
        "tracking_uri": args.mlflow,
        "segment_ich#flips": args.flips,
        "read#series_uid": args.series,
        "read#mode": "lenient" if args.lenient else "strict",
        "read#assume_hu": args.assume_hu,
    }
    done = analyze(args.input, args.output, case_id=args.case_id, overwrite=args.overwrite, **overrides)
    for line in summary_lines(done.exam, done.warnings, done.provenance):
        print(line)
    print(f"wrote {args.output}/report.html, measurements.json, ich.seg.nrrd and {len(RESULTS) - 3} more")
    return 0


def _import(args: argparse.Namespace) -> int:
    from monai_ich.io.nifti import write_nifti
    from monai_ich.io.read import list_series, read_ct

    if args.list:
        for row in list_series(args.input):
            print(row)
        return 0
    if args.output is None or not args.output.name.endswith((".nii", ".nii.gz")):
        raise _usage("import needs -o with a name that ends in .nii or .nii.gz.")
    if args.output.exists() and not args.overwrite:
        raise OutputError("OUTPUT_EXISTS", f"{args.output} exists: choose another name, or pass --overwrite.")
    mode = "lenient" if args.lenient else "strict"
    scan = read_ct(args.input, series_uid=args.series, mode=mode, assume_hu=args.assume_hu)
    write_nifti(args.output, scan.volume)
    for warning in scan.warnings:
        print(f"{warning.code}: {warning.message}")
    if args.report:
        args.report.write_text(json.dumps(scan.report(), indent=2) + "\n")
    print(f"wrote {args.output}: {' x '.join(map(str, scan.volume.geometry.shape))} voxels")
    return 0


def _measure(args: argparse.Namespace) -> int:
    from monai_ich.anatomy.midline import fit_midline
    from monai_ich.core.labels import Anatomy, Subtype
    from monai_ich.core.provenance import Provenance, installed_versions
    from monai_ich.io.nifti import read_nifti_ct
    from monai_ich.io.output import output_folder
    from monai_ich.io.read import read_labels
    from monai_ich.measure.summary import measure_exam
    from monai_ich.report.wording import summary_lines
    from monai_ich.results import TABLES, write_tables

    with output_folder(args.output, results=TABLES, overwrite=args.overwrite) as scratch:
        labels = read_labels(args.labels, Subtype)
        ct = read_nifti_ct(args.ct) if args.ct else None
        anatomy = read_labels(args.anatomy, Anatomy) if args.anatomy else None
        midline = fit_midline(anatomy) if anatomy else None
        exam = measure_exam(labels, ct=ct, anatomy=anatomy, midline=midline)
        provenance = Provenance(versions=installed_versions(), status="Measured from a given mask, no network was run.")
        case_id = args.case_id or args.output.resolve().name
        write_tables(exam, scratch, case_id=case_id, warnings=exam.warnings, provenance=provenance)
    for line in summary_lines(exam, exam.warnings, provenance):
        print(line)
    return 0


def _synth(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from monai_ich.core.labels import Subtype
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.synth.dataset import design_case, write_dataset

    if len(args.subtype) != len(args.volume_ml):
        raise _usage("synth needs one --volume-ml for each --subtype.")
    if args.n < 1:
        raise _usage("synth needs -n of at least 1.")
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
    made = write_dataset(cases, args.output, dicom=args.format == "dicom", workers=args.workers, device=args.device)
    for _ in tqdm(made, total=len(cases), unit="head", disable=not sys.stderr.isatty()):
        pass
    print(f"wrote {len(cases)} synthetic head{'s' if len(cases) > 1 else ''} into {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
