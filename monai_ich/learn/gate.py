"""Whether new weights may take the place of old ones, by evaluations of both on the same scans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError
from monai_ich.core.json_text import read_json

FIGURES = (("masks", "dice"), ("exams", "auc"))


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


def judge_weights(old: Path, new: Path) -> tuple[Judgment, ...]:
    """Compare two folders of ``monai-ich evaluate``.

    Raises:
        InputError: ``NO_EVALUATION``; ``NOT_COMPARABLE`` where they are of other scans, or scans
            of the new one failed.
    """
    before, after = _summary(old), _summary(new)
    if before["data"] != after["data"] or before["cases"] != after["cases"]:
        raise InputError(
            "NOT_COMPARABLE",
            "Both evaluations must be of one manifest and split, and of the same scans.",
        )
    found = tuple(_judge(before["figures"], after["figures"]))
    if not found:
        raise InputError("NOT_COMPARABLE", "The evaluations hold no Dice and no AUC to compare.")
    return found


def _summary(folder: Path) -> dict[str, Any]:
    try:
        summary = read_json(folder / "summary.json")
        return {key: summary[key] for key in ("data", "cases", "figures")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "NO_EVALUATION", "Give two folders that monai-ich evaluate has written."
        ) from error


def _judge(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Judgment]:
    for level, figure in FIGURES:
        for finding, figures in before.get(level, {}).items():
            old = figures.get(figure)
            if old is None:
                continue
            new = after.get(level, {}).get(finding, {}).get(figure, {})
            floor = old["interval"][0] if old.get("interval") else old["value"]
            yield Judgment(f"{finding} {figure}", old["value"], new.get("value"), floor)
