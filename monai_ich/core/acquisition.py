"""How a scan was made, for tables: words of scanners only, nothing that names anybody."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from monai_ich.core.geometry import Geometry

_THICKEST_MM = 50.0
_MANUFACTURERS = {
    "GE": r"\bGE\b|GENERAL ELECTRIC",
    "Siemens": r"SIEMENS",
    "Philips": r"PHILIPS|\bPMS\b|\bMARCONI\b|\bPICKER\b",
    "Canon": r"CANON|TOSHIBA",
    "Fujifilm": r"FUJIFILM|HITACHI",
    "United Imaging": r"UNITED IMAGING|\bUIH\b",
    "Neusoft": r"NEUSOFT",
    "Samsung": r"SAMSUNG|NEUROLOGICA",
    "MinFound": r"MINFOUND",
    "MONAI-ICH": r"\bMONAI-ICH\b",
}
_KERNEL = re.compile(
    r"[A-Z]{1,2}\d{1,2}[A-Z]?( \d)?"  # H31S, HR40F 3, FC26, SF20
    r"|[A-Z]{1,2}"  # UB, YA, C
    r"|STANDARD|STND|STD|SOFT|DETAIL|BONE(PLUS)?|LUNG|EDGE|CHST|ULTRA|SHARP|SMOOTH|BRAIN|HEAD"
    r"|BRAIN (STANDARD|SHARP|SMOOTH|ROUTINE)"
)


@dataclass(frozen=True)
class Acquisition:
    """How a scan was made, as far as that is known.

    Args:
        slice_thickness_mm: as the scanner states it; slices may lie closer or further apart.
        kernel: reconstruction kernel, in the scanner's words, in capitals.
        manufacturer: of the scanner, one name each.
        reason: why one of these is not known.
        spacing_mm: of voxels, along the two axes of a slice and from slice to slice.
        gantry_tilt_deg: between the axis from slice to slice and the slices' normal.

    >>> Acquisition().reason
    'nobody said how the scan was made'
    """

    slice_thickness_mm: float | None = None
    kernel: str | None = None
    manufacturer: str | None = None
    reason: str | None = "nobody said how the scan was made"
    spacing_mm: tuple[float, float, float] | None = None
    gantry_tilt_deg: float | None = None

    @classmethod
    def stated(cls, thickness: Any, kernel: Any, manufacturer: Any, *, where: str) -> Acquisition:
        """What a header or sidecar states, kept only where it is a usual length, a kernel's name or
        a manufacturer: free text may name a patient.

        Args:
            thickness, kernel, manufacturer: whatever stands there.
            where: that was looked, in words.

        >>> found = Acquisition.stated(5, "Hr40f", "SIEMENS Healthineers", where="the header")
        >>> found.slice_thickness_mm, found.kernel, found.manufacturer, found.reason
        (5.0, 'HR40F', 'Siemens', None)
        >>> Acquisition.stated("", "DOE JANE", "GE MEDICAL SYSTEMS", where="the header").reason
        'the header does not say, or not in known words: slice thickness, kernel'
        """
        mm, name, maker = _length_mm(thickness), _kernel(kernel), _manufacturer(manufacturer)
        found = {"slice thickness": mm, "kernel": name, "manufacturer": maker}
        lacking = ", ".join(word for word, value in found.items() if value is None)
        reason = f"{where} does not say, or not in known words: {lacking}" if lacking else None
        return cls(mm, name, maker, reason)

    def on(self, grid: Geometry) -> Acquisition:
        """With what the grid of the image says."""
        across = grid.slice_axis
        i, j = (grid.spacing_mm[axis] for axis in range(3) if axis != across)
        spacing_mm = round(i, 4), round(j, 4), round(grid.spacing_mm[across], 4)
        return replace(self, spacing_mm=spacing_mm, gantry_tilt_deg=round(_tilt_deg(grid), 2))

    def as_columns(self) -> dict[str, Any]:
        """Columns of a table."""
        spacing_mm = self.spacing_mm or (None, None, None)
        return {
            "slice_thickness_mm": self.slice_thickness_mm,
            **{f"spacing_{axis}_mm": mm for axis, mm in zip("ijk", spacing_mm, strict=True)},
            "gantry_tilt_deg": self.gantry_tilt_deg,
            "kernel": self.kernel,
            "manufacturer": self.manufacturer,
            "acquisition_reason": self.reason,
        }


def _tilt_deg(grid: Geometry) -> float:
    """As `Geometry.tilt_deg`, whichever axis the slices lie along."""
    order = [axis for axis in range(3) if axis != grid.slice_axis] + [grid.slice_axis]
    return Geometry((1, 1, 1), grid.affine[:, [*order, 3]]).tilt_deg


def _length_mm(stated: Any) -> float | None:
    try:
        mm = float(stated)
    except (TypeError, ValueError):
        return None
    return round(mm, 4) if math.isfinite(mm) and 0.0 < mm <= _THICKEST_MM else None


def _kernel(stated: Any) -> str | None:
    words = stated if isinstance(stated, (list, tuple)) else [stated]
    text = " ".join(map(str, words)).replace("\\", " ").strip().upper()
    return text if _KERNEL.fullmatch(text) else None


def _manufacturer(stated: Any) -> str | None:
    text = str(stated).upper()
    return next((name for name, known in _MANUFACTURERS.items() if re.search(known, text)), None)
