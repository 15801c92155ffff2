"""A bundle's ``operating_points.json``: what its numbers are worth, believed only where each of
them can be used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai_ich.core.calibration import ANY, Calibration, Calibrator
from monai_ich.core.errors import BundleError
from monai_ich.core.json_text import finite, read_json
from monai_ich.core.labels import Subtype

_LARGEST = 1e4


def read_calibration(path: Path) -> Calibration:
    """Read and check a calibration.

    Raises:
        BundleError: ``BAD_CALIBRATION``.
    """
    try:
        record = read_json(path)
        found = Calibration.from_dict(record)
        if {*found.of} != {*Subtype.__members__, ANY}:
            raise ValueError("subtypes are missing")
        for calibrator in found.of.values():
            _require_usable(calibrator)
        if found.shift is not None:
            _require_ordered(found.shift.errors_mm)
        if not all(isinstance(text, str) for text in (found.weights_sha256, found.data)):
            raise TypeError("a text is none")
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
    ) as error:
        why = (
            "the calibration of the bundle is damaged or of an earlier version: remove "
            "operating_points.json, then calibrate again"
        )
        raise BundleError(
            "BAD_CALIBRATION", f"Every number must be finite and every subtype there, {why}."
        ) from error
    return found


def _require_usable(calibrator: Calibrator) -> None:
    intercept, slope = calibrator.surest
    for value in (calibrator.operating_point_ml, intercept, slope):
        finite(value, largest=_LARGEST)
    scans, found = calibrator.scans, (calibrator.none_found, calibrator.missed)
    for count in (scans, calibrator.present, *found):
        if type(count) is not int or count < 0:
            raise ValueError("a count is none")
    if not calibrator.present <= scans or scans < 1:
        raise ValueError("more are present than there are")
    if not calibrator.missed <= calibrator.none_found <= scans:
        raise ValueError("more are missed than there are")
    for errors in (calibrator.where_found, calibrator.where_none):
        if errors is not None:
            _require_ordered(errors)


def _require_ordered(errors: Any) -> None:
    low, high = errors
    if finite(low, largest=_LARGEST) > finite(high, largest=_LARGEST):
        raise ValueError("the lower end lies above the higher one")
