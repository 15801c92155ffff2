"""Every series of an input, looked at once: reading, the list and the report all go on from
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from monai_ich.core.errors import InputError, SeriesError
from monai_ich.dicom.appearance import Appearance, appearance_of, middle
from monai_ich.dicom.archive import Root, open_root
from monai_ich.dicom.discovery import Found, find_instances
from monai_ich.dicom.geometry import order_slices
from monai_ich.dicom.pixels import read_slices
from monai_ich.dicom.ranking import Candidate, choose_series, rank_again, rank_series


@dataclass(frozen=True, eq=False)
class Survey:
    """Every series of an input, best first; what cannot be taken last.

    Args:
        candidates: numbered from 1 in this order.
        found: the files behind them.
        root: keeps an unpacked archive on disk.
    """

    candidates: tuple[Candidate, ...]
    found: Found
    root: Root

    def choose(self, series: str | None = None) -> Candidate:
        """The series to take.

        Args:
            series: its number in the list, or its SeriesInstanceUID; None for the best.

        Raises:
            SeriesError: ``NO_CT_SERIES`` for a number that is not in the list, the candidate's own
                code where it is refused, ``AMBIGUOUS_SERIES`` where one series holds several
                volumes that could be taken; else as `choose_series`.
        """
        uid = self._uid_of(int(series)) if is_number(series) else series
        return choose_series(list(self.candidates), self.found, series_uid=uid)

    def _uid_of(self, number: int) -> str:
        if not 1 <= number <= len(self.candidates):
            raise SeriesError(
                "NO_CT_SERIES", f"The list has {len(self.candidates)} series, no number {number}."
            )
        chosen = self.candidates[number - 1]
        if chosen.refused:
            raise SeriesError(
                chosen.refused, f"Series {number} cannot be taken: {chosen.reasons[0]}."
            )
        parts = [
            c for c in self.candidates if c.series_uid == chosen.series_uid and c.refused is None
        ]
        if len(parts) > 1:
            raise SeriesError(
                "AMBIGUOUS_SERIES",
                f"Series {number} holds {len(parts)} volumes: store them separately.",
            )
        return chosen.series_uid


def survey(path: Path) -> Survey:
    """Look at every series; where there is a choice, decode a few images of each that could be
    taken.

    Raises:
        InputError: ``INPUT_NOT_FOUND``.
        SeriesError: ``UNSAFE_ARCHIVE``.
    """
    root = open_root(path)
    found = find_instances(root.path)
    return Survey(tuple(_looked_at(rank_series(found))), found, root)


def _looked_at(candidates: list[Candidate]) -> list[Candidate]:
    """Ranked by their images too, where the header leaves several; what cannot be decoded is judged
    by its header.
    """
    usable = [n for n, candidate in enumerate(candidates) if candidate.refused is None]
    if len(usable) < 2:
        return candidates
    seen = {n: seen for n in usable if (seen := _appearance(candidates[n])) is not None}
    return rank_again(candidates, seen)


def _appearance(candidate: Candidate) -> Appearance | None:
    try:
        instances, along = order_slices(candidate.instances)
        few = [instances[n] for n in middle(len(instances))]
        hu = read_slices(few, assume_hu=True).hu
    except (SeriesError, InputError):  # said when the series is read
        return None
    thickness_mm = few[0].thickness_mm or float(np.ptp(along)) / (len(along) - 1)
    return appearance_of(hu, pixel_mm=few[0].spacing[0], thickness_mm=thickness_mm)


def is_number(series: str | None) -> TypeGuard[str]:
    """Whether this names a series by its number in the list; else it is a UID."""
    return series is not None and series.isdecimal() and len(series) < 5
