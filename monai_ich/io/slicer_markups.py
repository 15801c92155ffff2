"""3D Slicer's markup file (.mrk.json): midline and shift as lines, the largest shift as a point.

References:
    3D Slicer's markups schema 1.0.3; positions are written in RAS, as everywhere inside.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.core.exam import MidlineShift
from monai_ich.core.geometry import FloatArray
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_IDEAL, _SHIFTED = (1.0, 0.84, 0.29), (1.0, 0.32, 0.32)


def midline_markups(
    midline: Midline | NotMeasurable | None, shift: MidlineShift
) -> list[dict[str, Any]]:
    """The ideal midline at the foramina of Monro, from it to the displaced midline there, and the
    point of largest shift.

    Returns:
        Two lines (``Ideal midline``, ``Midline shift``) and a point (``Largest shift``), each where
        it was measured; empty where there is no midline.
    """
    if not isinstance(midline, Midline):
        return []
    largest = shift.largest.at_ras_mm
    marks = []
    if largest is not None:
        marks.append(_markup("Fiducial", "Largest shift", np.array([largest]), _SHIFTED))
    if shift.at_ras_mm is None:
        return marks
    at = np.array(shift.at_ras_mm)
    foot = at - midline.distance_mm(at[None])[0] * midline.normal
    along = midline.front_and_top[0] @ (midline.displaced_mm - foot).T
    front = midline.front_and_top[0]
    ideal = np.stack([foot + (along.min() - 30) * front, foot + (along.max() + 30) * front])
    return [
        _markup("Line", "Ideal midline", ideal, _IDEAL),
        _markup("Line", "Midline shift", np.stack([foot, at]), _SHIFTED),
        *marks,
    ]


def write_markups(path: Path, markups: list[dict[str, Any]]) -> None:
    """Write a ``.mrk.json``; with no markups it is a file that says so: a list of none."""
    path.write_text(json.dumps({"@schema": _SCHEMA, "markups": markups}, indent=1) + "\n")


def _markup(
    kind: str, name: str, points: FloatArray, color: tuple[float, float, float]
) -> dict[str, Any]:
    return {
        "type": kind,
        "name": name,
        "coordinateSystem": "RAS",
        "coordinateUnits": "mm",
        "locked": True,
        "labelFormat": "%N",
        "controlPoints": [
            {
                "id": str(n),
                "label": name,
                "position": [round(float(x), 3) for x in point],
                "positionStatus": "defined",
            }
            for n, point in enumerate(points, start=1)
        ],
        "display": {
            "color": color,
            "selectedColor": color,
            "propertiesLabelVisibility": False,
            "pointLabelsVisibility": False,
            "glyphScale": 1.5,
        },
    }
