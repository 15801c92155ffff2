"""The summary as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DASH = "-"


def as_text(summary: Mapping[str, Any]) -> str:
    """The table of targets, then those with a target by kind of scan, then Dice by subtype and
    volume.

    Args:
        summary: from `summarize`.
    """
    lines = [f"{'measure':44}{'target':>9}{'seen':>9}  {'95 % interval':19}{'n':>4}"]
    for f in summary["figures"]:
        target = (
            _DASH if f["target"] is None else f"{'>=' if f['at_least'] else '<='} {f['target']:g}"
        )
        interval = (
            f["interval_reason"] or _DASH
            if f["interval"] is None
            else f"{_number(f['interval'][0])} .. {_number(f['interval'][1])}"
        )
        verdict = "" if f["passed"] is None else "  PASS" if f["passed"] else "  FAIL"
        lines.append(
            f"{f['text']:44}{target:>9}{_number(f['seen']):>9}  {interval:19}{f['n']:>4}{verdict}"
        )
    names = list(summary["by_scan"])
    lines += ["", f"{'by scan (n)':44}" + "".join(f"{name:>18}" for name in names)]
    for column in zip(*summary["by_scan"].values(), strict=True):
        if column[0]["target"] is not None:
            lines.append(f"{column[0]['text']:44}" + "".join(f"{_counted(f):>18}" for f in column))
    labels = list(next(iter(summary["by_volume"].values())))
    lines += ["", f"{'Dice by true volume (n)':44}" + "".join(f"{label:>18}" for label in labels)]
    for name, row in summary["by_volume"].items():
        lines.append(f"{name:44}" + "".join(f"{_counted(f):>18}" for f in row.values()))
    lines += [
        "",
        "median seconds: "
        + ", ".join(f"{k} {v:.1f}" for k, v in summary["median_seconds"].items()),
    ]
    lines += [f"head {seed} failed: {error}" for seed, error in summary["errors"].items()]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _counted(figure: Mapping[str, Any]) -> str:
    return f"{_number(figure['seen'])} ({figure['n']})"
