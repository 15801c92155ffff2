"""Whether new weights may take the place of old ones, by evaluations of both on the same scans."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError
from monai_ich.core.json_text import read_json

FIGURES = (("masks", "dice"), ("exams", "auc"))
_DAMAGE = (OSError, ValueError, KeyError, TypeError, csv.Error)


@dataclass(frozen=True)
class Judgment:
    """One figure of a finding.

    Args:
        name: finding and figure.
        old, new: values; None where there is none.
        floor: what the new one must reach: the lower end of the old one's interval, or the old
            value where it has none; None where the old weights have no value.
    """

    name: str
    old: float | None
    new: float | None
    floor: float | None

    @property
    def holds(self) -> bool:
        """Whether the new weights lose no more than the old ones' interval."""
        return self.floor is None or (self.new is not None and self.new >= self.floor)


@dataclass(frozen=True)
class _Figure:
    value: float | None
    low: float | None


@dataclass(frozen=True)
class _Evaluation:
    data: Mapping[str, Any]
    scans: frozenset[str]
    figures: Mapping[str, _Figure]


def judge_weights(old: Path, new: Path) -> tuple[Judgment, ...]:
    """Compare two folders of ``monai-ich evaluate``.

    Raises:
        InputError: ``NO_EVALUATION`` for a folder without one, or with a damaged one;
            ``NOT_COMPARABLE`` where they are of other scans, or scans of one of them failed.
    """
    before, after = _read(old, "old"), _read(new, "new")
    if before.data != after.data or before.scans != after.scans:
        raise InputError(
            "NOT_COMPARABLE",
            "Both evaluations must be of one manifest and split, and of the same scans: one "
            "that failed in one of them is missing there.",
        )
    found = tuple(_judge(before.figures, after.figures))
    if not found:
        raise InputError("NOT_COMPARABLE", "The evaluations hold no Dice and no AUC to compare.")
    return found


def _judge(before: Mapping[str, _Figure], after: Mapping[str, _Figure]) -> Iterator[Judgment]:
    for name, old in before.items():
        new = after.get(name)
        floor = old.value if old.low is None else old.low
        yield Judgment(name, old.value, None if new is None else new.value, floor)


def _read(folder: Path, which: str) -> _Evaluation:
    try:
        summary = read_json(folder / "summary.json")
        data, scans = summary["data"], _scans(folder / "cases.csv")
        if not data["hash"] or len(scans) != summary["cases"]["evaluated"]:
            raise ValueError("of no manifest, or not of these scans")
        return _Evaluation(data, scans, dict(_figures(summary["figures"])))
    except _DAMAGE as error:
        raise InputError(
            "NO_EVALUATION",
            f"The folder of the {which} weights holds no evaluation, or a damaged one: give one "
            "that monai-ich evaluate has written.",
        ) from error


def _scans(path: Path) -> frozenset[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return frozenset(row["case_id"] for row in csv.DictReader(stream))


def _figures(levels: Any) -> Iterator[tuple[str, _Figure]]:
    for level, key in FIGURES:
        if not isinstance(levels[level], dict):
            raise TypeError("findings by name")
        for finding, figures in levels[level].items():
            figure = figures[key]
            yield f"{finding} {key}", _Figure(_number(figure["value"]), _low(figure["interval"]))


def _low(interval: Any) -> float | None:
    if interval is None:
        return None
    low, high = (_number(end) for end in interval)
    if low is None or high is None:
        raise ValueError("an interval has two ends")
    return low


def _number(value: Any) -> float | None:
    """None, or a number.

    Raises:
        ValueError: for anything else.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)
