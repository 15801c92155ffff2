"""A number that can be trusted, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monai_ich.core.errors import IchError


@dataclass(frozen=True)
class NotMeasurable:
    """Stands for what could not be found.

    Args:
        reason: why, in words that end a sentence.
    """

    reason: str


@dataclass(frozen=True)
class Category:
    """One of a closed set of words, or the reason why there is none.

    Args:
        value: the word, or None where it could not be decided.
        reason: why not.

    Raises:
        IchError: ``NO_REASON`` where neither is given.
    """

    value: str | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise IchError("NO_REASON", "A category has no value and no reason.")


@dataclass(frozen=True)
class Measurement:
    """One measured value with its unit and method.

    Args:
        name: the field's term, for example ``"midline_shift"``.
        value: finite, or None where it could not be measured (then `reason` says why).
        unit: UCUM-like: ``"mL"``, ``"mm"``, ``"HU"``, ``"1"``.
        of: what was measured, for example ``"SDH"``.
        method: how, in a few words.
        interval: low and high end, where a model gives one.
        reason: why there is no value.

    Raises:
        IchError: ``NOT_FINITE`` for NaN or infinity; ``NO_REASON`` where neither value nor reason
            is given.
    """

    name: str
    value: float | None
    unit: str
    of: str
    method: str
    interval: tuple[float, float] | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.value is None:
            if not self.reason:
                raise IchError("NO_REASON", f"{self.name} of {self.of} has no value and no reason.")
        elif not math.isfinite(self.value):
            raise IchError("NOT_FINITE", f"{self.name} of {self.of} is not a finite number.")


def share_words(share: float) -> str:
    """Never 0 or 100 %: nobody knows that.

    >>> share_words(0.971), share_words(0.999)
    ('97 %', '> 99 %')
    """
    said = "> 99" if share > 0.99 else "< 1" if share < 0.01 else f"{100 * share:.0f}"
    return f"{said} %"
