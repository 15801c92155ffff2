"""An evaluation in words: one page that opens from disk, and a table for the terminal."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from typing import Any

from monai_ich.core.provenance import RESEARCH_USE
from monai_ich.evaluate.plots import Plot
from monai_ich.report.page import as_page, as_table

_OVERLAP = {
    "Dice, all": "dice",
    "Dice, present": "dice_where_present",
    "surface Dice, present": "surface_dice_where_present",
    "HD95 where both have it, mm": "hd95_mm_where_both",
    "lesions found": "lesion_sensitivity",
    "true of lesions said": "lesion_precision",
    "false lesions": "false_lesions",
}
_AMOUNTS = {
    "bias": "bias_{}",
    "lower limit": "lower_limit_{}",
    "upper limit": "upper_limit_{}",
    "mean absolute error": "mean_absolute_error_{}",
    "median absolute error": "median_absolute_error_{}",
    "concordance": "concordance",
    "ICC": "icc",
}
_ANSWERS = ("sensitivity", "specificity", "kappa")
_MATRIX = ("TP", "FP", "FN", "TN")
Table = tuple[
    tuple[str, ...], list[tuple[str, ...]]
]  # header and rows; the first cell of a row is its heading


def as_evaluation_page(summary: dict[str, Any], plots: Iterable[Plot]) -> str:
    """The page as HTML, pictures inline."""
    data, figures = summary["data"], summary["figures"]
    parts = [
        f"<p class=status role=note>{RESEARCH_USE}</p>",
        f"<p class=headline>{escape(headline(summary))}</p>",
    ]
    if summary["failures"]:
        cells = [
            tuple(escape(f[key]) for key in ("case_id", "code", "message"))
            for f in summary["failures"]
        ]
        parts += ["<h2>Not evaluated</h2>", as_table(("Case", "Code", "Why"), cells)]
    parts += [f"<h2>{title}</h2>\n{_html(table)}" for title, table in _tables(figures)]
    parts += [_figure(plot) for plot in plots]
    for kind, strata in summary["strata"].items():
        parts += [f"<h2>By {kind.replace('_', ' ')}</h2>", _html(_stratum_table(strata))]
    if summary["lesion_sensitivity_by_size"]:
        parts += ["<h2>Lesions found, by their own size</h2>", _html(_lesion_table(summary))]
    made = ", ".join(f"{name} {number}" for name, number in summary["versions"].items())
    parts += ["<h2>How this was made</h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in summary["conventions"].values()]
    parts += [f"<p>Manifest {data['hash']}, commit {summary['git_commit']}. {escape(made)}</p>"]
    return as_page(f"Evaluation on {data['name']}, {data['split']}", parts)


def headline(summary: dict[str, Any]) -> str:
    """How many cases were evaluated, and why the others were not."""
    cases = summary["cases"]
    text = f"{cases['evaluated']} of {cases['listed']} cases evaluated"
    if cases["failed"]:
        text += f", {cases['failed']} not: " + ", ".join(
            f"{code} ({n})" for code, n in cases["codes"].items()
        )
    return text + "."


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """What the command line prints."""
    lines = [RESEARCH_USE, headline(summary)]
    for title, (header, rows) in _tables(summary["figures"]):
        widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
        lines += ["", title]
        lines += [
            "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
            for r in [header, *rows]
        ]
    return lines


def _tables(figures: dict[str, Any]) -> list[tuple[str, Table]]:
    shift = figures["midline_shift"]
    found = {
        "Masks": _mask_table(figures["masks"]),
        "Absent from all references": _absent_table(figures["absent"]),
        "Volume, mL, of scans with blood in either mask": _amount_table(
            figures["masks"], "ml", "volume_", ("relative_volume_difference_where_present",)
        ),
        "Exams": _exam_table(figures["exams"]),
        "Midline shift, mm": _amount_table(
            {"midline shift": shift} if shift else {}, "mm", "", ("within_1_mm",)
        ),
        "Thickness, mm": _amount_table(figures["thickness"], "mm", "", ()),
        "At clinical limits": _limit_table(figures["limits"]),
    }
    return [(title, table) for title, table in found.items() if table[1]]


def _cell(figure: dict[str, Any], digits: int = 2) -> str:
    """Value and interval, or why there is no interval; a dash where there is no value."""
    if figure["value"] is None:
        return "-"
    value, *ends = (
        f"{round(v, digits) + 0.0:.{digits}f}"
        for v in (figure["value"], *(figure["interval"] or ()))
    )
    beside = " to ".join(ends) or figure.get("interval_reason", "")
    return f"{value} ({beside})" if beside else value


def _mask_table(masks: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, found in masks.items():
        counts = map(str, found["counts"].values())
        rows.append((name, *counts, *(_cell(found[key]) for key in _OVERLAP.values())))
    return ("Finding", "scans", "present", "missed", "false", *_OVERLAP), rows


def _absent_table(absent: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = [
        (name, *map(str, found["counts"].values()), _cell(found["false_lesions"]))
        for name, found in absent.items()
    ]
    return ("Finding", "scans", "scans with false detections", "false lesions"), rows


def _amount_table(
    amounts: dict[str, Any], unit: str, before: str, others: tuple[str, ...]
) -> Table:
    """Agreement of amounts, one row a finding; `others` are shown after it, under their names."""
    keys = [before + key.format(unit) for key in _AMOUNTS.values()] + list(others)
    rows: list[tuple[str, ...]] = []
    for name, found in amounts.items():
        counts = str(found[keys[0]]["n"]), str(found.get("not_measured", 0))
        rows.append((name, *counts, *(_cell(found[key]) for key in keys)))
    words = [key.removesuffix("_where_present").replace("_", " ") for key in others]
    return ("Of", "cases", "not measured", *_AMOUNTS, *words), rows


def _exam_table(exams: dict[str, Any]) -> Table:
    header = ("Finding", "exams", "AUC", "from", *_ANSWERS, "F1", *_MATRIX)
    rows: list[tuple[str, ...]] = []
    for name, e in exams.items():
        counts = list(e["confusion"].values())
        shares = [_cell(e[key]) for key in (*_ANSWERS, "f1")]
        score = e["auc"]["score"].removesuffix("_ml")
        rows.append((name, str(sum(counts)), _cell(e["auc"]), score, *shares, *map(str, counts)))
    return header, rows


def _limit_table(limits: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    for found in limits.values():
        counts = list(found["confusion"].values())
        cells = (_cell(found[key]) for key in _ANSWERS)
        known = str(sum(counts)), str(found["not_measured"])
        rows.append((found["limit"], *known, *cells, *map(str, counts)))
    return ("Limit", "cases", "not measured", *_ANSWERS, *_MATRIX), rows


def _stratum_table(strata: dict[str, Any]) -> Table:
    """Any blood, stratum by stratum."""
    columns = (
        "dice_where_present",
        "surface_dice_where_present",
        "lesion_sensitivity",
        "false_lesions",
    )
    header = (
        "Any blood",
        "cases",
        "Dice, present",
        "surface Dice, present",
        "lesions found",
        "false lesions",
    )
    none: dict[str, Any] = {"value": None}
    rows = []
    for name, part in strata.items():
        masks = part["masks"].get("any") or part["absent"].get("any", {})
        exam = part["exams"].get("any", {})
        cells = [_cell(masks.get(key, none)) for key in columns]
        shift = (part["midline_shift"] or {}).get("mean_absolute_error_mm", none)
        rows.append((name, str(part["cases"]), *cells, _cell(exam.get("auc", none)), _cell(shift)))
    return (*header, "AUC", "shift error, mm"), rows


def _lesion_table(summary: dict[str, Any]) -> Table:
    by_size = summary["lesion_sensitivity_by_size"]
    rows: list[tuple[str, ...]] = [
        (f"{name}, {size}", str(figure["n"]), _cell(figure))
        for name, sizes in by_size.items()
        for size, figure in sizes.items()
    ]
    return ("Lesions", "number", "found"), rows


def _html(table: Table) -> str:
    header, rows = table
    cells = [(escape(name), *map(_two_lines, others)) for name, *others in rows]
    return as_table(header, cells, numbers=range(1, len(header)))


def _two_lines(cell: str) -> str:
    """The interval below the value."""
    value, _, interval = cell.partition(" (")
    return (
        f"{value}<br><small style='white-space:nowrap'>{interval[:-1]}</small>"
        if interval
        else value
    )


def _figure(plot: Plot) -> str:
    picture = base64.b64encode(plot.png).decode()
    return (
        f'<h2>{escape(plot.title)}</h2>\n<figure><img alt="{escape(plot.title)}" '
        'style="background:#fff" '
        f'src="data:image/png;base64,{picture}">\n<figcaption>{escape(plot.caption)}</figcaption></figure>'
    )
