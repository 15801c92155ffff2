"""One page for a whole study: how many, how much, what failed; it opens from disk, offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.presence import Presence
from monai_ich.core.provenance import RESEARCH_USE
from monai_ich.io.output import write_whole
from monai_ich.report.page import as_page, as_table, swatch
from monai_ich.study.worker import Outcome

_WIDTH, _HEIGHT, _BINS = 420, 130, 20


def write_summary(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    failures: Sequence[Outcome],
    *,
    total: int,
    note: str = "",
) -> None:
    """Write the page.

    Args:
        path: beside the folder ``cases``, to which it links.
        rows: of the cases that are done, as `read_row` gives them.
        failures: of those that failed.
        total: cases of the study.
        note: a sentence below the counts.
    """
    left = total - len(rows) - len(failures)
    counts = f"{len(rows)} of {total} scans done, {len(failures)} failed, {left} left to do."
    parts = [f"<p class=status role=note>{RESEARCH_USE}</p>", f"<p class=headline>{counts}</p>"]
    if note:
        parts.append(f"<p>{escape(note)}</p>")
    if failures:
        cells = [(escape(f.case_id), escape(f.code), escape(f.message)) for f in failures]
        parts += ["<h2>Failures</h2>", as_table(("Case", "Code", "Why"), cells)]
    if rows:
        parts += ["<h2>Hemorrhage</h2>", _presence(rows)]
        bleeding = [row["total_volume_ml"] for row in rows if row["hemorrhage_present"]]
        shifts = [mm for row in rows if (mm := row["midline_shift_mm"]) is not None]
        parts += [_histogram("Volume where there is hemorrhage", "mL", bleeding)]
        parts += [
            "<h2>Midline shift</h2>",
            _histogram("Midline shift where it can be measured", "mm", shifts),
        ]
        parts += ["<h2>Scans</h2>", _scans(rows)]
    write_whole(path, as_page("Study", parts))


def _presence(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [("hemorrhage_state", "Any")]
    names += [(f"{s.name.lower()}_state", swatch(s) + label_of(s).name) for s in Subtype]
    cells = []
    for column, text in names:
        counts = [sum(row[column] == state.value for row in rows) for state in Presence]
        cells.append((text, *(f"{n} ({100 * n / len(rows):.0f} %)" for n in counts)))
    states = (state.value.capitalize() for state in Presence)
    table = as_table(("Finding", *states), cells, numbers=(1, 2, 3))
    unnamed = sum(row.get("subtypes_reason") is not None for row in rows)
    note = f"<p>{unnamed} of {len(rows)} masks do not tell subtypes apart.</p>"
    return table + note if unnamed else table


def _histogram(title: str, unit: str, values: Sequence[float]) -> str:
    """An inline SVG with median and quartiles beside it."""
    if not values:
        return f"<p>{title}: none.</p>"
    counts, edges = np.histogram(values, bins=_BINS, range=(0.0, max(max(values), 1.0)))
    step, high = _WIDTH / _BINS, counts.max()
    bars = "".join(
        f'<rect x="{k * step:.1f}" y="{_HEIGHT * (1 - n / high):.1f}" width="{step - 1:.1f}" '
        f'height="{_HEIGHT * n / high:.1f}"><title>{a:.1f} to {b:.1f} {unit}: {n}</title></rect>'
        for k, (n, a, b) in enumerate(zip(counts, edges[:-1], edges[1:], strict=True))
    )
    low, middle, top = np.percentile(values, [25, 50, 75])
    words = (
        f"{title}: median {middle:.1f} {unit} (quartiles {low:.1f} and {top:.1f}), "
        f"{len(values)} scans."
    )
    ends = (
        f'<text x="0" y="{_HEIGHT + 16}">0</text><text x="{_WIDTH}" y="{_HEIGHT + 16}" '
        'text-anchor="end">'
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH + 30} {_HEIGHT + 20}" width="{_WIDTH + 30}" role="img" '
        f'aria-label="{words}" class=bars>{bars}<text x="{_WIDTH + 4}" y="12">{high}</text>{ends}'
        f"{edges[-1]:.0f} {unit}</text></svg>"
        f"<figcaption>{words}</figcaption></figure>"
    )


def _named(row: Mapping[str, Any]) -> str:
    """For example ``"IPH, possibly SDH"``."""
    if row.get("subtypes_reason") is not None:
        return "not told"
    state = {s.name: row[f"{s.name.lower()}_state"] for s in Subtype}
    found = [name for name in state if state[name] == Presence.FOUND.value]
    found += [f"possibly {name}" for name in state if state[name] == Presence.POSSIBLE.value]
    return ", ".join(found) or "none"


def _scans(rows: Sequence[Mapping[str, Any]]) -> str:
    def name(row: Mapping[str, Any]) -> str:
        text = escape(row["case_id"])
        if row["weights"] is None:  # of a given mask there is no report
            return text
        return f'<a href="cases/{quote(row["case_id"])}/report.html">{text}</a>'

    def shift(row: Mapping[str, Any]) -> str:
        mm = row["midline_shift_mm"]
        return "not measurable" if mm is None else f"{mm:.1f} mm"

    cells = [
        (
            name(row),
            f"{row['total_volume_ml']:.1f} mL",
            _named(row),
            shift(row),
            escape(row["warnings"]),
        )
        for row in rows
    ]
    return as_table(
        ("Case", "Volume", "Subtypes", "Midline shift", "Warnings"), cells, numbers=(1, 3)
    )
