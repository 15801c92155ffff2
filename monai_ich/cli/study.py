"""The command ``monai-ich study``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ich.cli.options import (
    add_device,
    add_labels_are,
    add_operating_point,
    device_of,
    meaning_of,
    usage_error,
)

if TYPE_CHECKING:
    from monai_ich.study.worker import Outcome


def add_study(commands: Any) -> None:
    """Add ``study`` to the command line."""
    text = "many scans: one tidy row a scan; goes on where it stopped"
    sub = commands.add_parser("study", help=text, description=text)
    sub.add_argument(
        "input",
        type=Path,
        help="a manifest, a folder of DICOM folders, .zip and NIfTI files, or BIDS",
    )
    sub.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="folder for the tables and the cases' results",
    )
    sub.add_argument(
        "--workers",
        type=int,
        help="processes (default: one for each core with 4 GB of memory, or one for each GPU)",
    )
    sub.add_argument(
        "--address",
        metavar="RAY",
        help="of a Ray cluster (default: this machine, nothing to set up)",
    )
    add_device(sub)
    sub.add_argument(
        "--lenient",
        action="store_true",
        help="fill one missing slice of at most 6 mm, with a warning",
    )
    sub.add_argument(
        "--assume-hu", action="store_true", help="take values without a rescale, or a window, as HU"
    )
    sub.add_argument(
        "--keep-ids",
        action="store_true",
        help="name cases by file, patient ID and UIDs in the tables (left out by default)",
    )
    sub.add_argument(
        "--masks",
        nargs="?",
        type=Path,
        const=True,
        metavar="DIR",
        help="measure masks that are there, no network: ID.nii.gz, ID.seg.nrrd or ID.dcm in "
        "DIR, or those of the manifest",
    )
    sub.add_argument(
        "--anatomy",
        type=Path,
        metavar="DIR",
        help="with --masks: a study, or ID.nii.gz, for sides and midline shift",
    )
    add_labels_are(sub)
    add_operating_point(sub)
    sub.add_argument(
        "--bids",
        type=Path,
        metavar="DIR",
        help="write masks and measurements as a BIDS derivative too",
    )
    sub.set_defaults(run=_study)


def _of_masks(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `run_study` where masks are measured."""
    from functools import partial

    from monai_ich.io.read import read_ct
    from monai_ich.study.masks import MeasureMasks
    from monai_ich.study.results import digest_code

    if args.masks is True and args.input.suffix != ".json":
        raise usage_error("--masks without a folder needs a manifest as input.")
    reading = {"mode": "lenient" if args.lenient else "strict", "assume_hu": args.assume_hu}
    build = partial(
        MeasureMasks,
        partial(read_ct, **reading),
        meaning=meaning_of(args),
        operating_point_ml=args.operating_point_ml,
        keep_ids=args.keep_ids,
        notes=dict(reading),
    )
    said = [args.labels_are, args.operating_point_ml, args.keep_ids]
    return {"build": build, "settings": digest_code(reading | {"masks": said})}


def _of_scans(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `run_study` where scans are analyzed."""
    from functools import partial

    from monai_ich.analysis import load_pipeline
    from monai_ich.study.results import digest_settings

    if args.labels_are or args.operating_point_ml or args.anatomy:
        raise usage_error("--labels-are, --operating-point-ml and --anatomy need --masks.")
    networks = device_of(args)
    device = networks.pop("device")
    overrides = {
        **networks,
        "read#mode": "lenient" if args.lenient else "strict",
        "read#assume_hu": args.assume_hu,
        "pipeline#keep_ids": args.keep_ids,
    }
    build = partial(load_pipeline, device=device, **overrides)
    return {"build": build, "settings": digest_settings(overrides)}


def _study(args: argparse.Namespace) -> int:
    from monai_ich.study.bids import require_bids, write_bids
    from monai_ich.study.inputs import study_input
    from monai_ich.study.masks import with_masks
    from monai_ich.study.run import run_study

    if args.workers is not None and args.workers < 1:
        raise usage_error("study needs --workers of at least 1.")
    how = _of_scans(args) if args.masks is None else _of_masks(args)
    found = study_input(args.input, keep_names=args.keep_ids)
    cases = found.cases
    if args.masks is not None:
        cases = with_masks(cases, args.input if args.masks is True else args.masks, args.anatomy)
    if args.bids is not None:
        require_bids(args.bids, cases)
    note = found.passed_over_words()
    if note:
        print(note, file=sys.stderr)
    done = run_study(
        cases,
        args.output,
        workers=args.workers,
        address=args.address,
        progress=show_progress,
        note=note,
        **how,
    )
    if args.bids is not None:
        write_bids(args.bids, args.output, cases, done.rows)
    for case_id in done.damaged:
        print(
            f"{case_id}: its earlier results could not be read, it was analyzed again",
            file=sys.stderr,
        )
    for failure in done.failures:
        print(f"{failure.case_id}: {failure.code}: {failure.message}", file=sys.stderr)
    before = f" ({done.skipped} before)" if done.skipped else ""
    print(f"{len(done.rows)} scans done{before}, {len(done.failures)} failed")
    print("wrote summary.html, study.csv, study.parquet, failures.csv")
    if args.bids is not None:
        print(f"wrote the BIDS derivative {args.bids}")
    return 4 if done.failures else 0


def show_progress(outcomes: Iterable[Outcome], *, total: int) -> Iterator[Outcome]:
    """A bar with the time left on a terminal, a line a case elsewhere."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(outcomes, total=total, unit="scan")
        return
    start = time.monotonic()
    for number, outcome in enumerate(outcomes, start=1):
        left_min = (time.monotonic() - start) / number * (total - number) / 60.0
        what = outcome.code or "done"
        print(
            f"{number} of {total}: {outcome.case_id} {what}, {left_min:.1f} min left",
            file=sys.stderr,
            flush=True,
        )
        yield outcome
