"""One head of the test set: made, analyzed as `monai-ich analyze` does it, compared with its
truth.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import numpy as np

from lab.evaluate_synth import PICTURE_SEEDS
from monai_ich.agreement.overlap import (
    count_lesions_found,
    dice,
    shared_ml,
    shift_along_mm,
    shift_error_mm,
)
from monai_ich.analysis import Analysis, Pipeline, load_pipeline
from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.calibration import ANY
from monai_ich.core.exam import ExamMeasurements, MidlineShift
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import Scan
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.parts.pictures import draw_pictures
from monai_ich.synth.case import HeadCase
from monai_ich.synth.draw import draw_case
from monai_ich.synth.generate import SyntheticScan, synthesize

Row: TypeAlias = dict[
    str, float | str | None
]  # one line of cases.csv; None where a figure has no meaning

LESION_ML = 1.0
_VENTRICLES = (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE)


@dataclass(frozen=True)
class Job:
    """What a worker process is told.

    Args:
        seed: of the head.
        device: where the networks run; heads are always made on the CPU, so that they are the same
            everywhere.
        anatomy_weights, ich_weights: state dicts instead of the shipped ones.
        until: `time.time` after which no head is begun.
    """

    seed: int
    device: str | None = None
    anatomy_weights: str | None = None
    ich_weights: str | None = None
    until: float | None = None


def run_case(job: Job) -> Row | None:
    """Make, analyze and compare one head; None where the time was up. An error becomes a row that
    says so.
    """
    if job.until is not None and time.time() > job.until:
        return None
    row: Row = {"seed": job.seed}
    try:
        start = time.perf_counter()
        truth = synthesize(head_of(job.seed))
        row["seconds_synthesis"] = time.perf_counter() - start
        pipeline = _loaded(job.device, job.anatomy_weights, job.ich_weights)
        found = pipeline.run(Scan(truth.ct), case_id=str(job.seed))
        row |= {
            f"seconds_{stage}": seconds
            for stage, seconds in found.provenance.seconds.items()
            if stage != "load"
        }
        start = time.perf_counter()
        row |= figures_of(truth, found)
        row["seconds_comparison"] = time.perf_counter() - start
    except Exception as error:  # one bad head must not stop the others
        row["error"] = f"{type(error).__name__}: {error}"[:300]
    return row


def head_of(seed: int) -> HeadCase:
    """The head of a seed: of `PICTURE_SEEDS` as it comes back from pictures, of all others never
    so.
    """
    case = draw_case(seed)
    pictures = draw_pictures(np.random.default_rng(seed)) if seed in PICTURE_SEEDS else None
    window_hu = None if pictures else case.scanner.window_hu
    return replace(case, scanner=replace(case.scanner, pictures=pictures, window_hu=window_hu))


def figures_of(truth: SyntheticScan, found: Analysis) -> Row:
    """What is true of a head, and how near its analysis comes: columns of ``cases.csv``."""
    compared = compare(truth, found.labels, found.anatomy, found.exam.midline_shift)
    known = found.edema is not None and truth.truth.edema_ml >= LESION_ML
    edema: Row = {"dice_EDEMA": dice(found.edema, truth.edema) if known else None}
    return _described(truth) | compared | edema | _compare_exam(truth, found.exam)


@cache
def _loaded(device: str | None, anatomy_weights: str | None, ich_weights: str | None) -> Pipeline:
    """The pipeline of `monai-ich analyze`, its bundles loaded once a process."""
    weights = {"load_anatomy#weights": anatomy_weights, "load_ich#weights": ich_weights}
    return load_pipeline(device=device, second_reading=False, **weights).loaded()


def _described(truth: SyntheticScan) -> Row:
    """What the head and the scan are: truth that needs no prediction, and what figures are
    stratified by.
    """
    scanner, true_ml = truth.case.scanner, truth.truth.volume_ml
    row: Row = {
        "thickness_mm": scanner.thickness_mm,
        "slice_mm": scanner.slice_mm,
        "tilt_deg": scanner.tilt_deg,
        "noise_hu": scanner.noise_hu,
        "windowed": int(scanner.window_hu is not None),
        "pictured": int(scanner.pictures is not None),
        "true_ml": truth.truth.total_ml,
        "true_shift_mm": truth.truth.midline_shift_mm,
    }
    row |= {f"true_ml_{s.name}": true_ml[s.name] for s in Subtype}
    return row | {f"label_ml_{s.name}": truth.labels.volume_ml(s) for s in Subtype}


def _compare_exam(truth: SyntheticScan, exam: ExamMeasurements) -> Row:
    """Whether the exam is called rightly; whether intervals hold the truth, where there is or was
    found anything.
    """
    true_ml = truth.truth.volume_ml
    rows = [
        (f.subtype.name, true_ml[f.subtype.name], f.volume.value, f.volume.interval)
        for f in exam.subtypes
    ]
    rows.append((ANY, truth.truth.total_ml, exam.total_volume_ml, exam.total_interval_ml))
    bled, called = truth.truth.total_ml > 0, exam.hemorrhage_present
    return {
        "called_bled": int(called) if bled else None,
        "called_clear": None if bled else int(not called),
    } | {
        f"covered_{name}": None
        if exam.calibrated_on is None or not (ml or found)
        else int(interval is not None and interval[0] <= ml <= interval[1])
        for name, ml, found, interval in rows
    }


def compare(truth: SyntheticScan, labels: LabelMap, anatomy: LabelMap, shift: MidlineShift) -> Row:
    """Figures of one head; None where one has no meaning (a subtype that is absent, a shift not
    measurable).

    Args:
        truth: the head.
        labels: predicted `Subtype`.
        anatomy: predicted `Anatomy`.
        shift: measured on the predicted anatomy.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where prediction and truth lie on different grids.
    """
    return (
        _compare_anatomy(truth, anatomy)
        | _compare_blood(truth, labels, anatomy)
        | _compare_shift(truth, shift)
    )


def _compare_anatomy(truth: SyntheticScan, anatomy: LabelMap) -> Row:
    def part(*values: int) -> float:
        return dice(anatomy.mask(*values), truth.anatomy.mask(*values))

    sides = part(Anatomy.LEFT_HEMISPHERE), part(Anatomy.RIGHT_HEMISPHERE)
    return {
        "dice_cavity": part(*Anatomy),
        "dice_hemispheres": sum(sides) / 2,
        "dice_ventricles": part(*_VENTRICLES),
        **{f"dice_{v.name}": part(v) for v in _VENTRICLES},
        "dice_posterior_fossa": part(Anatomy.POSTERIOR_FOSSA),
    }


def _compare_blood(truth: SyntheticScan, labels: LabelMap, anatomy: LabelMap) -> Row:
    predicted, reference = labels.mask(*Subtype), truth.labels.mask(*Subtype)
    label_ml, found_ml, true_ml = reference.volume_ml, predicted.volume_ml, truth.truth.total_ml
    found, lesions = count_lesions_found(predicted, reference, over_ml=LESION_ML)
    touching, pieces = count_lesions_found(reference, predicted)
    row: Row = {
        "found_ml": found_ml,
        "label_ml": label_ml,
        "dice_blood": dice(predicted, reference) if label_ml else None,
        "found_inside_ml": shared_ml(predicted, truth.anatomy.mask()),
        "label_inside_ml": shared_ml(reference, anatomy.mask()),
        "label_inside_true_ml": shared_ml(reference, truth.anatomy.mask()),
        "false_ml": found_ml if true_ml == 0.0 else None,  # heads without any blood only
        "lesions": lesions,
        "lesions_found": found,
        "false_pieces": pieces - touching,
        "volume_error_percent": 100.0 * abs(found_ml - true_ml) / true_ml if true_ml else None,
        "label_volume_error_percent": 100.0 * abs(found_ml - label_ml) / label_ml
        if label_ml
        else None,
    }
    row |= {f"found_ml_{s.name}": labels.volume_ml(s) for s in Subtype}
    for subtype in Subtype:
        mask = truth.labels.mask(subtype)
        row[f"dice_{subtype.name}"] = dice(labels.mask(subtype), mask) if mask.volume_ml else None
    return row


def _compare_shift(truth: SyntheticScan, shift: MidlineShift) -> Row:
    limit = measure_midline_shift(fit_midline(truth.anatomy))  # what perfect masks would give

    def error(measured: MidlineShift) -> float | None:
        mm = measured.measurement.value
        return (
            None
            if mm is None
            else shift_error_mm(mm, measured.toward, truth.truth.midline_shift_mm)
        )

    return {
        "shift_mm": shift.measurement.value,
        "shift_toward": shift.toward,
        "shift_reason": shift.measurement.reason,
        "shift_measured": None
        if limit.measurement.value is None
        else int(shift.measurement.value is not None),
        "shift_error_mm": error(shift),
        "shift_covered": _covered(shift, truth.truth.midline_shift_mm),
        "shift_error_on_truth_mm": error(limit),
    }


def _covered(shift: MidlineShift, true_mm: float) -> int | None:
    """Whether the 95 % interval, toward the measured side, holds the truth."""
    if shift.measurement.interval is None:
        return None
    low, high = shift.measurement.interval
    return int(low <= max(0.0, shift_along_mm(true_mm, shift.toward)) <= high)
