"""The commands of ``monai-ich manifest`` that bring labels which are no masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import (
    add_labels_are,
    add_output_file,
    meaning_of,
    print_faults,
    progress_of,
    refuse_existing,
    usage_error,
)


def add_learning(parts: Any) -> None:
    """Add ``reports``, ``join``, ``corrections`` and ``rank`` to ``manifest``."""
    text = "exam labels from written reports (CSV, English), each decision with its place"
    sub = parts.add_parser("reports", help=text, description=text)
    sub.add_argument("reports", type=Path, help="CSV with a row for each scan")
    sub.add_argument("--id-column", default="id", metavar="NAME", help="default: id")
    sub.add_argument("--report-column", default="report", metavar="NAME", help="default: report")
    add_output_file(sub, "labels to write, for manifest join")
    sub.set_defaults(run=_reports)

    text = (
        "give a manifest's rows the exam labels that manifest reports has written; exit code 3 "
        "where a report contradicts a row"
    )
    sub = parts.add_parser("join", help=text, description=text)
    sub.add_argument("manifest", type=Path)
    sub.add_argument("labels", type=Path)
    add_output_file(sub)
    sub.set_defaults(run=_join)

    text = (
        "masks that people corrected, as a manifest to train from; exit code 3 where one is unfit "
        "or called like no scan"
    )
    sub = parts.add_parser("corrections", help=text, description=text)
    sub.add_argument("manifest", type=Path)
    sub.add_argument("masks", type=Path, help="folder with ID.seg.nrrd, ID.nii.gz or ID.dcm")
    add_labels_are(sub)
    add_output_file(sub)
    sub.set_defaults(run=_corrections)

    text = "which scans without mask to label next: those the network doubts, unlike those known"
    sub = parts.add_parser("rank", help=text, description=text)
    sub.add_argument("manifest", type=Path)
    sub.add_argument("-n", "--count", type=int, default=20, help="how many (default 20)")
    sub.add_argument("--bundle", default="ich_segmentation", help="default: ich_segmentation")
    sub.add_argument("--weights", type=Path, help="instead of the bundle's models/model.pt")
    sub.add_argument("--device", help="cpu, cuda, ... (default: CUDA where there is one)")
    add_output_file(sub, "manifest of these scans to write, the most useful first")
    sub.set_defaults(run=_rank)


def add_gate(parts: Any) -> None:
    """Add ``gate`` to the commands of ``bundle``."""
    text = "whether new weights lose nothing against old ones; exit code 3 where they do"
    sub = parts.add_parser("gate", help=text, description=text)
    sub.add_argument("old", type=Path, help="folder of monai-ich evaluate, of the old weights")
    sub.add_argument("new", type=Path, help="the same of the new weights, on the same scans")
    sub.set_defaults(run=_gate)


def _reports(args: argparse.Namespace) -> int:
    from monai_ich.io.output import output_file
    from monai_ich.learn.report_file import write_report_labels
    from monai_ich.learn.report_table import read_reports

    if args.output.exists() and args.output.samefile(args.reports):
        raise usage_error("-o is the table of reports itself: give the labels another name.")
    refuse_existing(args)
    reports = read_reports(args.reports, id_column=args.id_column, report_column=args.report_column)
    for report in reports:
        for d in report.labels.decisions:
            cue = f" ({d.cue})" if d.cue else ""
            print(f"{report.id} {d.start}-{d.end} {d.finding} {d.status.name.lower()}{cue}")
    with output_file(args.output):
        write_report_labels(args.output, reports)
    findings = [r.labels.findings["any"] for r in reports]
    print(
        f"wrote {len(reports)} reports: {findings.count(1)} with hemorrhage, {findings.count(0)} "
        f"without, {findings.count(None)} open"
    )
    return 0


def _join(args: argparse.Namespace) -> int:
    from monai_ich.io.output import output_file
    from monai_ich.learn.report_file import join_labels
    from monai_ich.manifest.manifest import read_manifest, write_manifest

    refuse_existing(args)
    joined = join_labels(read_manifest(args.manifest), args.labels)
    faults = print_faults(joined.faults, args)
    with output_file(args.output):
        write_manifest(args.output, joined.manifest)
    said = f"{joined.labeled} of {len(joined.manifest.cases)} scans have labels of a report"
    if joined.open:
        said += f"; of {joined.open} the report leaves all open"
    if joined.strangers:
        said += f"; {joined.strangers} reports have no scan in the manifest"
    print(said)
    return 3 if faults else 0


def _rank(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from monai_ich.bundle import load_bundle
    from monai_ich.io.output import output_file, refuse_unwritable
    from monai_ich.learn.ranking import rank_manifest
    from monai_ich.manifest.manifest import read_manifest, write_manifest

    if args.count < 1:
        raise usage_error("rank needs -n of at least 1.")
    refuse_existing(args)
    manifest = read_manifest(args.manifest)
    refuse_unwritable(args.output.parent)
    bundle = load_bundle(args.bundle, device=args.device, weights=args.weights)
    ranked, faults = rank_manifest(manifest, args.count, bundle=bundle, progress=progress_of(args))
    print_faults(faults, args)
    for place, scan in enumerate(ranked, 1):
        novelty = "-" if scan.novelty is None else f"{scan.novelty:.2f}"
        print(f"{place} {scan.id} doubt {scan.doubt_ml:.2f} mL, novelty {novelty}")
    cases = {case.id: case for case in manifest.cases}
    if ranked:
        chosen = tuple(cases[scan.id] for scan in ranked)
        with output_file(args.output):
            write_manifest(args.output, replace(manifest, cases=chosen))
    return 3 if faults else 0


def _corrections(args: argparse.Namespace) -> int:
    from monai_ich.io.output import output_file, refuse_unwritable
    from monai_ich.learn.corrections import take_corrections
    from monai_ich.manifest.manifest import read_manifest, write_manifest

    meaning, folder = meaning_of(args), args.output.parent / f"{args.output.stem}_corrected"
    refuse_existing(args)
    refuse_unwritable(args.output.parent)
    manifest, faults = take_corrections(
        read_manifest(args.manifest), args.masks, folder, meaning=meaning
    )
    print_faults(faults, args)
    if manifest.cases:
        with output_file(args.output):
            write_manifest(args.output, manifest)
    print(f"{len(manifest.cases)} scans have a corrected mask")
    return 3 if faults else 0


def _gate(args: argparse.Namespace) -> int:
    from monai_ich.learn.gate import judge_weights

    judgments = judge_weights(args.old, args.new)
    for j in judgments:
        old, new, floor = ("-" if v is None else f"{v:.3f}" for v in (j.old, j.new, j.floor))
        print(f"{'ok  ' if j.holds else 'LOST'} {j.name}: {new} (old {old}, at least {floor})")
    passed = all(j.holds for j in judgments)
    print("the new weights may be used" if passed else "the new weights must not be used")
    return 0 if passed else 3
