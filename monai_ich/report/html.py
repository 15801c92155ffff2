"""One self-contained page that opens from disk: status and warnings first, then numbers, pictures, provenance."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.labels import label_of
from monai_ich.core.provenance import Provenance, Warn
from monai_ich.report.wording import RESEARCH_USE, headline, shift_words

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.status { border-left: .3rem solid #b26a00; padding: .4rem .8rem; background: #b26a0018; }
.headline { font-size: 1.15rem; font-weight: 600; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #8886; }
th:first-child, td:first-child { text-align: left; }
img { width: 100%; height: auto; background: #000; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border: 1px solid #8888; }
small { color: #777; }
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
    picture = base64.b64encode(montage_png.read_bytes()).decode()
    parts = [
        f"<p class=status>{escape(provenance.status)} {RESEARCH_USE}</p>",
        f"<p class=headline>{escape(headline(exam))}</p>",
        _warnings(tuple(warnings)),
        "<h2>Measurements</h2>",
        _measurements(exam),
        "<h2>Slices</h2>",
        f'<img alt="{escape(headline(exam))} Slices with masks." src="data:image/png;base64,{picture}">',
        "<p><small>Brain window 0 to 80 HU; the patient's left is on the right of the picture.</small></p>",
        "<h2>Lesions</h2>",
        _lesions(exam),
        "<h2>Published criteria</h2>",
        _criteria(exam),
        "<h2>How this was made</h2>",
        _provenance(provenance),
    ]
    title = f"Head CT {case_id}"
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )
    path.write_text(page)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML already."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def _warnings(warnings: tuple[Warn, ...]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li><b>{escape(w.code)}</b> {escape(w.message)}</li>" for w in warnings)
    return f"<h2>Warnings</h2>\n<ul>{items}</ul>"


def _measurements(exam: ExamMeasurements) -> str:
    rows = []
    for finding in exam.subtypes:
        label = label_of(finding.subtype)
        swatch = f'<span class=swatch style="background:rgb{label.color}"></span>'
        present = "present" if finding.present else "not found"
        rows.append((f"{swatch}{label.name} ({finding.subtype.name})", f"{finding.volume.value:.2f} mL", present))
    rows.append(("<b>All hemorrhage</b>", f"<b>{exam.total_volume_ml:.2f} mL</b>", ""))
    rows.append(("Midline shift", escape(shift_words(exam.midline_shift)), ""))
    for name, measured in (("Intracranial cavity", exam.cavity_ml), ("Ventricles", exam.ventricles_ml)):
        value = f"{measured.value:.1f} mL" if measured.value is not None else escape(str(measured.reason))
        rows.append((name, value, ""))
    return _table(("", "Value", "Finding"), rows)


def _lesions(exam: ExamMeasurements) -> str:
    if not exam.lesions:
        return "<p>None.</p>"
    header = ("No.", "Subtype", "Volume", "ABC/2", "Side", "Compartment", "Slices", "Mean density")
    rows = [
        (
            str(x.id),
            x.subtype.name,
            f"{x.volume_ml:.2f} mL",
            f"{x.abc2_ml:.2f} mL",
            x.side,
            x.compartment,
            f"{x.slices[0]} to {x.slices[1]}",
            "" if x.mean_hu is None else f"{x.mean_hu:.0f} HU",
        )
        for x in exam.lesions
    ]
    return _table(header, rows)


def _criteria(exam: ExamMeasurements) -> str:
    words = {True: "met", False: "not met", None: "not decidable"}
    return _table(("Criterion", "State", "Because"), [(c.id, words[c.met], escape(c.because)) for c in exam.criteria])


def _provenance(p: Provenance) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in p.versions.items())
    weights = ", ".join(f"{name} {digest[:12]}" for name, digest in p.weights.items())
    seconds = ", ".join(f"{name} {value:.1f} s" for name, value in p.seconds.items())
    lines = [f"Weights: {weights}" if weights else "", f"Software: {versions}", f"Time: {seconds}" if seconds else ""]
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)
