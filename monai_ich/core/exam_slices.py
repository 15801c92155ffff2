"""What is measured of single slices of an exam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class SliceRow:
    """One slice of the label map.

    Args:
        index: K index.
        center_ras_mm: its center.
        volume_ml: mL of each subtype; empty where the mask does not tell them apart.
        unnamed_ml: all blood of such a mask.
    """

    index: int
    center_ras_mm: Point
    volume_ml: tuple[float, ...]
    unnamed_ml: float = 0.0

    @property
    def total_ml(self) -> float:
        """All blood."""
        return sum(self.volume_ml) + self.unnamed_ml


@dataclass(frozen=True)
class KeySlice:
    """The slice to look at first, see `find_key_slices`.

    Args:
        of: subtype name, or `ANY` of them.
        index: K index.
        at_ras_mm: center of what is labeled there; of the slice, where nothing is.
        because: what chose it, in words.
    """

    of: str
    index: int
    at_ras_mm: Point
    because: str
