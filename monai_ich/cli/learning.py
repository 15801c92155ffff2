"""The commands of ``monai-ich manifest`` that bring labels which are no masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_ich.cli.options import refuse_existing


def add_learning(parts: Any) -> None:
    """Add ``reports`` and ``join`` to the commands of ``manifest``."""
    text = "exam labels from written reports (CSV, English), each decision with its place"
    sub = parts.add_parser("reports", help=text, description=text)
    sub.add_argument("reports", type=Path, help="CSV with a row for each scan")
    sub.add_argument("--id-column", default="id", metavar="NAME", help="default: id")
    sub.add_argument("--report-column", default="report", metavar="NAME", help="default: report")
    _output(sub, "labels to write, for manifest join")
    sub.set_defaults(run=_reports)

    text = "give a manifest's rows the exam labels that manifest reports has written"
    sub = parts.add_parser("join", help=text, description=text)
    sub.add_argument("manifest", type=Path)
    sub.add_argument("labels", type=Path)
    _output(sub, "manifest to write (dataset.json to train from)")
    sub.set_defaults(run=_join)


def _output(sub: argparse.ArgumentParser, text: str) -> None:
    sub.add_argument("-o", "--output", type=Path, required=True, help=text)
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")


def _reports(args: argparse.Namespace) -> int:
    from monai_ich.io.output import output_file
    from monai_ich.learn.report_file import read_reports, write_report_labels

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
    manifest, count = join_labels(read_manifest(args.manifest), args.labels)
    with output_file(args.output):
        write_manifest(args.output, manifest)
    print(f"{count} of {len(manifest.cases)} scans have labels of a report")
    return 0
