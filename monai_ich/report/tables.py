"""The tables of the report: every number with unit, interval and method, or the reason why there is
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TypeAlias

from monai_ich.core.calibration import Misses
from monai_ich.core.exam import Edema, ExamMeasurements, Ventricles
from monai_ich.core.labels import EXTRA_AXIAL, label_of
from monai_ich.core.lesion import Lesion
from monai_ich.core.measurement import Measurement, NotMeasurable, share_words
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.report.page import as_table, swatch
from monai_ich.report.wording import (
    abc2_words,
    density_words,
    finding_words,
    interval_words,
    place_words,
    probability_words,
    thickness_words,
)

_MOST_LESIONS = 12
_Row: TypeAlias = tuple[str, str, str, str]


def warning_list(warnings: Sequence[Notice]) -> str:
    """Heading and list; empty where there are none."""
    if not warnings:
        return ""
    items = "".join(f"<li><b>{escape(w.code)}</b> {escape(w.message)}</li>" for w in warnings)
    return f"<h2>Warnings</h2>\n<ul>{items}</ul>"


def measurement_table(exam: ExamMeasurements) -> str:
    """One row a measurement."""
    rows = []
    for finding in exam.subtypes:
        label = label_of(finding.subtype)
        words = [finding_words(finding), *probability_words(finding.probability)]
        rows.append(
            _row(
                f"{swatch(finding.subtype)}{label.name} ({finding.subtype.name})",
                finding.volume,
                words,
                digits=2,
                misses=finding.misses,
                probability=finding.probability,
            )
        )
    whole = interval_words(exam.total_interval_ml, "mL", exam.misses, exam.probability)
    whole += probability_words(exam.probability)
    total = f"<b>{exam.total_volume_ml:.2f} mL</b>"
    rows.append(
        ("<b>All hemorrhage</b>", total, ", ".join(whole), "<small>sum of the subtypes</small>")
    )
    shift = exam.midline_shift
    for name, at in (
        ("Midline shift, foramina of Monro", shift),
        ("Largest midline shift", shift.largest),
    ):
        side = [f"toward the {at.toward}"] if at.toward else []
        where = [] if at.slice_index is None else [f"slice {at.slice_index}"]
        rows.append(_row(name, at.measurement, side + where))
    for subtype in EXTRA_AXIAL:
        for name, axial in (("Thickness", False), ("Axial thickness", True)):
            thickest = exam.max_thickness(subtype, axial=axial)
            if thickest is not None:
                rows.append(_row(f"{name} of {subtype.name}", thickest))
    rows += [_edema_row(exam.edema), *_ventricle_rows(exam.ventricles)]
    rows += [_row("Intracranial cavity", exam.cavity_ml), _second_reading_row(exam)]
    table = as_table(("Measurement", "Value", "Finding", "How"), rows, numbers=(1,))
    if exam.calibrated_on is None:
        return table
    return f"{table}\n<p><small>{escape(exam.calibrated_on.words)}</small></p>"


def _second_reading_row(exam: ExamMeasurements) -> _Row:
    how = "<small>a network that reads slices and draws nothing</small>"
    second = exam.second_reading
    if isinstance(second, NotMeasurable):
        return "Second reading", "", f"none: {escape(second.reason)}", how
    said = ", ".join(f"{name} {share_words(p)}" for name, p in second.probabilities.items())
    against = f"; disagrees: {', '.join(exam.disagreements)}" if exam.disagreements else ""
    return "Second reading", "", escape(said + against), how


def _edema_row(edema: Edema) -> _Row:
    ratio = edema.ratio.value
    return _row(
        "Edema around clots, no blood",
        edema.volume,
        [
            f"relative to IPH: {edema.ratio.reason}"
            if ratio is None
            else f"{ratio:.2f} times the volume of IPH"
        ],
    )


def _ventricle_rows(found: Ventricles) -> list[_Row]:
    evans = [f"slice {found.evans_slice}"] if found.evans_slice is not None else []
    return [
        _row("Lateral and third ventricles", found.volume),
        _row("Ventricles, left to right", found.left_right_ratio, digits=2),
        _row("Evans' index", found.evans_index, evans, 2),
        _row("Third ventricle, width", found.third_width),
        _row("Temporal horns, width", found.temporal_horns),
    ]


def _row(
    name: str,
    measured: Measurement,
    words: Sequence[str] = (),
    digits: int = 1,
    misses: Misses | None = None,
    probability: float | None = None,
) -> _Row:
    how = f"<small>{escape(measured.method)}</small>"
    if measured.value is None:
        return name, "", f"not measurable: {escape(str(measured.reason))}", how
    unit = _unit(measured)
    found = [*words, *interval_words(measured.interval, measured.unit, misses, probability)]
    return name, f"{measured.value:.{digits}f}{unit}", ", ".join(found), how


def lesion_table(exam: ExamMeasurements) -> str:
    """The largest; how many more there are, and how much they and specks hold."""
    header = ("No.", "Subtype", "Volume", "Place", "Slices", "Thickness", "ABC/2", "Density")
    shown, rest = exam.lesions[:_MOST_LESIONS], exam.lesions[_MOST_LESIONS:]
    said = [as_table(header, map(_lesion_row, shown), numbers=(2,)) if shown else "<p>None.</p>"]
    if rest:
        ml = sum(lesion.volume_ml for lesion in rest)
        said.append(
            f"<p>{len(rest)} smaller ones, {ml:.2f} mL together, are in "
            "<code>lesions.csv</code>.</p>"
        )
    if exam.specks.count:
        said.append(
            f"<p>Pieces below {exam.lesion_floor_ml:g} mL, which are not listed: "
            f"{exam.specks.count}, {exam.specks.volume_ml:.2f} mL together.</p>"
        )
    return "\n".join(said)


def _lesion_row(x: Lesion) -> tuple[str, ...]:
    first, last = x.slices
    return (
        str(x.id),
        x.subtype.name,
        f"{x.volume_ml:.2f} mL",
        escape(place_words(x)),
        f"{first} to {last}" if first < last else str(first),
        escape(thickness_words(x)),
        escape(abc2_words(x)),
        escape(density_words(x)),
    )


def _unit(number: Measurement) -> str:
    return "" if number.unit == "1" else f" {number.unit}"


def provenance_table(provenance: Provenance) -> str:
    """Weights, versions, settings and times."""
    p = provenance
    rows = [
        ("Weights", ", ".join(f"{name} {digest[:12]}" for name, digest in p.weights.items())),
        ("Software", ", ".join(f"{name} {number}" for name, number in p.versions.items())),
        ("Settings", ", ".join(f"{name} {value}" for name, value in p.settings.items())),
        ("Time", ", ".join(f"{name} {value:.1f} s" for name, value in p.seconds.items())),
    ]
    return as_table(("What", "Which"), [(name, escape(words)) for name, words in rows if words])
