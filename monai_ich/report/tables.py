"""The tables of the report: every number with unit, interval and method, or the reason why there is
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from monai_ich.core.calibration import Misses
from monai_ich.core.exam import ExamMeasurements, Lesion
from monai_ich.core.labels import EXTRA_AXIAL, Subtype, label_of
from monai_ich.core.measurement import Measurement, NotMeasurable
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.report.page import as_table, swatch
from monai_ich.report.wording import (
    finding_words,
    interval_words,
    probability_words,
    thickness_words,
)

_MOST_LESIONS = 12


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
            )
        )
    whole = interval_words(exam.total_interval_ml, "mL", exam.misses)
    whole += probability_words(exam.probability)
    total = f"<b>{exam.total_volume_ml:.2f} mL</b>"
    rows.append(
        ("<b>All hemorrhage</b>", total, ", ".join(whole), "<small>sum of the subtypes</small>")
    )
    shift = exam.midline_shift
    for name, at in (("Midline shift", shift), ("Largest midline shift", shift.largest)):
        side = [f"toward the {at.toward}"] if at.toward else []
        where = [] if at.slice_index is None else [f"slice {at.slice_index}"]
        rows.append(_row(name, at.measurement, side + where))
    for subtype in EXTRA_AXIAL:
        for name, axial in (("Thickness", False), ("Axial thickness", True)):
            thickest = exam.max_thickness(subtype, axial=axial)
            if thickest is not None:
                rows.append(_row(f"{name} of {subtype.name}", thickest))
    rows.append(_row("Intracranial cavity", exam.cavity_ml))
    rows.append(_row("Lateral and third ventricles", exam.ventricles.volume))
    rows.append(_row("Ventricles, left to right", exam.ventricles.left_right_ratio, digits=2))
    evans = exam.ventricles.evans_slice
    rows.append(
        _row(
            "Evans' index",
            exam.ventricles.evans_index,
            [f"slice {evans}"] if evans is not None else [],
            2,
        )
    )
    table = as_table(("Measurement", "Value", "Finding", "How"), rows, numbers=(1,))
    if exam.calibrated_on is None:
        return table
    return f"{table}\n<p><small>{escape(exam.calibrated_on.words)}</small></p>"


def _row(
    name: str,
    measured: Measurement,
    words: Sequence[str] = (),
    digits: int = 1,
    misses: Misses | None = None,
) -> tuple[str, str, str, str]:
    how = f"<small>{escape(measured.method)}</small>"
    if measured.value is None:
        return name, "", f"not measurable: {escape(str(measured.reason))}", how
    unit = _unit(measured)
    found = [*words, *interval_words(measured.interval, measured.unit, misses)]
    return name, f"{measured.value:.{digits}f}{unit}", ", ".join(found), how


def lesion_table(exam: ExamMeasurements) -> str:
    """The largest; how many more there are, and how much they hold."""
    if not exam.lesions:
        return "<p>None.</p>"
    header = (
        "No.",
        "Subtype",
        "Volume",
        "ABC/2",
        "Side",
        "Compartment",
        "Slices",
        "Thickness",
        "Mean density",
    )
    table = as_table(header, map(_lesion_row, exam.lesions[:_MOST_LESIONS]), numbers=(2, 3, 6, 8))
    rest = exam.lesions[_MOST_LESIONS:]
    if not rest:
        return table
    ml = sum(lesion.volume_ml for lesion in rest)
    return (
        f"{table}\n<p>{len(rest)} smaller ones, {ml:.2f} mL together, are in "
        "<code>lesions.csv</code>.</p>"
    )


def _lesion_row(x: Lesion) -> tuple[str, ...]:
    return (
        str(x.id),
        x.subtype.name,
        f"{x.volume_ml:.2f} mL",
        "" if isinstance(x.abc2, NotMeasurable) else f"{x.abc2.ml:.2f} mL",
        x.side,
        x.compartment,
        f"{x.slices[0]} to {x.slices[1]}",
        escape(thickness_words(x)),
        "" if x.mean_hu is None else f"{x.mean_hu:.0f} HU",
    )


def criteria_table(exam: ExamMeasurements) -> str:
    """Published criteria as facts, each with its source."""
    words = {True: "met", False: "not met", None: "not decidable"}
    rows = [
        (c.id, words[c.met], escape(c.because), f"<small>{escape(c.source)}</small>")
        for c in exam.criteria
    ]
    return as_table(("Criterion", "State", "Because", "Source"), rows)


def score_table(exam: ExamMeasurements) -> str:
    """Published scores: the parts that are known, and why the others are not."""
    rows = []
    for score in exam.scores:
        known = [
            f"{_part_words(number.name.removeprefix(f'{score.id}_'))} "
            f"{number.value:g}{_unit(number)}"
            for number in score.components
            if number.value is not None
        ]
        open_ = [
            f"{', '.join(map(_part_words, parts))}: {escape(why)}"
            for why, parts in score.unknown.items()
            if not (parts == ["total"] and why.startswith("not known"))  # the lines above say it
        ]
        total = score.total.value if score.total else None
        rows.append(
            (
                f"{score.title}<br><small>{escape(score.source)}</small>",
                "" if total is None else f"{total:g}",
                ", ".join(known),
                f"<small>{'<br>'.join(open_)}</small>" if open_ else "",
            )
        )
    return as_table(("Score", "Total", "Known parts", "Not known"), rows, numbers=(1,))


_ABBREVIATIONS = {"dai", *(subtype.name.lower() for subtype in Subtype)}


def _part_words(name: str) -> str:
    """For example ``"SDH both sides"`` of ``"sdh_both_sides"``; units stand at the number."""
    words = name.removesuffix("_ml").removesuffix("_mm").split("_")
    return " ".join(word.upper() if word in _ABBREVIATIONS else word for word in words)


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
