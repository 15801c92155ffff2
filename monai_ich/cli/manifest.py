"""The commands of ``monai-ich manifest``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai_ich.cli.learning import add_learning
from monai_ich.cli.options import (
    add_output_file,
    print_faults,
    progress_of,
    refuse_existing,
    usage_error,
)
from monai_ich.core.errors import IchError

DATA_SETS = ("bhsd", "instance2022", "ctich", "cq500", "rsna2019")


def add_manifest(commands: Any) -> None:
    """Add the commands of ``manifest`` to the command line."""
    text = (
        "lists of scans: check, build, split, strip, negatives, transplants, bodies, reports, "
        "join, corrections, rank"
    )
    parts = commands.add_parser("manifest", help=text, description=text).add_subparsers(
        metavar="WHAT", required=True
    )

    text = (
        "every fault of a manifest and of the files it names; exit code 3 where there is one, "
        "unless -o leaves it out"
    )
    sub = parts.add_parser("check", help=text, description=text)
    sub.add_argument("manifest", type=Path)
    add_output_file(
        sub, required=False, what="manifest to write without the scans that have faults"
    )
    sub.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes, for lists of thousands of scans (default 1)",
    )
    sub.set_defaults(run=_check)

    text = "a manifest of a public data set, from the folder that its download gives"
    sub = parts.add_parser("build", help=text, description=text)
    sub.add_argument(
        "name", choices=DATA_SETS, help="which data set; its card is data_manifests/NAME.md"
    )
    sub.add_argument("folder", type=Path)
    add_output_file(sub)
    sub.add_argument(
        "--keep-ids",
        action="store_true",
        help="keep names with four digits in a row (else numbered)",
    )
    sub.set_defaults(run=_build)

    text = "folds for cross-validation: a patient's scans together, subtypes spread evenly"
    sub = parts.add_parser("split", help=text, description=text)
    sub.add_argument("manifest", type=Path)
    add_output_file(sub)
    sub.add_argument("--folds", type=int, default=5)
    sub.add_argument("--seed", type=int, default=0, help="the same seed gives the same folds")
    sub.add_argument(
        "--held-out",
        type=int,
        default=0,
        metavar="FOLD",
        help="the fold to validate on (default 0)",
    )
    sub.set_defaults(run=_split)

    text = (
        "find the cavity of scans that have none, to train on stripped heads; exit code 3 "
        "where one cannot be read"
    )
    sub = parts.add_parser("strip", help=text, description=text)
    sub.add_argument("manifest", type=Path)
    add_output_file(sub)
    sub.add_argument("--device", help="cpu, cuda, ... (default: CUDA where there is one)")
    sub.set_defaults(run=_strip)

    text = "single slices without blood (.png of 1 HU a gray level, .dcm) as stacks to train on"
    sub = parts.add_parser("negatives", help=text, description=text)
    sub.add_argument("folder", type=Path, help="with the slices, in subfolders too")
    add_output_file(sub)
    sub.add_argument(
        "--pixel-mm",
        type=float,
        default=0.45,
        help="of .png files, which do not say it (default 0.45)",
    )
    sub.set_defaults(run=_negatives)

    text = "clots of heads with masks and anatomy, put into stacks that `negatives` made"
    sub = parts.add_parser("transplants", help=text, description=text)
    sub.add_argument("stacks", type=Path, help="manifest that `negatives` wrote")
    sub.add_argument("heads", type=Path, help="manifest of heads with masks, anatomy, exam labels")
    add_output_file(sub)
    sub.add_argument("-n", "--count", type=int, default=240, help="heads to draw (default 240)")
    sub.add_argument("--seed", type=int, default=0, help="the same seed draws the same")
    sub.add_argument("--device", help="cpu, cuda, ... (default: CUDA where there is one)")
    sub.set_defaults(run=_transplants)

    text = "scans without a head, and heads on shoulders, for the anatomy network"
    sub = parts.add_parser("bodies", help=text, description=text)
    sub.add_argument("heads", type=Path, help="manifest of heads with anatomy")
    add_output_file(sub)
    sub.add_argument("-n", "--count", type=int, default=60, help="scans to write (default 60)")
    sub.add_argument("--seed", type=int, default=0, help="the same seed draws the same")
    sub.set_defaults(run=_bodies)
    add_learning(parts)


def _check(args: argparse.Namespace) -> int:
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.manifest.check import find_faults, leave_out

    if args.output is not None:
        refuse_existing(args)
        refuse_unwritable(args.output.parent)
    faulty: set[str] = set()

    def noted() -> Iterator[IchError]:
        for case, fault in find_faults(
            args.manifest, progress=progress_of(args), workers=args.workers
        ):
            faulty.add(case)
            yield fault

    count = print_faults(noted(), args)
    if not args.json_errors:
        print(f"{count or 'no'} fault{'' if count == 1 else 's'} found")
    if args.output is None:
        return 3 if count else 0
    if "" in faulty:
        print("wrote nothing: a fault of the list itself is not of one scan, mend it first")
        return 3
    kept = leave_out(args.manifest, faulty)
    print(f"left out {len(faulty)} scan{'' if len(faulty) == 1 else 's'} with faults")
    return _write(args.output, kept)


def _build(args: argparse.Namespace) -> int:
    from monai_ich.manifest.build import build_manifest

    refuse_existing(args)
    manifest = build_manifest(args.name, args.folder, keep_ids=args.keep_ids)
    if manifest.description:
        print(manifest.description)
    return _write(args.output, manifest)


def _split(args: argparse.Namespace) -> int:
    from monai_ich.manifest.manifest import read_manifest
    from monai_ich.manifest.split import split_manifest

    if args.folds < 2 or not 0 <= args.held_out < args.folds:
        raise usage_error("split needs --folds of at least 2 and --held-out below it.")
    refuse_existing(args)
    manifest = read_manifest(args.manifest)
    return _write(
        args.output,
        split_manifest(manifest, folds=args.folds, seed=args.seed, held_out=args.held_out),
    )


def _strip(args: argparse.Namespace) -> int:
    from monai_ich.bundle import load_bundle
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.manifest.cavities import find_cavities
    from monai_ich.manifest.manifest import read_manifest

    refuse_existing(args)
    manifest, folder = read_manifest(args.manifest), args.output.parent / "anatomy"
    refuse_unwritable(args.output.parent)
    bundle = load_bundle("head_ct_anatomy", device=args.device)
    found, faults = find_cavities(manifest, folder, bundle=bundle, progress=progress_of(args))
    print_faults(faults, args)
    return _write(args.output, found) or (3 if faults else 0)


def _negatives(args: argparse.Namespace) -> int:
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.manifest.negatives import build_negatives

    refuse_existing(args)
    refuse_unwritable(args.output.parent)
    made = build_negatives(
        args.folder, args.output.parent, pixel_mm=args.pixel_mm, prefix=args.output.stem
    )
    return _write(args.output, made)


def _transplants(args: argparse.Namespace) -> int:
    from monai_ich.bundle import load_bundle
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.manifest.manifest import read_manifest
    from monai_ich.manifest.transplants import build_transplants

    if args.count < 1:
        raise usage_error("transplants needs --count of at least 1.")
    refuse_existing(args)
    refuse_unwritable(args.output.parent)
    made = build_transplants(
        read_manifest(args.stacks),
        read_manifest(args.heads),
        args.output.parent,
        count=args.count,
        bundle=load_bundle("head_ct_anatomy", device=args.device),
        prefix=args.output.stem,
        seed=args.seed,
        progress=progress_of(args),
    )
    return _write(args.output, made)


def _bodies(args: argparse.Namespace) -> int:
    from monai_ich.io.output import refuse_unwritable
    from monai_ich.manifest.bodies import build_bodies
    from monai_ich.manifest.manifest import read_manifest

    if args.count < 1:
        raise usage_error("bodies needs --count of at least 1.")
    refuse_existing(args)
    refuse_unwritable(args.output.parent)
    made = build_bodies(
        read_manifest(args.heads),
        args.output.parent,
        count=args.count,
        prefix=args.output.stem,
        seed=args.seed,
        progress=progress_of(args),
    )
    return _write(args.output, made)


def _write(path: Path, manifest: Any) -> int:
    from monai_ich.io.output import output_file
    from monai_ich.manifest.manifest import write_manifest

    with output_file(path):
        write_manifest(path, manifest)
    patients = len({case.patient for case in manifest.cases})
    print(f"wrote {len(manifest.cases)} scans of {patients} patients")
    return 0
