"""One self-contained page that opens from disk: status and warnings first, then numbers, pictures, provenance."""

from __future__ import annotations

import base64
from collections.abc import Container, Iterable, Sequence
from html import escape
from pathlib import Path

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.labels import label_of
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Provenance, Warn
from monai_ich.report.wording import (
    RESEARCH_USE,
    finding_words,
    headline,
    interval_words,
    probability_words,
    thickness_words,
)

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.status { border-left: .3rem solid #b26a00; padding: .4rem .8rem; background: #b26a0018; }
.headline { font-size: 1.15rem; font-weight: 600; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid #8886; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; }
tbody th { font-weight: normal; }
img { width: 100%; height: auto; background: #000; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border: 1px solid #8888; }
figure { margin: 0; } figcaption { font-size: .85rem; }
@media print { body { max-width: none; } }
"""


def write_report(
    path: Path,
    exam: ExamMeasurements,
    warnings: Iterable[Warn],
    provenance: Provenance,
    montage_png: Path,
    case_id: str,
) -> None:
    """Write ``report.html``; works offline, holds no patient data but what `case_id` says."""
    parts = [
        f"<p class=status role=note>{escape(provenance.status)} {RESEARCH_USE}</p>",
        f"<p class=headline>{escape(headline(exam))}</p>",
        _warnings(tuple(warnings)),
        "<h2>Measurements</h2>",
        _measurements(exam),
        "<h2>Slices</h2>",
        _figure(exam, montage_png),
        "<h2>Lesions</h2>",
        _lesions(exam),
        "<h2>Published criteria</h2>",
        _criteria(exam),
        "<h2>How this was made</h2>",
        _provenance(provenance),
    ]
    path.write_text(as_page(f"Head CT {case_id}", parts), encoding="utf-8")


def as_page(title: str, parts: Iterable[str]) -> str:
    """A whole page: one heading, one style; `parts` are HTML."""
    title = escape(title)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _figure(exam: ExamMeasurements, montage_png: Path) -> str:
    picture = base64.b64encode(montage_png.read_bytes()).decode()
    caption = (
        "Brain window, 0 to 80 HU. The patient's left is on the right of the picture; numbers are slices. "
        "Blood is colored as in the table above, the intracranial cavity is outlined."
    )
    if exam.midline_shift.slice_index is not None:
        caption += " On the slice of largest shift: the ideal midline (dashed) and the displaced one (dots)."
    return (
        f'<figure><img alt="Slices of the scan with masks. {escape(headline(exam))}" '
        f'src="data:image/png;base64,{picture}">\n<figcaption>{caption}</figcaption></figure>'
    )


def as_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Container[int] = ()) -> str:
    """A table; cells are HTML already, the first of a row is its heading; `numbers` are right-aligned columns."""
    align = [" class=n" if n in numbers else "" for n in range(len(header))]
    head = "".join(f'<th scope="col"{a}>{cell}</th>' for a, cell in zip(align, header, strict=True))
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{a}>{cell}</td>" for a, cell in zip(align[1:], row[1:], strict=True))
        + "</tr>\n"
        for row in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def _warnings(warnings: tuple[Warn, ...]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li><b>{escape(w.code)}</b> {escape(w.message)}</li>" for w in warnings)
    return f"<h2>Warnings</h2>\n<ul>{items}</ul>"


def _value(measured: Measurement, *, digits: int = 1) -> tuple[str, str]:
    """Value with unit and, where there is none, the reason."""
    if measured.value is None:
        return "", f"not measurable: {escape(str(measured.reason))}"
    unit = "" if measured.unit == "1" else f" {measured.unit}"
    return f"{measured.value:.{digits}f}{unit}", ""


def _measurements(exam: ExamMeasurements) -> str:
    rows: list[tuple[str, ...]] = []
    for finding in exam.subtypes:
        label = label_of(finding.subtype)
        swatch = f'<span class=swatch style="background:rgb{label.color}"></span>'
        words = [finding_words(finding), *probability_words(finding.probability)]
        words += interval_words(finding.volume.interval, "mL")
        name = f"{swatch}{label.name} ({finding.subtype.name})"
        rows.append((name, f"{finding.volume.value:.2f} mL", ", ".join(words)))
    words = probability_words(exam.probability) + interval_words(exam.total_interval_ml, "mL")
    rows.append(("<b>All hemorrhage</b>", f"<b>{exam.total_volume_ml:.2f} mL</b>", ", ".join(words)))
    shift = exam.midline_shift
    words = [f"toward the {shift.toward}"] if shift.toward else []
    words += interval_words(shift.measurement.interval, "mm")
    rows.append(("Midline shift", *_value(shift.measurement), ", ".join(words)))
    for subtype, mm in exam.max_thickness_mm.items():
        rows.append((f"Thickness of {subtype.name}", f"{mm:.1f} mm", ""))
    rows.append(("Intracranial cavity", *_value(exam.cavity_ml), ""))
    ratio = exam.ventricles.left_right_ratio.value
    sides = "" if ratio is None else f"left to right {ratio:.2f}"
    rows.append(("Ventricles", *_value(exam.ventricles.volume), sides))
    rows.append(("Evans' index", *_value(exam.ventricles.evans_index, digits=2), ""))
    cells = [(row[0], row[1], " ".join(row[2:]).strip()) for row in rows]
    return as_table(("What", "Value", "Finding"), cells, numbers=(1,))


def _lesions(exam: ExamMeasurements) -> str:
    if not exam.lesions:
        return "<p>None.</p>"
    header = ("No.", "Subtype", "Volume", "ABC/2", "Side", "Compartment", "Slices", "Thickness", "Mean density")
    rows = [
        (
            str(x.id),
            x.subtype.name,
            f"{x.volume_ml:.2f} mL",
            f"{x.abc2_ml:.2f} mL",
            x.side,
            x.compartment,
            f"{x.slices[0]} to {x.slices[1]}",
            thickness_words(x),
            "" if x.mean_hu is None else f"{x.mean_hu:.0f} HU",
        )
        for x in exam.lesions
    ]
    return as_table(header, rows, numbers=(2, 3, 8))


def _criteria(exam: ExamMeasurements) -> str:
    words = {True: "met", False: "not met", None: "not decidable"}
    rows = [(c.id, words[c.met], escape(c.because), escape(c.source)) for c in exam.criteria]
    return as_table(("Criterion", "State", "Because", "Source"), rows)


def _provenance(p: Provenance) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in p.versions.items())
    weights = ", ".join(f"{name} {digest[:12]}" for name, digest in p.weights.items())
    seconds = ", ".join(f"{name} {value:.1f} s" for name, value in p.seconds.items())
    lines = [f"Weights: {weights}" if weights else "", f"Software: {versions}", f"Time: {seconds}" if seconds else ""]
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)
