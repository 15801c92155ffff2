"""The audit as one page that opens from disk: verdict, numbers, plots."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from lab.audit_case import BONE_LIKE_HU, CLASSES
from lab.audit_summary import PERCENTS
from monai_ich.core.labels import Subtype

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { border-left: .3rem solid; padding: .4rem .8rem; font-weight: 600; }
.pass { border-color: #2e7d32; background: #2e7d3218; } .fail { border-color: #c62828; background: #c6282818; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid #8886; }
th:first-child { text-align: left; } td { font-variant-numeric: tabular-nums; } tbody th { font-weight: normal; }
img { width: 100%; height: auto; background: #fff; }
figure { margin: 0; } figcaption { font-size: .85rem; }
"""


def page_of(summary: dict[str, Any], plots: Iterable[tuple[str, str, bytes]]) -> str:
    """The page as HTML, pictures inline."""
    title = f"Audit of {summary['cases']} synthetic heads"
    parts = [
        _verdict(summary),
        _facts(summary),
        "<h2>Hounsfield units by class</h2>",
        _densities(summary),
        "<h2>Volumes by subtype</h2>",
        _volumes(summary),
        *(_figure(*plot) for plot in plots),
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, '
        f'initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _verdict(summary: dict[str, Any]) -> str:
    rows = summary["bone_overlap"]
    words = "; ".join(
        f"{name}: {row['bone_voxels']} of {row['voxels']} voxels are more bone than not"
        + (f" (seeds {', '.join(map(str, row['seeds'][:12]))})" if row["seeds"] else "")
        for name, row in rows.items()
    )
    passed = summary["passed"]
    kind, word = ("pass", "PASS") if passed else ("fail", "FAIL")
    return f'<p class="verdict {kind}" role=note>{word}: {escape(words)}.</p>'


def _facts(summary: dict[str, Any]) -> str:
    shift, cavity = summary["abs_shift_mm"], summary["cavity_ml"]
    lines = [
        f"Heads without blood: {_percent(summary['no_blood_share'])}.",
        f"Labeled voxels outside of the cavity: {_percent(summary['outside_cavity_share'])}.",
        f"Midline shift: median {_number(shift.get('median'))} mm, largest "
        f"{_number(shift.get('max'))} mm, "
        f"over 5 mm in {_percent(summary['shift_over_5_mm_share'])}.",
        f"Cavity: median {_number(cavity.get('median'), 0)} mL.",
        f"Tilted gantry: {_percent(summary['tilted_share'])}.",
        f"Exports clipped to a window, left out of the HU figures: {summary['windowed_cases']}.",
    ]
    return "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"


def _densities(summary: dict[str, Any]) -> str:
    rows = []
    for name in CLASSES:
        found = summary["hu"][name]
        bright = ""
        if name in summary["bright_share"]:
            seeds = summary["brightest"][name]
            bright = _percent(summary["bright_share"][name]) + (
                f" (seeds {', '.join(map(str, seeds))})" if seeds else ""
            )
        rows.append(
            (name, str(found["voxels"]), *(str(found.get(f"p{p}", "")) for p in PERCENTS), bright)
        )
    header = ("Class", "Voxels", *(f"{p} %" for p in PERCENTS), f"above {BONE_LIKE_HU:.0f} HU")
    return _table(header, rows)


def _volumes(summary: dict[str, Any]) -> str:
    header = (
        "Subtype",
        "Heads",
        "True mL, median",
        "quartiles",
        "Label/true, median",
        "quartiles",
        "True/asked, median",
    )
    rows = []
    for name in (s.name for s in Subtype):
        true, ratio = summary["volume_ml"][name], summary["label_to_true_volume"][name]
        asked = summary["true_to_asked_volume"][name]
        cells = (str(true["n"]), _number(true.get("median")), _range(true, 1))
        rows.append(
            (
                name,
                *cells,
                _number(ratio.get("median"), 2),
                _range(ratio, 2),
                _number(asked.get("median"), 2),
            )
        )
    return _table(header, rows)


def _figure(title: str, caption: str, png: bytes) -> str:
    picture = base64.b64encode(png).decode()
    return (
        f'<h2>{escape(title)}</h2>\n<figure><img alt="{escape(title)}" '
        f'src="data:image/png;base64,{picture}">\n'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(c)}</td>" for c in row[1:])
        + "</tr>\n"
        for row in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _range(found: dict[str, Any], digits: int) -> str:
    return f"{found['q1']:.{digits}f} to {found['q3']:.{digits}f}" if found["n"] else "-"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.1f} %"
