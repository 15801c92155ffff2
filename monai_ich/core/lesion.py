"""One connected piece of hemorrhage, and what is too small to be one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monai_ich.core.exam_slices import Point
from monai_ich.core.labels import Hemorrhage, Subtype
from monai_ich.core.measurement import Category, Measurement, NotMeasurable


@dataclass(frozen=True)
class Abc2:
    """Bedside estimate of a volume from three lengths; see `measure_abc2`.

    Args:
        method: ``"Kothari 1996"`` or ``"Gebel 1998"``.
        a_mm, b_mm: length and width on the slice of largest area.
        c_mm: height by weighted slices (Gebel: by all).
        c_all_mm: height by all slices, each with weight 1.
    """

    method: str
    a_mm: float
    b_mm: float
    c_mm: float
    c_all_mm: float

    @property
    def ml(self) -> float:
        """``A B C / 2``."""
        return self.a_mm * self.b_mm * self.c_mm / 2000.0

    @property
    def unweighted_ml(self) -> float:
        """The same with each slice of weight 1, as many trials do."""
        return self.a_mm * self.b_mm * self.c_all_mm / 2000.0


@dataclass(frozen=True)
class Lesion:
    """One connected piece of hemorrhage.

    Args:
        id: 1 is the largest.
        subtype: which.
        volume_ml: true volume.
        abc2: bedside estimate of it, or why there is none.
        centroid_ras_mm: center of mass.
        side: ``"left"``, ``"right"``, ``"both"`` (less than 80 % on one side) or ``"unknown"``.
        compartment: ``"supratentorial"``, ``"infratentorial"`` or ``"unknown"``.
        slices: first and last slice (K index).
        mean_hu, sd_hu, max_hu: density; None without a CT.
        sphericity: surface of the ball of the same volume over its own surface, 0 to 1.
        skull_mm: shortest distance from the inner skull surface; None without a cavity.
        thickness: of an EDH or SDH, perpendicular to the skull, or why there is none; None for
            other subtypes.
        thickest_at_ras_mm: point of its inner border where it is thickest.
        axial_thickness: the same within the axial slice, as trials read it.
        thickness_least_mm: axial thickness of what could be measured, where another part may be
            thicker.
        location: of an IPH, see `locate`; None for other subtypes.
        density: of an SDH, against the brain, see `classify_density`; None for other subtypes.
    """

    id: int
    subtype: Subtype | Hemorrhage
    volume_ml: float
    abc2: Abc2 | NotMeasurable
    centroid_ras_mm: Point
    side: str
    compartment: str
    slices: tuple[int, int]
    mean_hu: float | None
    sd_hu: float | None
    max_hu: float | None
    sphericity: float | None = None
    skull_mm: float | None = None
    thickness: Measurement | None = None
    thickest_at_ras_mm: Point | None = None
    axial_thickness: Measurement | None = None
    thickness_least_mm: float | None = None
    location: Category | None = None
    density: Category | None = None

    @property
    def irregularity_index(self) -> float | None:
        """Of an IPH: radius of the ball of the same surface, as a percentage of that of the ball of
        the same volume; 100 for a ball. None for other subtypes.

        References:
            Hematoma irregularity index, BMC Neurology 2022, doi:10.1186/s12883-022-02983-w
        """
        if self.subtype is not Subtype.IPH or not self.sphericity:
            return None
        return 100.0 / math.sqrt(self.sphericity)


@dataclass(frozen=True)
class Specks:
    """Pieces of blood that are too small to be lesions: how many, and their volume."""

    count: int = 0
    volume_ml: float = 0.0
