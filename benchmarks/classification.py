"""What the second reading knows of synthetic heads that no training saw, beside the masks.

    python -m benchmarks.classification HEADS [-o WORK] [--weights W]

HEADS is a folder of ``monai-ich synth`` with a seed of its own. Of each finding, for slices and for
exams: the AUC with DeLong's interval; for exams also that of the masks' probability, and that of
the second reading on heads in HU alone (the others are 8-bit pictures). WORK keeps
``findings.json`` and ``exam_thresholds.json`` of the bundle's own evaluation, and what the masks
said of each head, so that it goes on where it was stopped. The record is `RECORD`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning import ROOT, shuffled_rows, write_list
from monai_ich.agreement.delong import estimate_auc
from monai_ich.analysis import load_pipeline
from monai_ich.bundle.load import CLASSIFIER, find_bundle, load_bundle
from monai_ich.core.provenance import installed_versions
from monai_ich.core.second_reading import FINDINGS, SecondReading
from monai_ich.io.read import read_ct
from monai_ich.io.thresholds import THRESHOLDS_FILE
from monai_ich.segment.second_reading import classify_exam

_AIR_HU = -500.0  # what lies below is no 8-bit picture
RECORD = Path(__file__).with_name("classification.json")


def evaluate(lists: Path, work: Path, weights: Path) -> list[dict[str, Any]]:
    """The bundle's own evaluation of all heads."""
    found = work / "figures" / "findings.json"
    if not found.is_file():
        root = find_bundle(CLASSIFIER)
        files = [str(root / "configs" / f"{name}.yaml") for name in ("train", "evaluate")]
        command = ["-m", "monai.bundle", "run", "--config_file", str(files)]
        command += ["--bundle_root", str(root), "--dataset_dir", str(lists)]
        command += ["--output_dir", str(work), "--weights", str(weights), "--explained", "12"]
        subprocess.run([sys.executable, *command], check=True, cwd=ROOT)
    rows: list[dict[str, Any]] = json.loads(found.read_text())
    return rows


def read_masks(rows: list[dict[str, Any]], path: Path) -> dict[str, dict[str, float]]:
    """Of each head the probabilities that go with the masks."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    pipeline = load_pipeline(second_reading=False, **{"read#assume_hu": True}).loaded()
    for row in rows:
        if row["id"] not in found:
            exam = pipeline.run(pipeline.read(row["image"]), case_id=row["id"]).exam
            of = {f.subtype.name: f.probability for f in exam.subtypes}
            found[row["id"]] = {"any": exam.probability} | of
            path.write_text(json.dumps(found))
    return found


def read_slices(
    rows: list[dict[str, Any]], weights: Path
) -> tuple[dict[str, Mapping[str, float]], set[str], list[float]]:
    """Of each head the second reading's probabilities; those in HU; seconds."""
    bundle, found, seconds = load_bundle(CLASSIFIER, weights=weights), {}, []
    in_hu: set[str] = set()
    for row in rows:
        ct = read_ct(row["image"], assume_hu=True).volume
        if float(ct.hu.min()) < _AIR_HU:
            in_hu.add(row["id"])
        begun = time.perf_counter()
        second = classify_exam(ct, bundle=bundle)
        assert isinstance(second, SecondReading)
        found[row["id"]] = second.probabilities
        seconds.append(time.perf_counter() - begun)
    return found, in_hu, seconds


def _area(scores: list[float], present: list[int]) -> list[float | None]:
    area = estimate_auc(np.array(scores, float), np.array(present) == 1)
    return [None if v is None else round(v, 4) for v in (area.value, *(area.interval or ()))]


def main() -> None:
    """Judge and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("heads", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "runs" / "classification")
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    work = args.output.resolve()
    weights = args.weights or find_bundle(CLASSIFIER) / "models" / "model.pt"
    training, validation = shuffled_rows(args.heads, 0)
    rows = sorted([*training, *validation], key=lambda row: str(row["id"]))
    findings = evaluate(write_list(work / "lists", rows, rows), work, weights.resolve())
    masks = read_masks(rows, work / "masks.json")
    second, in_hu, seconds = read_slices(rows, weights)
    hu_rows = [row for row in rows if row["id"] in in_hu]
    exams: dict[str, dict[str, Any]] = {}
    for name in FINDINGS:
        present = [row["exam_labels"][name] for row in rows]
        exams[name] = {"present": sum(present)}
        for who, read, of in (
            ("second", second, rows),
            ("second_hu", second, hu_rows),
            ("masks", masks, rows),
        ):
            scores = [read[row["id"]][name] for row in of]
            exams[name][who] = _area(scores, [row["exam_labels"][name] for row in of])
    slices = {
        row["finding"]: [round(v, 4) for v in (row["auc"], *row["auc_interval"])]
        for row in findings
        if row["level"] == "slice"
    }
    record = {
        "versions": installed_versions(),
        "heads": len(rows),
        "heads_hu": len(hu_rows),
        "exam_auc": exams,
        "slice_auc": slices,
        "seconds": {"median": round(float(np.median(seconds)), 2), "most": round(max(seconds), 2)},
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))
    print(f"thresholds: {work / 'figures' / THRESHOLDS_FILE}")


if __name__ == "__main__":
    main()
